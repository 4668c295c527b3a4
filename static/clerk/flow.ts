// One write-off as a machine: what the clerk sees after a scan, a confirmation, a refusal or silence.
import type { Preview, Redemption } from './api'

/** What is sent to write off; `request_id` is made before the first send and never changes for the same intention. */
export interface Intention {
  request_id: string
  text: string
  scan_token?: string
  uses: number
  /** Kept with the request: the same id must say the same. */
  branch_id: string | null
  preview: Preview
  at: number
}

export type Tone = 'ok' | 'used' | 'bad' | 'queued'

export interface Verdict {
  tone: Tone
  /** The word that stands beside the colour. */
  title: string
  /** Why, by whom, when, what to do. */
  detail: string
  /** Facts, one a line: what, how many left, whose, when. */
  facts: { label: string; value: string }[]
  at: number
  redemption?: Redemption
}

export type Flow =
  | { kind: 'ready' }
  | { kind: 'looking'; text: string }
  | { kind: 'preview'; text: string; scan_token?: string; preview: Preview }
  | { kind: 'writing'; intention: Intention }
  /** No answer: it may have been written off. Only the same intention may be sent again. */
  | { kind: 'unsure'; intention: Intention; tries: number }

/** While one of these stands, a code that comes in is not looked at: first this one is decided. */
export function isBusy(flow: Flow): boolean {
  return flow.kind !== 'ready'
}

/** A refusal stays until the next scan or tap, this long at most. */
export const VERDICT_STAYS_MS = 20_000
/** A success fills the screen this long. */
export const FLASH_MS = 1_500
/** Rests before asking again by itself; after that the clerk decides when. */
export const AGAIN_MS = [1_000, 3_000, 6_000]

/** A genuine code shown too long or replaced by a newer one: refresh and scan again. */
export const STALE = /\.(code_expired|code_burnt|scan_stale)$/

/** Amber: the voucher is real and was used, or its code must be refreshed; grey: come back later; everything else is red. */
export function toneOf(code: string, retry: boolean): Tone {
  if (/\.(fully_used|just_redeemed)$/.test(code) || STALE.test(code)) return 'used'
  if (retry || /\.(too_many_attempts|rate_limited|busy)$/.test(code)) return 'queued'
  return 'bad'
}
