// Whether this browser has asked to be told while nobody is here: for whom, and under which name the server knows it.
import type { Api, Audience } from '@kit/api/http'

export interface Subscribed {
  endpoint: string
  p256dh: string
  auth: string
}
export interface Kept {
  id: string
  person: string
  /** Whoever signs in here goes on as the guest they were. */
  guest: boolean
  /** The words themselves may stand on the lock screen. */
  preview?: boolean
  /** What the simulator of a trial gave; a browser keeps its own. */
  simulated?: Subscribed
}

/** Signing out does not wait longer for the server to forget the device: with its session it will. */
const PATIENCE_MS = 2_500
const keyOf = (audience: Audience): string => `octshop.push.${audience}`

export function kept(audience: Audience): Kept | null {
  try {
    return JSON.parse(localStorage.getItem(keyOf(audience)) ?? 'null') as Kept | null
  } catch {
    return null
  }
}

export function keep(audience: Audience, one: Kept | null): void {
  if (one) localStorage.setItem(keyOf(audience), JSON.stringify(one))
  else localStorage.removeItem(keyOf(audience))
}

/** Before a sign-out, on whichever page of this audience it happens. */
export async function leave(api: Api): Promise<void> {
  const one = kept(api.audience)
  keep(api.audience, null)
  if (!one) return
  const dropped = api.del(`/${api.audience}/push/${one.id}`).catch(() => undefined)
  await Promise.race([dropped, new Promise((done) => window.setTimeout(done, PATIENCE_MS))])
}
