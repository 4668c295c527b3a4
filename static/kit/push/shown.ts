// Notices that stand on this device: pressed, they lead an open page to the chat; read, they go.
import { onScopeDispose, watch } from 'vue'
import type { Router } from 'vue-router'
import { tagOf, type Told } from './told'

/** Call once at the start of a page. */
export function follow(router: Router, root: '/shop/' | '/agent/'): void {
  if (!('serviceWorker' in navigator)) return
  navigator.serviceWorker.addEventListener('message', (event: MessageEvent<{ octshop?: string; path?: string } | null>) => {
    const path = event.data?.octshop === 'open' ? event.data.path : ''
    if (path?.startsWith(root)) void router.push(path.slice(root.length - 1))
  })
}

/** While the conversation is in front, its notice is none any more. */
export function clearWhileSeen(side: Told['side'], c: () => string): void {
  if (!('serviceWorker' in navigator) || !('Notification' in window) || Notification.permission !== 'granted') return
  const clear = async (): Promise<void> => {
    if (document.visibilityState !== 'visible' || !c()) return
    const registration = await navigator.serviceWorker.getRegistration()
    for (const one of (await registration?.getNotifications({ tag: tagOf(side, c()) })) ?? []) one.close()
  }
  const again = (): void => void clear().catch(() => undefined)
  watch(c, again, { immediate: true })
  document.addEventListener('visibilitychange', again)
  onScopeDispose(() => document.removeEventListener('visibilitychange', again))
}
