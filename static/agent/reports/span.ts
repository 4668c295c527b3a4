// A span of the shop's days, as it stands in the address and as the server asks for it.
import { shopDay } from '@kit/i18n/day'

export const SPANS = ['today', 'yesterday', '7d', '30d', 'custom'] as const
export type SpanName = (typeof SPANS)[number]
export const MOST_DAYS = 93
const DAY = 86_400_000

export interface Span {
  since: number
  until: number
}

/** Midnight of a shop's day. The zone has had no summer time since 1991. */
export function startOf(day: string): number {
  return Date.parse(`${day}T00:00:00+08:00`)
}

export function isDay(text: unknown): text is string {
  return typeof text === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(startOf(text))
}

/** null: a custom span that is none. */
export function spanOf(name: SpanName, from: string, to: string, now = Date.now()): Span | null {
  const today = startOf(shopDay(now))
  if (name === 'today') return { since: today, until: today + DAY }
  if (name === 'yesterday') return { since: today - DAY, until: today }
  if (name === '7d') return { since: today - 6 * DAY, until: today + DAY }
  if (name === '30d') return { since: today - 29 * DAY, until: today + DAY }
  if (!isDay(from) || !isDay(to)) return null
  const since = startOf(from)
  const until = startOf(to) + DAY
  return since < until && until - since <= MOST_DAYS * DAY ? { since, until } : null
}

/** The same length just before, as far as this one has gone: today until now beside yesterday until this hour. */
export function before({ since, until }: Span, now = Date.now()): Span {
  const length = until - since
  return { since: since - length, until: Math.max(since - length + 1, Math.min(until, now) - length) }
}

export function daysOf({ since, until }: Span, now = Date.now()): string[] {
  const days: string[] = []
  for (let at = since; at < Math.min(until, Math.max(now, since + 1)); at += DAY) days.push(shopDay(at))
  return days
}

export const HOURS = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, '0'))
