// Who waits for an answer, since when, and how late that is. Pure.
import type { Conversation, Entry } from '@kit/im/types'

/** First human reply within three minutes is the promise; half a minute is good. */
export const SOON_MS = 30_000
export const LATE_MS = 180_000

export type Lateness = 'fresh' | 'soon' | 'late'

type Log = Pick<Conversation, 'entries'>

/** An answer is what the buyer can read and a person wrote: neither a note nor the machine's words. */
const answers = (entry: Entry): boolean => entry.fr === 'staff' && entry.k !== 'note' && entry.k !== 'event' && entry.vis !== 'staff'

/** When the oldest message nobody of the shop has answered was sent; 0 when nothing waits. */
export function waitingSince(conversation: Log): number {
  let since = 0
  for (let i = conversation.entries.length - 1; i >= 0; i -= 1) {
    const entry = conversation.entries[i]
    if (!entry || answers(entry)) break
    if (entry.fr === 'buyer' && entry.k !== 'void' && !entry.rc) since = entry.ts
  }
  return since
}

/** `due`: when the shop's own rule gives it to somebody else; 0: never. That may come before the promise above is broken,
 *  and begins anew with each agent; the buyer's waiting does not. */
export function lateness(since: number, now: number, due = 0): Lateness {
  const waited = now - since
  const late = due > since ? Math.min(due - since, LATE_MS) : LATE_MS
  return waited >= late ? 'late' : waited >= Math.min(SOON_MS, late / 2) ? 'soon' : 'fresh'
}

/** 75 s → "1:15"; above an hour "2 h". */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds >= 86_400) return `${Math.floor(seconds / 86_400)} d`
  if (seconds >= 3_600) return `${Math.floor(seconds / 3_600)} h`
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** The newest line by a person: what the machine said by itself is no news here, unless there is nothing else. */
export function lastSaid(conversation: Log): Entry | undefined {
  let machine: Entry | undefined
  for (let i = conversation.entries.length - 1; i >= 0; i -= 1) {
    const entry = conversation.entries[i]
    if (!entry || entry.k === 'void' || entry.k === 'event') continue
    if (entry.fr !== 'bot') return entry
    machine ??= entry
  }
  return machine
}

export const lastTime = (conversation: Log): number => conversation.entries.at(-1)?.ts ?? 0

/** Those who wait come first, the longest wait on top; then by latest activity. */
export function inOrder<Row extends { since: number; at: number }>(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => {
    if (a.since && b.since) return a.since - b.since
    if (a.since || b.since) return a.since ? -1 : 1
    return b.at - a.at
  })
}
