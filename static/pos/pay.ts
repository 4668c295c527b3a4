// One collection as a machine without a screen or a network: which of the panels is due, and what may be pressed on it.
//
// idle → sending → waiting (our QR is shown) | paying (the buyer confirms) → paid | failed | closed | reversed | unknown.
// Unknown is left only by the channel's word (query), by a reversal, or by a manager who sets a reversed charge aside: it
// never leads to charging again. `found` takes up
// what the server says is still open at this till.
import type { Charge, ChargeState } from '@kit/api/types'

export type { Charge, ChargeState }
export type Method = 'barcode' | 'qr'

/** What was asked for, with the id made before it is sent. The payment code is no part of it: it is sent once. */
export interface Ask {
  request_id: string
  amount_fen: number
  method: Method
  at: number
  /** Begun by another tab or device, or by this one before it was closed; found open at the server. */
  found?: true
}

type Known = Exclude<ChargeState, 'unknown'>

export type Phase =
  | { kind: 'idle' }
  | { kind: 'sending'; ask: Ask }
  /** `charge` is null while not even the first send was answered. */
  | { kind: 'unknown'; ask: Ask; charge: Charge | null; since: number }
  | { [K in Known]: { kind: K; ask: Ask; charge: Charge } }[Known]
  /** The server refused before anything was charged. */
  | { kind: 'refused'; ask: Ask; reason: string; code: string }

export type Happening =
  | { kind: 'asked'; ask: Ask }
  | { kind: 'found'; charge: Charge; now: number }
  | { kind: 'told'; charge: Charge; now: number }
  | { kind: 'refused'; reason: string; code: string }
  | { kind: 'lost'; now: number }
  | { kind: 'next' }

export const IDLE: Phase = { kind: 'idle' }

/** WeChat allows a reversal no earlier than 15 s after the pay call. */
export const REVERSE_AFTER_MS = 15_000

const OPEN = new Set<Phase['kind']>(['sending', 'waiting', 'paying', 'unknown'])
const FINAL = new Set<ChargeState>(['paid', 'reversed'])

/** Another sum came than was asked: a person's case, which no query and no reversal of the till settles. */
export function isHeldSum(phase: Phase): boolean {
  return phase.kind === 'unknown' && phase.charge?.reason_code === 'amount_mismatch'
}

/** Refused because another device's charge is open at this till. */
export function isTillHeld(phase: Phase): boolean {
  return phase.kind === 'refused' && phase.code === 'bill.till_held'
}

/** An open collection holds the till: nothing else may begin. */
export function isOpen(phase: Phase): boolean {
  return OPEN.has(phase.kind) && !isHeldSum(phase)
}

export function step(phase: Phase, what: Happening): Phase {
  switch (what.kind) {
    case 'asked':
      return isOpen(phase) ? phase : { kind: 'sending', ask: what.ask }
    case 'found': {
      if (isOpen(phase)) return phase
      const { charge } = what
      const method = charge.method === 'native' ? 'qr' : 'barcode'
      const ask: Ask = { request_id: '', amount_fen: charge.amount_fen, method, at: charge.created_at, found: true }
      return told({ kind: 'sending', ask }, charge, what.now)
    }
    case 'told':
      return told(phase, what.charge, what.now)
    case 'refused':
      return phase.kind === 'sending' || (phase.kind === 'unknown' && phase.charge === null)
        ? { kind: 'refused', ask: phase.ask, reason: what.reason, code: what.code }
        : phase
    case 'lost':
      // Asked and no answer: it may have been charged.
      return phase.kind === 'sending' ? { kind: 'unknown', ask: phase.ask, charge: null, since: what.now } : phase
    case 'next':
      return isOpen(phase) ? phase : IDLE
  }
}

function told(phase: Phase, charge: Charge, now: number): Phase {
  if (phase.kind === 'idle' || phase.kind === 'refused') return phase
  const known = 'charge' in phase ? phase.charge : null
  if (known && known.id !== charge.id) return phase
  // Answers may arrive out of order: a late "paying" does not undo "paid"; only a reversal follows it.
  if (known && FINAL.has(known.state) && !(known.state === 'paid' && charge.state === 'reversed')) return phase
  // A manager let the till go on without it: the system follows it alone.
  if (charge.aside) return IDLE
  if (charge.state === 'unknown') {
    const since = phase.kind === 'unknown' ? phase.since : now
    return { kind: 'unknown', ask: phase.ask, charge, since }
  }
  return { kind: charge.state, ask: phase.ask, charge }
}
