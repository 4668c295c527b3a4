// How a shop answers by itself: one row at the server, saved whole. A part changes its own fields of what holds now, so
// that two parts open in two windows do not undo each other.
import type { components } from '@kit/api/schema'
import { api } from '@kit/staff/staff'
import type { SettingsShop } from '../shop'

type Schemas = components['schemas']
export type Answers = Schemas['SettingsView']
export type Welcome = Schemas['Welcome']
export type Faq = Schemas['FaqView']
export type Keyword = Schemas['KeywordView']
export type Quick = Schemas['QuickView']
export type Tried = Schemas['Tried']
type Wish = Schemas['SettingsWish']

export const loadAnswers = (shop: SettingsShop): Promise<Answers> => api.get<Answers>(shop.desk('answers'))

export async function saveAnswers(shop: SettingsShop, fresh: Partial<Wish>): Promise<Answers> {
  const { on, sure, unsure, unknown_to_person, assistant, welcomes, synonyms } = await loadAnswers(shop)
  return api.put<Answers>(shop.desk('answers'), { on, sure, unsure, unknown_to_person, assistant, welcomes, synonyms, ...fresh })
}

export const loadFaqs = (shop: SettingsShop): Promise<Schemas['Faqs']> => api.get<Schemas['Faqs']>(shop.desk('faqs'))

/** Names in braces that nobody will fill in. */
export const strangers = (text: string, known: readonly string[]): string[] =>
  [...text.matchAll(/\{([a-zA-Z_]{1,20})\}/g)].map(([, name = '']) => name).filter((name) => !known.includes(name))

/** As a buyer would read it; what is not known is left out together with the sign before it, as the server does. */
export function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{(\w+)\}/g, (all, name: string) => values[name] || all).replace(/[ ，,]?\{(?:shop|buyer|title|order|agent)\}/g, '').trim()
}
