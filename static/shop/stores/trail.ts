// What is looked at in one shop, told to that shop alone, and only once one talks to it. Other shops' pages stay one's own.
import { deviceName } from '@kit/auth/device'
import { lines as cart } from './cart'
import type { Product } from '@kit/api/types'
import type { Body } from '@kit/im/types'
import { chat, im, speaking, typed } from './im'
import { session } from './session'

interface Look {
  page: string
  title: string
}

/** A product that was opened, as a card of it is sent. */
export interface Seen {
  b: Body
  seed: string
  hue: number
  shop: string
}
const MOST = 50

/** The products this person has opened on this device, the last first. */
export function lookedAt(): Seen[] {
  return JSON.parse(localStorage.getItem(typed.key('seen')) ?? '[]') as Seen[]
}

export function lookAt(one: Product): void {
  look(one.shop_id, one.title)
  const { seed, hue } = one.picture
  const now: Seen = { b: { id: one.id, title: one.title, price_fen: one.price_fen, picture: `${seed}/${hue}` }, seed, hue, shop: one.shop_name }
  localStorage.setItem(typed.key('seen'), JSON.stringify([now, ...lookedAt().filter((old) => old.b.id !== one.id)].slice(0, MOST)))
}

/** What was looked at last, by shop; for this tab. */
const KEY = 'octshop.looked'
const seen = new Map<string, Look>(JSON.parse(sessionStorage.getItem(KEY) ?? '[]') as [string, Look][])
// What one person looked at is not told as the next one's visit.
session.onLeft.push(() => seen.clear())

function put(shopId: string, { page, title }: Look): void {
  const inside = cart.value.filter((line) => line.shop_id === shopId)
  const body = {
    page, title: title.slice(0, 120), referrer: document.referrer.slice(0, 500), device: deviceName().slice(0, 60),
    cart: {
      count: inside.reduce((sum, line) => sum + line.quantity, 0),
      amount_fen: inside.reduce((sum, line) => sum + line.seen_fen * line.quantity, 0),
      titles: inside.slice(0, 5).map((line) => line.title.slice(0, 120)),
    },
  }
  // A hint for the agent: where it does not arrive, nothing is lost.
  speaking().put(`/buyer/visits/${shopId}`, body).catch(() => undefined)
}

/** A page of this shop is looked at now. */
export function look(shopId: string, title: string): void {
  const now = { page: location.pathname, title }
  seen.set(shopId, now)
  sessionStorage.setItem(KEY, JSON.stringify([...seen].slice(-20)))
  const talks = chat.list.value.some((one) => one.shopId === shopId && (one.entries.length > 0 || one.head > 0))
  if (talks && im.uid) put(shopId, now)
}

/** The chat is open: what was looked at before it; the chat itself, if nothing was. */
export function tellTrail(shopId: string, chatTitle: string): void {
  put(shopId, seen.get(shopId) ?? { page: location.pathname, title: chatTitle })
}
