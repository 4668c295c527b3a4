// Quality's shapes, by the names its parts use.
import type { components } from '@kit/api/schema'

type Schema = components['schemas']
export type Check = Schema['Check']
export type CheckOf = Schema['CheckOf']
export type Checks = Schema['Checks']
export type Sheet = Schema['Sheet']
export type SheetItem = Schema['SheetItem']
export type Averages = Schema['Averages']
export const STATES: Check['state'][] = ['open', 'scored', 'appealed', 'settled']

/** What a score sheet makes of marks: their sum, or nothing when a line that may not fail has failed. */
export function total(items: readonly SheetItem[], marks: readonly (number | null)[]): number | null {
  const given = items.map((_, n) => marks[n] ?? null)
  if (given.some((mark) => mark === null || !Number.isInteger(mark))) return null
  if (items.some((item, n) => item.fatal && given[n] === 0)) return 0
  return given.reduce<number>((sum, mark) => sum + (mark ?? 0), 0)
}
