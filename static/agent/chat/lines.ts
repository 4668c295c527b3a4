// The log as the desk shows it: one line an entry, grouped by minute and sender; and an entry in one line of words.
import { isCard, said } from '@kit/chat/said'
import type { Entry, Unsent } from '@kit/im/types'

type Say = (key: string, data?: Record<string, unknown>) => string

/** For lists, quotes and notifications. */
export function say(entry: Pick<Entry, 'k' | 'b'> & { rc?: number }, t: Say): string {
  if (entry.k === 'event') return eventText(entry.b, t)
  return entry.k === 'note' && !entry.rc ? `[${t('chat.note')}] ${entry.b.text ?? ''}` : said(entry, t)
}

/** What happened, in words; events of a newer server are told by what they carry. */
export function eventText(b: Entry['b'], t: Say): string {
  const key = `event.${(b.ev ?? '').replaceAll('.', '_')}`
  const words = t(key, { who: b.who ?? '', to: b.to ?? '', n: b.n ?? 0, text: b.text ?? '', title: b.title ?? '' })
  return words === key ? b.text || b.title || t('event.unknown') : words
}

export type Mark = 'sending' | 'failed' | 'sent' | 'read'
/** Who speaks, seen from this desk. */
export type Voice = 'buyer' | 'own' | 'colleague' | 'bot' | 'house'

export interface Line {
  key: string
  /** Number in the log; 0 while it has none. */
  s: number
  m: string
  f: string
  voice: Voice
  k: string
  b: Entry['b']
  ts: number
  re: number
  mark: Mark
  reason: string
  edited: boolean
  recalled: boolean
  /** First of its minute and sender: the bubble has a tail and room above. */
  first: boolean
  /** The time to show above, 0 for none. */
  clock: number
  /** What else happened at once: events of one minute stand in one line. */
  also: Entry['b'][]
  /** The first one not seen before this conversation was opened. */
  fresh: boolean
}

export interface Seen {
  uid: string
  /** How far the buyer has read. */
  peerRead: number
  /** Where the agent had stopped reading when it was opened; 0: no line is drawn. */
  fence: number
  /** Where this is: a buyer who looks at the shop itself is no news. */
  shop: string
}

const voiceOf = (entry: Entry, uid: string): Voice =>
  entry.fr === 'buyer' ? 'buyer' : entry.fr === 'bot' ? 'bot' : entry.fr === 'system' ? 'house' : entry.f === uid ? 'own' : 'colleague'

/** A line taken back or edited shows that itself. */
function silent(b: Entry['b'], shop: string): boolean {
  return b.ev === 'recalled' || b.ev === 'edited' || (b.ev === 'context' && b.title === shop)
}

export function linesOf(entries: readonly Entry[], unsent: readonly Unsent[], seen: Seen): Line[] {
  const lines: Line[] = []
  let minute = -1
  let speaker = ''
  let fresh = seen.fence > 0
  const put = (line: Omit<Line, 'first' | 'clock' | 'fresh' | 'also'>, who: string): void => {
    const now = Math.floor(line.ts / 60_000)
    const last = lines.at(-1)
    if (line.k === 'event' && last?.k === 'event' && now === minute) return void last.also.push(line.b)
    const news = fresh && line.voice === 'buyer' && line.s > seen.fence
    if (news) fresh = false
    const first = now !== minute || who !== speaker || news
    lines.push({ ...line, also: [], first, clock: now !== minute ? line.ts : 0, fresh: news })
    minute = now
    speaker = who
  }
  for (const entry of entries) {
    if (entry.k === 'void' || (entry.k === 'event' && silent(entry.b, seen.shop))) continue
    put({
      key: entry.m && entry.fr === 'staff' ? entry.m : `s${entry.s}`, s: entry.s, m: entry.m, f: entry.f, voice: voiceOf(entry, seen.uid), k: entry.k, b: entry.b, ts: entry.ts,
      re: entry.re ?? 0, mark: entry.s <= seen.peerRead ? 'read' : 'sent', reason: '', edited: !!entry.ed, recalled: !!entry.rc,
    }, `${entry.fr} ${entry.f} ${entry.k === 'note'}`)
  }
  for (const one of unsent)
    put({
      key: one.m, s: 0, m: one.m, f: seen.uid, voice: 'own', k: one.k, b: one.b, ts: one.ts, re: one.re ?? 0,
      mark: one.state, reason: one.reason ?? '', edited: false, recalled: false,
    }, `staff ${seen.uid} ${one.k === 'note'}`)
  return lines
}

/** A guess of a line's height before it is drawn; the nearer, the calmer the scroll bar. */
export function guessHeight(line: Line): number {
  const room = (line.clock ? 44 : 0) + (line.first ? 10 : 3) + (line.fresh ? 34 : 0) + (line.re ? 40 : 0)
  if (line.recalled || line.k === 'event') return room + 26
  if (line.k === 'image' || line.k === 'video') return room + Math.min(260, Math.max(60, ((line.b.h ?? 3) / (line.b.w ?? 4)) * 240))
  if (isCard(line.k)) return room + 86
  if (line.k === 'file' || line.k === 'location' || line.k === 'voice') return room + 66
  const text = line.b.text ?? ''
  return room + 18 + 22.5 * Math.max(1, Math.ceil(text.length / 42), text.split('\n').length)
}
