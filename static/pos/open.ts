// The open collection of this tab, kept for a reload of the page: ids and the amount, never the payment code. What other
// tabs and devices have begun comes from the server.
import type { Ask } from './pay'

export interface Open {
  ask: Ask
  /** Null while the first send has no answer: then the server is asked by the request id. */
  charge_id: string | null
}

const key = (tillId: string): string => `octshop.pos.open.${tillId}`

export function keep(tillId: string, open: Open): void {
  sessionStorage.setItem(key(tillId), JSON.stringify(open))
}

export function drop(tillId: string): void {
  sessionStorage.removeItem(key(tillId))
}

export function kept(tillId: string): Open | null {
  const text = sessionStorage.getItem(key(tillId))
  if (!text) return null
  try {
    const { ask, charge_id: chargeId } = JSON.parse(text) as Partial<Open>
    if (!ask || typeof ask.request_id !== 'string' || typeof ask.amount_fen !== 'number') return null
    // Field by field: what an older page kept beside them (a payment code) is not carried on.
    const { request_id, amount_fen, method, at } = ask
    return { ask: { request_id, amount_fen, method, at }, charge_id: chargeId ?? null }
  } catch {
    return null
  }
}
