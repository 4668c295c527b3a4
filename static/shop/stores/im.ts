// The buyer's chat: of whoever is signed in, or of the guest this browser is.
import { effectScope, ref, watch } from 'vue'
import { ApiError } from '@kit/api/http'
import { deviceId } from '@kit/auth/device'
import { Guest } from '@kit/auth/guest'
import { sweep } from '@kit/auth/traces'
import { Courier, shelf } from '@kit/chat/courier'
import type { FileDoor } from '@kit/chat/door'
import { language } from '@kit/i18n'
import { ImClient } from '@kit/im/client'
import { liveIm } from '@kit/im/live'
import { forgetSaid } from '@kit/service/said'
import { Typed } from '@kit/service/typed'
import { session } from './session'

const guest = new Guest()
export const im = new ImClient({ ticket: () => (session.me.value ? session.ticket() : guestTicket()), device: deviceId(), app: 'shop', side: 'buyer', lang: language })

/** The platform's own service is a shop to chat with, and sells nothing. */
export const OFFICIAL = 'platform'

/** Drafts, each under its person. */
export const typed = new Typed('octshop.typed')

session.onLeft.push((person) => {
  typed.forget(person)
  // What they looked at, chose in chats and meant to buy, too; and the number they signed in with.
  forgetSaid()
  sweep(['octshop.looked', 'octshop.rating.later', 'octshop.cart', 'octshop.phone'])
  void Promise.all([im.drop(person), shelf.forget(person)]).catch(() => undefined)
})

/** What goes with whoever signs out: messages and files on their way, words half written. */
export const unsaid = async (person: string): Promise<number> => (await im.countUnsent()) + (await shelf.count(person)) + typed.count(['draft.', 'leave.'])

/** Whether somebody who has not signed in has chatted in this browser. */
export const isGuest = (): boolean => guest.id !== ''
export const guestId = (): string => guest.id

/** Who was a guest here until now keeps what was said, and what is still on its way. */
async function join(person: string): Promise<void> {
  const was = guest.id
  await guest.recognised(session.api)
  if (was && !guest.id) await Promise.all([im.inherit(was, person), shelf.adopt(was, person)])
  if (session.me.value?.person.id === person) im.start(person)
}

let joining: Promise<void> = Promise.resolve()

/** Raised when the guest of this browser has begun anew: who has a chat open comes in again. */
export const renewals = ref(0)

async function guestTicket(): Promise<string> {
  try {
    return await guest.ticket()
  } catch (refusal) {
    // A guest's time is over, or they were forgotten elsewhere. The line stops on this refusal; then they begin anew.
    if (refusal instanceof ApiError && refusal.status === 401) window.setTimeout(() => (joining = renew().catch(() => undefined)), 0)
    throw refusal
  }
}

/** The same person in the same browser: what they had not sent goes on in their new name. */
async function renew(): Promise<void> {
  const was = guest.id
  await guest.renew()
  await Promise.all([im.inherit(was, guest.id), shelf.adopt(was, guest.id)])
  if (session.me.value) return
  for (const courier of couriers.values()) courier.forget()
  im.stop()
  im.start(guest.id)
  renewals.value += 1
}

/** In whose name a chat's page asks. */
export const speaking = () => (session.me.value ? session.api : guest.api)

export const door: FileDoor = { api: speaking, path: '/buyer/files' }
const couriers = new Map<string, Courier>()

/** Carries files into the chat with a shop, whichever page is open meanwhile. */
export function courierOf(shop: string): Courier {
  const say = async (...said: Parameters<Courier['options']['say']>): Promise<unknown> => {
    const [k, b, m] = said
    return im.send(await im.open(shop), k, b, undefined, m)
  }
  const known = couriers.get(shop) ?? new Courier({ door, shop, uid: () => im.uid, say })
  couriers.set(shop, known)
  return known
}

/** Before a chat: whoever has not signed in chats as a guest. */
export async function comeIn(): Promise<void> {
  await session.start().catch(() => undefined)
  // A member's chat begins once it is known which guest they were: else they would start anew beside it.
  await joining
  if (!session.me.value) im.start(await guest.come())
  // Whoever comes in again tries again.
  if (im.connection.phase === 'stopped') im.retryNow()
}

const scope = effectScope(true)
export const chat = scope.run(() => {
  watch(
    () => session.me.value?.person.id,
    (person) => {
      for (const courier of couriers.values()) courier.forget()
      im.stop()
      if (person) joining = join(person).catch(() => undefined)
      else if (guest.id) im.start(guest.id)
    },
    { immediate: true, flush: 'sync' },
  )
  watch([session.known, () => session.me.value?.person.id], ([known, person]) => known && typed.is(person), { immediate: true, flush: 'sync' })
  const live = liveIm(im)
  // A socket that was put out for good may mean that the session has ended elsewhere: ask.
  watch(
    () => live.connection.value.phase,
    (phase) => phase === 'stopped' && session.me.value && void session.refresh().catch(() => undefined),
  )
  return live
})!
