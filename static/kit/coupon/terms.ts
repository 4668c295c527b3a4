// What a coupon takes off, in a person's words. Amounts are fen, shares basis points.
import { language } from '@kit/i18n'
import type { Body } from '@kit/im/types'
import { parts } from '@kit/money/money'

export interface Terms {
  value_fen?: number
  off_bp?: number
  cap_fen?: number
  min_spend_fen?: number
}
type Say = (key: string, data?: Record<string, unknown>) => string

/** 600 → "¥6", 650 → "¥6.50": a round sum is said roundly. */
export function round(fen: number): string {
  const { yuan, fen: rest } = parts(fen)
  return rest === '00' ? `¥${yuan}` : `¥${yuan}.${rest}`
}

/** "减 ¥6", "8.5 折"; "¥6 off", "15% off". */
export function offText(terms: Terms, t: Say): string {
  if (!terms.off_bp) return t('kit.coupon.off', { sum: round(terms.value_fen ?? 0) })
  // What is left of the price in tenths, or what goes off it in percent.
  return t('kit.coupon.part', { n: String(language() === 'en' ? terms.off_bp / 100 : (10_000 - terms.off_bp) / 1_000) })
}

/** From which spend, and at most how much of it. */
export function fromText(terms: Terms, t: Say): string {
  const from = terms.min_spend_fen ? t('kit.coupon.from', { sum: round(terms.min_spend_fen) }) : t('kit.coupon.any')
  return terms.cap_fen ? t('kit.coupon.most', { from, sum: round(terms.cap_fen) }) : from
}

/** A campaign as the card of it says it; the server reads it anew when it is sent. */
export function cardOf({ id, title, terms }: { id: string; title: string; terms: Terms }): Body {
  const { value_fen, off_bp, min_spend_fen } = terms
  return { id, title, ...(value_fen ? { price_fen: value_fen } : {}), ...(off_bp ? { n: off_bp } : {}), ...(min_spend_fen ? { min_fen: min_spend_fen } : {}) }
}
