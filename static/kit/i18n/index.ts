// The two languages of every page: zh-CN and en, loaded when needed, kept on this device, told to the server.
import { createI18n, type I18n } from 'vue-i18n'
import { SHOP_ZONE } from './day'

export type Lang = 'zh-CN' | 'en'
type Words = Record<string, unknown>
type Loader = () => Promise<{ default: Words }>
/** One loader a language, e.g. { 'zh-CN': () => import('./locales/zh-CN.json'), en: … } */
export type Loaders = Readonly<Record<Lang, Loader>>

const KEY = 'octshop.lang'
const kitWords: Loaders = {
  'zh-CN': () => import('./kit.zh-CN.json'),
  en: () => import('./kit.en.json'),
}
const numbers = {
  count: { style: 'decimal', maximumFractionDigits: 0 },
} as const
/** The shops' zone: what a till, a voucher or an order calls "today" and "14:32" is theirs, wherever the device is. */
const zone = { timeZone: SHOP_ZONE, hourCycle: 'h23' } as const
const dates = {
  day: { ...zone, year: 'numeric', month: '2-digit', day: '2-digit' },
  minute: { ...zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' },
  month_day: { ...zone, month: '2-digit', day: '2-digit' },
  short: { ...zone, month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' },
  clock: { ...zone, hour: '2-digit', minute: '2-digit' },
  seconds: { ...zone, hour: '2-digit', minute: '2-digit', second: '2-digit' },
} as const

/** The language this device last chose, else the browser's first wish that we have. */
export function preferred(): Lang {
  const kept = localStorage.getItem(KEY)
  if (kept === 'zh-CN' || kept === 'en') return kept
  for (const wish of navigator.languages) {
    if (wish.toLowerCase().startsWith('zh')) return 'zh-CN'
    if (wish.toLowerCase().startsWith('en')) return 'en'
  }
  return 'zh-CN'
}

export const i18n = createI18n({
  legacy: false,
  locale: 'zh-CN' as string,
  fallbackLocale: 'zh-CN',
  missingWarn: import.meta.env.DEV,
  fallbackWarn: false,
  numberFormats: { 'zh-CN': numbers, en: numbers },
  datetimeFormats: { 'zh-CN': dates, en: dates },
}) as I18n<Record<string, Words>, Record<string, typeof dates>, Record<string, typeof numbers>, string, false>

let app: Loaders | null = null
const parts: Loaders[] = []
const loaded = new Set<Lang>()
const listeners = new Set<(lang: Lang) => void>()

async function load(lang: Lang): Promise<void> {
  if (loaded.has(lang)) return
  const [kit, own] = await Promise.all([kitWords[lang](), app?.[lang]()])
  i18n.global.setLocaleMessage(lang, { ...kit.default, ...own?.default })
  // From here on `addWords` adds to this language itself, so a part that comes meanwhile is not forgotten.
  loaded.add(lang)
  await Promise.all(parts.map((words) => merge(lang, words)))
}

async function merge(lang: Lang, words: Loaders): Promise<void> {
  i18n.global.mergeLocaleMessage(lang, (await words[lang]()).default)
}

/** The words of a part of the app that is loaded when it is opened; both languages have them from then on. */
export async function addWords(words: Loaders): Promise<void> {
  if (parts.includes(words)) return
  parts.push(words)
  await Promise.all([...loaded].map((lang) => merge(lang, words)))
}

export function language(): Lang {
  return i18n.global.locale.value === 'en' ? 'en' : 'zh-CN'
}

export async function setLanguage(lang: Lang, keep = true): Promise<void> {
  await load(lang)
  i18n.global.locale.value = lang
  document.documentElement.lang = lang
  if (keep) localStorage.setItem(KEY, lang)
  for (const listener of listeners) listener(lang)
}

/** Told after each change; for component libraries with words of their own. */
export function onLanguage(listener: (lang: Lang) => void): void {
  listeners.add(listener)
  listener(language())
}

/** Call once before the page mounts: `await startI18n({ 'zh-CN': …, en: … }); app.use(i18n)`. */
export async function startI18n(words: Loaders): Promise<void> {
  app = words
  await setLanguage(preferred(), false)
}

/** The language's own word for a key, outside components. */
export function say(key: string, data: Record<string, unknown> = {}): string {
  return i18n.global.t(key, data)
}
