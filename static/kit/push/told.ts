// What a push tells, as our server writes it, and what is shown and opened for it. Pure; the worker and the pages read it.
import en from './worker.en.json'
import zh from './worker.zh-CN.json'

export interface Told {
  c: string
  side: 'buyer' | 'staff'
  shop_id: string
  shop: string
  n: number
  text?: string
}

/** The server counts no further. */
const MOST = 50

/** What was told; null for what is not of ours. */
export function read(text: string): Told | null {
  try {
    const told = JSON.parse(text) as Partial<Told> | null
    const whole = typeof told?.c === 'string' && typeof told.shop_id === 'string' && typeof told.shop === 'string' && typeof told.n === 'number'
    return whole && (told.side === 'buyer' || told.side === 'staff') ? (told as Told) : null
  } catch {
    return null
  }
}

/** One notice for each side of each conversation: a later one takes the place of an earlier. */
export const tagOf = (side: Told['side'], c: string): string => `${side}:${c}`

/** In the language of the device: a lock screen is nobody's page. */
export function words(told: Told | null, languages: readonly string[]): { title: string; body: string; lang: string } {
  const first = languages.find((one) => /^(zh|en)/i.test(one)) ?? 'zh'
  const chinese = /^zh/i.test(first)
  const said = chinese ? zh : en
  const lang = chinese ? 'zh-CN' : 'en'
  if (!told) return { title: said.name, body: said.unknown, lang }
  const body = said[told.n === 1 ? (`${told.side}_one` as const) : told.side].replace('{n}', told.n >= MOST ? `${MOST}+` : String(told.n))
  return { title: told.shop || said.name, body: told.text || body, lang }
}

/** Where its chat is. */
export const placeOf = (told: Told): string =>
  told.side === 'staff' ? `/agent/?c=${encodeURIComponent(told.c)}` : `/shop/chat/${encodeURIComponent(told.shop_id)}`
