// A conversation as its buyer reads it: what people and machines said, what the desk did, what was left, in one row.
import type { Parcel } from '@kit/chat/courier'
import type { Body, Conversation, Entry, Unsent } from '@kit/im/types'

export interface Line {
  key: string
  /** Number in this conversation; 0 for what has none yet, and for what was said in an earlier one. */
  s: number
  /** over: a case has ended; the newest such line carries the rating. */
  who: 'me' | 'them' | 'bot' | 'note' | 'left' | 'over'
  k: string
  b: Body
  fr: string
  ts: number
  state: 'sending' | 'failed' | 'sent' | 'read'
  reason: string
  m: string
  edited: boolean
  recalled: boolean
  /** The number of what it answers, and that in short. */
  re: number
  quoted: string
  /** A file that is still on its way. */
  parcel?: Parcel
  going?: boolean
  /** The time is told above. */
  stamp: boolean
  /** An automatic answer of which the buyer may say whether it helped. */
  votable: boolean
}

type Say = (key: string, data?: Record<string, unknown>) => string
const PAUSE_MS = 300_000
const KINDS = new Set(['image', 'voice', 'video', 'file', 'location', 'product', 'order', 'coupon', 'aftersale'])
/** The desk's words that a buyer reads; others are the shop's business. */
const NOTES = new Set(['queued', 'assigned', 'transferred', 'to_platform', 'reopened', 'ended'])
const ENDS = new Set(['left', 'idle', 'abandoned'])

export function noteText(b: Body, t: Say): string {
  const why = b.text ?? ''
  if (b.ev === 'ended') return t(ENDS.has(why) ? `service.event.ended_${why}` : 'service.event.ended')
  if (b.ev === 'queued' && (why === 'timeout' || why === 'dropped')) return t('service.event.requeued')
  if (b.ev === 'transferred' && !b.to) return t('service.event.transferred_on')
  return t(`service.event.${b.ev}`, { who: b.to ?? '' })
}

/** One entry in one line of words: for lists, quotes, toasts. Nothing for what a buyer does not read. */
export function brief(entry: Pick<Entry, 'k' | 'b'> & { rc?: number }, t: Say): string {
  if (entry.rc) return t('service.recalled')
  if (entry.k === 'text') return entry.b.text ?? ''
  if (entry.k === 'event') return entry.b.ev === 'message_left' ? `[${t('service.left.title')}] ${entry.b.text ?? ''}` : NOTES.has(entry.b.ev ?? '') ? noteText(entry.b, t) : ''
  if (!KINDS.has(entry.k)) return entry.k === 'void' || entry.k === 'note' ? '' : `[${t('service.kind.other')}]`
  const title = entry.k === 'image' ? '' : (entry.b.title ?? entry.b.name ?? '')
  return `[${t(`service.kind.${entry.k}`)}] ${title}`.trim()
}

/** What a file that is on its way will say. */
function bodyOf({ name, w, h, ms, file }: Parcel): Body {
  return { name, size: file.size, mime: file.type, ...(w && h ? { w, h } : {}), ...(ms ? { ms } : {}) }
}

function whoOf(entry: Entry): Line['who'] | '' {
  if (entry.k !== 'event') return entry.fr === 'buyer' ? 'me' : entry.fr === 'bot' ? 'bot' : 'them'
  if (entry.b.ev === 'message_left') return 'left'
  if (entry.b.ev === 'ended') return 'over'
  return NOTES.has(entry.b.ev ?? '') ? 'note' : ''
}

function quotedText(conversation: Conversation, re: number, t: Say): string {
  const entry = conversation.entries.find((one) => one.s === re)
  if (!entry) return t('line.quoted_older')
  if (entry.rc) return t('line.quoted_gone')
  return entry.fr === 'buyer' ? t('line.quoted_mine', { text: brief(entry, t) }) : brief(entry, t)
}

export function linesOf(conversation: Conversation, unsent: readonly Unsent[], t: Say, parcels: readonly Parcel[] = []): Line[] {
  const all = [...conversation.before, ...conversation.entries]
  const here = conversation.before.length
  const shown: Line[] = []
  for (const [n, entry] of all.entries()) {
    const who = entry.k === 'void' || entry.k === 'note' ? '' : whoOf(entry)
    if (!who) continue
    shown.push({
      key: entry.m || entry.id || String(entry.s), s: n < here ? 0 : entry.s, who, k: entry.k, b: entry.b, fr: entry.fr, ts: entry.ts, state: entry.s <= conversation.peerRead ? 'read' : 'sent',
      reason: '', m: entry.m, edited: !!entry.ed, recalled: !!entry.rc, re: entry.re ?? 0, quoted: entry.re ? quotedText(conversation, entry.re, t) : '', stamp: false, votable: false,
    })
  }
  const own = { s: 0, who: 'me', fr: 'buyer', edited: false, recalled: false, stamp: false, votable: false } as const
  // A file that has just been handed over is in both for a moment.
  const said = new Set([...unsent.map((one) => one.m), ...(parcels.length ? all.map((entry) => entry.m) : [])])
  const waiting: Line[] = [
    ...unsent.map((one): Line => ({ ...own, key: one.m, k: one.k, b: one.b, ts: one.ts, state: one.state, reason: one.reason ?? '', m: one.m, re: one.re ?? 0, quoted: one.re ? quotedText(conversation, one.re, t) : '' })),
    ...parcels.filter((one) => !said.has(one.m)).map((one): Line => ({ ...own, key: one.m, k: one.kind, b: bodyOf(one), ts: one.ts, state: one.state === 'failed' ? 'failed' : 'sending', reason: one.reason, m: one.m, re: 0, quoted: '', parcel: one, going: true })),
  ]
  shown.push(...waiting.sort((a, b) => a.ts - b.ts))
  shown.forEach((line, n) => {
    line.stamp = line.ts - (shown[n - 1]?.ts ?? 0) > PAUSE_MS
    // Greetings ask nothing, and "I pass you on" has no other answer than the queue.
    line.votable = line.who === 'bot' && !!line.b.id && !line.b.opts?.length && !line.m.startsWith('welcome-') && shown[n + 1]?.b.ev !== 'queued'
  })
  return shown
}
