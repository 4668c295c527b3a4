// A campaign as its form holds it, and as the server does. Days are those of the shop's clock (UTC+8).
import type { ShopCampaign } from '@kit/api/types'
import { plain, toFen } from '@kit/money/money'

export interface Fields {
  title: string
  words: string
  how: 'amount' | 'part'
  value: string
  percent: number
  cap: string
  min: string
  total: number
  per_buyer: number
  from: string
  until: string
  valid: 'days' | 'dates'
  days: number
  valid_from: string
  valid_until: string
  product_ids: string[]
}
const HOUR = 3_600_000
export const dayOf = (ms: number): string => new Date(ms + 8 * HOUR).toISOString().slice(0, 10)
const begin = (day: string): number => Date.parse(`${day}T00:00:00+08:00`)
const end = (day: string): number => begin(day) + 24 * HOUR - 1
const sum = (fen?: number): string => (fen ? plain(fen).replace(/\.00$/, '') : '')

export function fresh(): Fields {
  const today = dayOf(Date.now())
  const later = dayOf(Date.now() + 30 * 24 * HOUR)
  return { title: '', words: '', how: 'amount', value: '', percent: 10, cap: '', min: '', total: 100, per_buyer: 1, from: today, until: later, valid: 'days', days: 30, valid_from: today, valid_until: later, product_ids: [] }
}

export function fieldsOf(one: ShopCampaign): Fields {
  const { terms } = one
  const base = fresh()
  return {
    title: one.title, words: one.words, how: terms.off_bp ? 'part' : 'amount', value: sum(terms.value_fen), percent: terms.off_bp ? terms.off_bp / 100 : base.percent,
    cap: sum(terms.cap_fen), min: sum(terms.min_spend_fen), total: one.total, per_buyer: one.per_buyer, from: dayOf(one.claim_from), until: dayOf(one.claim_until),
    valid: one.valid_days ? 'days' : 'dates', days: one.valid_days ?? base.days, valid_from: one.valid_from ? dayOf(one.valid_from) : base.valid_from,
    valid_until: one.valid_until ? dayOf(one.valid_until) : base.valid_until, product_ids: [...one.product_ids],
  }
}

/** What is sent. A moment whose day was not touched stays the moment it was. */
export function wishOf(now: Fields, before: ShopCampaign | null): object {
  const kept = (ms: number | null | undefined, day: string, otherwise: number): number => (ms && dayOf(ms) === day ? ms : otherwise)
  const amount = now.how === 'amount'
  return {
    title: now.title.trim(), words: now.words.trim(), total: now.total, per_buyer: now.per_buyer, product_ids: now.product_ids,
    terms: { value_fen: amount ? (toFen(now.value) ?? 0) : 0, off_bp: amount ? 0 : Math.round(now.percent * 100), cap_fen: amount ? 0 : (toFen(now.cap || '0') ?? 0), min_spend_fen: toFen(now.min || '0') ?? 0 },
    claim_from: kept(before?.claim_from, now.from, begin(now.from)), claim_until: kept(before?.claim_until, now.until, end(now.until)),
    ...(now.valid === 'days'
      ? { valid_days: now.days }
      : { valid_from: kept(before?.valid_from, now.valid_from, begin(now.valid_from)), valid_until: kept(before?.valid_until, now.valid_until, end(now.valid_until)) }),
  }
}
