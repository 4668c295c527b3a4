// A message in one line, for the list and for notifications; and the log cut into groups of a minute.
import type { Entry, Unsent } from '@kit/im/types'

type Say = (key: string) => string

export function say(entry: Pick<Entry, 'k' | 'b'>, t: Say): string {
  if (entry.k === 'text') return entry.b.text ?? ''
  const what = entry.k === 'product' ? t('chat.product') : entry.k === 'order' ? t('chat.order') : t('chat.other')
  return entry.b.title ? `[${what}] ${entry.b.title}` : `[${what}]`
}

export type Mark = 'sending' | 'failed' | 'sent' | 'read'

export interface Line {
  key: string
  m: string
  mine: boolean
  /** Said by somebody else of the shop. */
  colleague: boolean
  k: string
  b: Entry['b']
  ts: number
  mark: Mark
  reason: string
  /** First of its minute and sender: the bubble has a tail and room above. */
  first: boolean
  /** The time to show above, 0 for none. */
  clock: number
}

export function linesOf(entries: readonly Entry[], unsent: readonly Unsent[], uid: string, peerRead: number): Line[] {
  const lines: Line[] = []
  const put = (line: Omit<Line, 'first' | 'clock'>, side: string): void => {
    const before = lines.at(-1)
    const minute = Math.floor(line.ts / 60_000)
    const newMinute = !before || Math.floor(before.ts / 60_000) !== minute
    lines.push({ ...line, first: newMinute || sides.at(-1) !== side, clock: newMinute ? line.ts : 0 })
    sides.push(side)
  }
  const sides: string[] = []
  for (const entry of entries) {
    if (entry.k === 'void') continue
    const mine = entry.fr === 'staff'
    put({
      key: entry.m || `s${entry.s}`, m: entry.m, mine, colleague: mine && entry.f !== uid, k: entry.k, b: entry.b, ts: entry.ts,
      mark: entry.s <= peerRead ? 'read' : 'sent', reason: '',
    }, entry.f)
  }
  for (const one of unsent)
    put({ key: one.m, m: one.m, mine: true, colleague: false, k: one.k, b: one.b, ts: one.ts, mark: one.state, reason: one.reason ?? '' }, uid)
  return lines
}
