// Who waits for an answer, since when, and how late that is. Pure.
import type { Conversation, Entry } from '@kit/im/types'

/** First human reply within three minutes is the promise; half a minute is good. */
export const SOON_MS = 30_000
export const LATE_MS = 180_000

export type Lateness = 'fresh' | 'soon' | 'late'

/** When the oldest message nobody of the shop has answered was sent; 0 when nothing waits. */
export function waitingSince(conversation: Pick<Conversation, 'entries'>): number {
  let since = 0
  for (let i = conversation.entries.length - 1; i >= 0; i -= 1) {
    const entry = conversation.entries[i]
    if (!entry || entry.fr === 'staff') break
    if (entry.fr === 'buyer' && entry.k !== 'void') since = entry.ts
  }
  return since
}

export function lateness(since: number, now: number): Lateness {
  const waited = now - since
  return waited >= LATE_MS ? 'late' : waited >= SOON_MS ? 'soon' : 'fresh'
}

/** 75 s → "1:15"; above an hour "2 h". */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds >= 86_400) return `${Math.floor(seconds / 86_400)} d`
  if (seconds >= 3_600) return `${Math.floor(seconds / 3_600)} h`
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

export function lastSaid(conversation: Pick<Conversation, 'entries'>): Entry | undefined {
  for (let i = conversation.entries.length - 1; i >= 0; i -= 1) {
    const entry = conversation.entries[i]
    if (entry && entry.k !== 'void') return entry
  }
  return undefined
}

/** Those who wait come first, the longest wait on top; then by latest activity. */
export function inOrder(list: readonly Conversation[]): Conversation[] {
  const since = new Map(list.map((one) => [one.c, waitingSince(one)]))
  const time = (one: Conversation): number => one.entries.at(-1)?.ts ?? 0
  return [...list].sort((a, b) => {
    const [x, y] = [since.get(a.c) ?? 0, since.get(b.c) ?? 0]
    if (x && y) return x - y
    if (x || y) return x ? -1 : 1
    return time(b) - time(a)
  })
}
