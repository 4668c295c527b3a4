// The queue's rows: what the log knows of a conversation, and what the desk knows of its case.
import type { Conversation } from '@kit/im/types'
import { draftOf } from '../chat/drafts'
import { say } from '../chat/lines'
import { lastSaid, lastTime, waitingSince } from './waiting'

export type Tab = 'mine' | 'queued' | 'all' | 'ended' | 'waiting' | 'unread'
export type CaseState = 'new' | 'bot' | 'queued' | 'human' | 'ended'

export interface Row {
  c: string
  shopId: string
  name: string
  shop: string
  unread: number
  /** Since when somebody waits; 0: nobody does. */
  since: number
  at: number
  line: string
  draft: string
  typingUntil: number
  state: CaseState | ''
  /** Who serves the buyer, when it is not this person. */
  with: string
  labels: string[]
  tabs: Tab[]
}

type Say = (key: string, data?: Record<string, unknown>) => string

export function rowOf(one: Conversation, shop: string, t: Say): Row {
  const last = lastSaid(one)
  const since = waitingSince(one)
  const words = last ? say(last, t) : (one.ctx?.title ?? t('list.no_words'))
  return {
    c: one.c, shopId: one.shopId, name: one.peer.name || t('chat.buyer'), shop, unread: one.unread, since, at: lastTime(one),
    line: last?.fr === 'staff' && last.k !== 'note' ? t('list.me', { text: words }) : words,
    draft: draftOf(one.c).text, typingUntil: one.typingUntil, state: '', with: '', labels: [],
    tabs: ['all', ...(since ? ['waiting' as const] : []), ...(one.unread ? ['unread' as const] : [])],
  }
}
