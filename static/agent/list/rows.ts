// The queue's rows: what the log knows of a conversation, and what the desk knows of its case.
import type { Conversation } from '@kit/im/types'
import type { CaseView } from '../cases/types'
import { draftOf } from '../chat/drafts'
import { say } from '../chat/lines'
import { lastSaid, lastTime, waitingSince } from './waiting'

export type Tab = 'mine' | 'queued' | 'all' | 'ended'

export interface Row {
  c: string
  shopId: string
  name: string
  shop: string
  unread: number
  /** Since when somebody waits; 0: nobody does. */
  since: number
  /** When the desk gives it to somebody else; 0: never. */
  due: number
  at: number
  line: string
  draft: string
  typing: boolean
  state: CaseView['state'] | ''
  /** Who serves the buyer, when it is not this person. */
  with: string
  labels: string[]
  tabs: Tab[]
}

type Say = (key: string, data?: Record<string, unknown>) => string

export interface Known {
  /** The open case, else the newest ended one. */
  case: CaseView | undefined
  /** Whether the desk knows: without a case there is none. */
  sure: boolean
  mine: boolean
  /** This agent's business: others' unread is theirs. */
  concerns: boolean
  shop: string
}

/** The machine answers those in `bot`. A word that needs an answer opens a case: without one nobody waits, whatever was
 *  said last. Where it is not known whether there is one, the log's word counts. */
export function waits(one: Conversation, known: Pick<Known, 'case' | 'sure'>): number {
  const state = known.case?.state
  if (!state && !known.sure) return waitingSince(one)
  if (!state || state === 'ended' || state === 'bot') return 0
  // What was left without an answer before this case began is no part of its waiting.
  const said = waitingSince(one)
  if (said) return Math.max(said, known.case?.waiting_since ?? known.case?.opened_at ?? 0)
  return state === 'queued' ? (known.case?.waiting_since ?? known.case?.queued_at ?? 0) : 0
}

export function rowOf(one: Conversation, known: Known, t: Say): Row {
  const last = lastSaid(one)
  const words = last ? say(last, t) : (one.ctx?.title ?? t('list.no_words'))
  const state = known.case?.state ?? ''
  const tabs: Tab[] = ['all']
  if (known.mine && state !== 'ended') tabs.push('mine')
  if (state === 'queued') tabs.push('queued')
  if (state === 'ended') tabs.push('ended')
  return {
    c: one.c, shopId: one.shopId, name: one.peer.name || t('chat.buyer'), shop: known.shop, unread: known.concerns ? one.unread : 0,
    since: waits(one, known), due: known.case?.answer_by ?? 0, at: lastTime(one),
    line: last?.fr === 'staff' && last.k !== 'note' ? t('list.me', { text: words }) : words,
    draft: draftOf(one.c).text, typing: one.typingUntil > Date.now(), state,
    with: state === 'human' && !known.mine ? (known.case?.agent?.name ?? '') : state === 'bot' ? t('case.with_bot') : '', labels: [], tabs,
  }
}
