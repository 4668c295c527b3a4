// The figures of service as pages show them: which there are, what kind of number each is, and how it is written.
// What each means stands in docs/service-figures.md and, for people, in the words `fig.<name>.means`.
import type { components } from '@kit/api/schema'
import { i18n } from '@kit/i18n'

type Schema = components['schemas']
export type Figures = Schema['Figures']
export type Report = Schema['Report']
export type Part = Schema['Part']
export type Live = Schema['Live']
export type Field = keyof Figures
export type Kind = 'count' | 'ms' | 'bp' | 'stars'

export interface Figure {
  name: Field
  kind: Kind
  /** Which way is better; 0 where neither is. */
  good: 1 | 0 | -1
}
const figure = (name: Field, kind: Kind, good: 1 | 0 | -1): Figure => ({ name, kind, good })

/** In the order in which a supervisor asks: how much, how long in the queue, how fast, how well. */
export const GROUPS: { name: 'volume' | 'queue' | 'speed' | 'result'; figures: Figure[] }[] = [
  { name: 'volume', figures: [figure('opened', 'count', 0), figure('served', 'count', 0), figure('closed', 'count', 0), figure('bot_only', 'count', 0), figure('moved', 'count', -1)] },
  { name: 'queue', figures: [figure('queue_count', 'count', 0), figure('queue_avg_ms', 'ms', -1), figure('queue_max_ms', 'ms', -1), figure('abandoned', 'count', -1), figure('abandoned_avg_ms', 'ms', 0)] },
  { name: 'speed', figures: [figure('first_avg_ms', 'ms', -1), figure('answer_avg_ms', 'ms', -1), figure('fast_bp', 'bp', 1), figure('human_bp', 'bp', 1), figure('slow_count', 'count', -1)] },
  { name: 'result', figures: [figure('solved_bp', 'bp', 1), figure('solved', 'count', 0), figure('unsolved', 'count', 0), figure('csat_bp', 'bp', 1), figure('stars_avg_hundredths', 'stars', 1), figure('rated', 'count', 0)] },
]
export const FIGURES = GROUPS.flatMap((group) => group.figures)
export const figureOf = (name: string): Figure => FIGURES.find((one) => one.name === name) ?? FIGURES[0]!

/** 9.4 s, 1:15, 2:03:10: short ones to a tenth, because 30 s is a promise. */
export function duration(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)}s`
  const seconds = Math.round(ms / 1000)
  const two = (n: number): string => String(n).padStart(2, '0')
  const hours = Math.floor(seconds / 3600)
  return hours ? `${hours}:${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}` : `${Math.floor(seconds / 60)}:${two(seconds % 60)}`
}

/** 0:00:47, 8:12:05: hours to the second, as on a time sheet. */
export function longSpan(ms: number): string {
  const seconds = Math.round(ms / 1000)
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${Math.floor(seconds / 3600)}:${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`
}

export function written(kind: Kind, value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  if (kind === 'ms') return duration(value)
  if (kind === 'bp') return `${(value / 100).toFixed(value % 100 ? 1 : 0)}%`
  if (kind === 'stars') return (value / 100).toFixed(2)
  return i18n.global.n(value, 'count')
}

export interface Change {
  text: string
  /** Better, worse, or neither. */
  way: 'better' | 'worse' | 'same'
  up: boolean
}

/** Against the time before: rates in points, all else in parts of what it was. */
export function change({ kind, good }: Figure, now: number | null, before: number | null): Change | null {
  if (now === null || before === null) return null
  const moved = now - before
  if (moved === 0) return now === 0 ? null : { text: '0', way: 'same', up: false }
  if (kind !== 'bp' && before === 0) return null
  const text = kind === 'bp' ? `${Math.abs(moved / 100).toFixed(1)}pp` : `${Math.round((Math.abs(moved) / before) * 100)}%`
  return { text, way: good === 0 ? 'same' : Math.sign(moved) === good ? 'better' : 'worse', up: moved > 0 }
}
