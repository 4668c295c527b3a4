// Hours as people type them ("9", "9:30", "18:00", "24:00") and as the desk keeps them (minutes after midnight).
import type { DeskSettings } from './layers'

export type Span = DeskSettings['hours'][number]
export type Holiday = DeskSettings['holidays'][number]
export interface SpanRow {
  key: number
  days: number[]
  start: string
  end: string
}

export const weekdays = [1, 2, 3, 4, 5, 6, 7] as const
const DAY_MS = 86_400_000
/** Rows of a draft come back with keys of an earlier page: those made here are later. */
let keys = Date.now()

export function clock(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
}

/** Null: no time of day. */
export function minuteOf(text: string): number | null {
  const found = /^(\d{1,2})(?:[:：.]?([0-5]\d))?$/.exec(text.trim())
  if (!found) return null
  const minute = Number(found[1]) * 60 + Number(found[2] ?? 0)
  return minute <= 1_440 ? minute : null
}

export function rowOf(span: Span): SpanRow {
  return { key: ++keys, days: [...span.days], start: clock(span.start), end: clock(span.end) }
}
export function emptyRow(): SpanRow {
  return rowOf({ days: [1, 2, 3, 4, 5], start: 540, end: 1_080 })
}

/** What is wrong with a row; '' when nothing is. */
export function faultOf(row: SpanRow): '' | 'no_day' | 'no_time' | 'backwards' {
  if (!row.days.length) return 'no_day'
  const [start, end] = [minuteOf(row.start), minuteOf(row.end)]
  if (start === null || end === null) return 'no_time'
  return end <= start ? 'backwards' : ''
}
export function spanOf(row: SpanRow): Span {
  return { days: [...row.days].sort(), start: minuteOf(row.start) ?? 0, end: minuteOf(row.end) ?? 0 }
}

/** Every day from one to the other, "2026-10-01" … ; at most `most` of them. */
export function daysBetween(from: string, to: string, most: number): string[] {
  const days: string[] = []
  for (let at = Date.parse(`${from}T00:00:00Z`); at <= Date.parse(`${to || from}T00:00:00Z`) && days.length < most; at += DAY_MS) days.push(new Date(at).toISOString().slice(0, 10))
  return days
}
