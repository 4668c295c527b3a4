// A conversation as its buyer reads it: what people and machines said, what the desk did, what was left, in one row.
import type { Body, Conversation, Entry, Unsent } from '@kit/im/types'

export interface Line {
  key: string
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
  /** What it answers, in short. */
  quoted: string
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

function whoOf(entry: Entry): Line['who'] | '' {
  if (entry.k !== 'event') return entry.fr === 'buyer' ? 'me' : entry.fr === 'bot' ? 'bot' : 'them'
  if (entry.b.ev === 'message_left') return 'left'
  if (entry.b.ev === 'ended') return 'over'
  return NOTES.has(entry.b.ev ?? '') ? 'note' : ''
}

export function linesOf(conversation: Conversation, unsent: readonly Unsent[], t: Say): Line[] {
  const all = [...conversation.before, ...conversation.entries]
  const shown: Line[] = []
  for (const entry of all) {
    const who = entry.k === 'void' || entry.k === 'note' ? '' : whoOf(entry)
    if (!who) continue
    const answers = entry.re ? conversation.entries.find((one) => one.s === entry.re) : undefined
    shown.push({
      key: entry.m || entry.id || String(entry.s), who, k: entry.k, b: entry.b, fr: entry.fr, ts: entry.ts, state: entry.s <= conversation.peerRead ? 'read' : 'sent',
      reason: '', m: entry.m, edited: !!entry.ed, recalled: !!entry.rc, quoted: answers ? brief(answers, t) : '', stamp: false, votable: false,
    })
  }
  for (const one of unsent)
    shown.push({ key: one.m, who: 'me', k: one.k, b: one.b, fr: 'buyer', ts: one.ts, state: one.state, reason: one.reason ?? '', m: one.m, edited: false, recalled: false, quoted: '', stamp: false, votable: false })
  shown.forEach((line, n) => {
    line.stamp = line.ts - (shown[n - 1]?.ts ?? 0) > PAUSE_MS
    // Greetings ask nothing, and "I pass you on" has no other answer than the queue.
    line.votable = line.who === 'bot' && !!line.b.id && !line.b.opts?.length && !line.m.startsWith('welcome-') && shown[n + 1]?.b.ev !== 'queued'
  })
  return shown
}
