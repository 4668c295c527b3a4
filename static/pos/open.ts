// The open collection of a till, kept for a reload of the page: its ids, never longer than it is open.
// A payment code is a bearer instrument for a minute; it is kept only while the first send has no answer, in this tab.
import type { Ask } from './pay'

export interface Open {
  ask: Ask
  charge_id: string | null
  /** Made once, so that pressing "reverse" twice is one reversal. */
  reverse_id: string
}

const key = (tillId: string): string => `octshop.pos.open.${tillId}`

export function keep(tillId: string, open: Open): void {
  const { auth_code: code, ...ask } = open.ask
  const kept: Open = { ...open, ask: open.charge_id === null && code ? { ...ask, auth_code: code } : ask }
  sessionStorage.setItem(key(tillId), JSON.stringify(kept))
}

export function drop(tillId: string): void {
  sessionStorage.removeItem(key(tillId))
}

export function kept(tillId: string): Open | null {
  const text = sessionStorage.getItem(key(tillId))
  if (!text) return null
  try {
    const open = JSON.parse(text) as Partial<Open>
    return open.ask && typeof open.ask.request_id === 'string' && typeof open.reverse_id === 'string' ? (open as Open) : null
  } catch {
    return null
  }
}
