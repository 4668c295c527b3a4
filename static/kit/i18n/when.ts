// Moments as people say them: "just now", "5 min ago", "14:32", "yesterday 14:32", "11-22 14:32".
import { shopDay } from './day'
import { i18n, say } from './index'

export function whenText(at: number, now = Date.now()): string {
  const past = now - at
  const clock = i18n.global.d(at, 'clock')
  if (past < 60_000) return say('kit.just_now')
  if (past < 3_600_000) return say('kit.minutes_ago', { n: Math.floor(past / 60_000) })
  const days = (Date.parse(shopDay(now)) - Date.parse(shopDay(at))) / 86_400_000
  if (days === 0) return clock
  if (days === 1) return say('kit.yesterday', { time: clock })
  return i18n.global.d(at, days < 300 ? 'short' : 'day')
}

/** 125 → "02:05"; 3725 → "1:02:05". */
export function countdown(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds))
  const two = (n: number) => String(n).padStart(2, '0')
  const hours = Math.floor(left / 3600)
  return `${hours ? `${hours}:` : ''}${two(Math.floor((left % 3600) / 60))}:${two(left % 60)}`
}
