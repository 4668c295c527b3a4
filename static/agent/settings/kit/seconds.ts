// Spans of time as people say them: 180 → 3 minutes.
import { say } from '@kit/i18n'

export const units = [
  { name: 'day', s: 86_400 },
  { name: 'hour', s: 3_600 },
  { name: 'minute', s: 60 },
  { name: 'second', s: 1 },
] as const
export type Unit = (typeof units)[number]['name']

export const lengthOf = (unit: Unit): number => units.find((one) => one.name === unit)?.s ?? 1

/** The largest unit that says it in a whole number. */
export function unitOf(seconds: number): Unit {
  if (!seconds) return 'minute'
  return units.find((one) => seconds % one.s === 0)?.name ?? 'second'
}

export function spanText(seconds: number): string {
  const unit = unitOf(seconds)
  const n = seconds / lengthOf(unit)
  return say(`settings.span.${unit}${n === 1 ? '_one' : ''}`, { n })
}
