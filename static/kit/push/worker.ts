// The service worker of notices: shows what a push tells, and leads to its chat when it is pressed. It keeps no pages.
import { placeOf, read, tagOf, words, type Told } from './told'

// The type library of workers and that of pages exclude each other: what is used here is named.
interface Lasting extends Event {
  waitUntil(work: Promise<unknown>): void
}
interface Pushed extends Lasting {
  readonly data: { text(): string } | null
}
interface Pressed extends Lasting {
  readonly notification: Notification
}
interface Tab {
  readonly url: string
  focus(): Promise<Tab>
  postMessage(said: object): void
}
interface Scope {
  readonly registration: ServiceWorkerRegistration
  readonly clients: {
    claim(): Promise<void>
    matchAll(of: { type: 'window'; includeUncontrolled: boolean }): Promise<readonly Tab[]>
    openWindow(path: string): Promise<Tab | null>
  }
  skipWaiting(): Promise<void>
  addEventListener(name: 'install' | 'activate', hear: (event: Lasting) => void): void
  addEventListener(name: 'push', hear: (event: Pushed) => void): void
  addEventListener(name: 'notificationclick', hear: (event: Pressed) => void): void
}
const scope = self as unknown as Scope

async function show(text: string): Promise<void> {
  const told = read(text)
  const { title, body, lang } = words(told, navigator.languages)
  const tag = told ? tagOf(told.side, told.c) : 'octshop'
  // A word after the last one was read is news again, even where the older notice still stands.
  await scope.registration.showNotification(title, { body, lang, tag, icon: '/icon.svg', data: told, ...{ renotify: true } })
}

/** A page of that side that is open comes to the front and goes there by itself, so that nothing in it is lost. */
async function open(told: Told | null): Promise<void> {
  const path = told ? placeOf(told) : '/shop/messages'
  const root = path.slice(0, path.indexOf('/', 1) + 1)
  const tabs = (await scope.clients.matchAll({ type: 'window', includeUncontrolled: true })).filter((tab) => new URL(tab.url).pathname.startsWith(root))
  const tab = tabs.find((one) => one.url.endsWith(path)) ?? tabs[0]
  if (!tab) return void (await scope.clients.openWindow(path))
  tab.postMessage({ octshop: 'open', path })
  await tab.focus().catch(() => undefined)
}

scope.addEventListener('install', (event) => event.waitUntil(scope.skipWaiting()))
scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()))
scope.addEventListener('push', (event) => event.waitUntil(show(event.data?.text() ?? '')))
scope.addEventListener('notificationclick', (event) => {
  event.notification.close()
  event.waitUntil(open(event.notification.data as Told | null))
})
