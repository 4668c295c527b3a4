// Pages that are fetched when they are opened, and cannot be: the network is away, or a newer build has replaced them.
import { shallowRef } from 'vue'
import type { Router } from 'vue-router'

/** The address that could not be opened; empty while all is well. */
export const unopened = shallowRef('')
const KEY = 'octshop.reopened'
const AGAIN_MS = 10_000

/** Each browser has its own sentence for it; the preload of styles has one more. */
const missed = (fault: unknown): boolean =>
  fault instanceof Error && /dynamically imported module|importing a module script|unable to preload/i.test(fault.message)

export function watchPages(router: Router): void {
  router.onError((fault, to) => {
    if (!missed(fault)) return
    const { href } = router.resolve(to.fullPath)
    // Loaded afresh a moment ago, and still not there: once more by itself would be for ever.
    const [last, at] = (sessionStorage.getItem(KEY) ?? '').split(' ')
    if (last === href && Date.now() - Number(at) < AGAIN_MS) unopened.value = href
    else void reopen(href)
  })
  router.afterEach((_to, _from, failure) => {
    if (!failure) unopened.value = ''
  })
}

/** Loads the address afresh, which also brings a newer build, if the server can be reached at all. */
export async function reopen(href: string): Promise<void> {
  const there = await fetch(href, { method: 'HEAD', cache: 'no-store' }).then((answer) => answer.ok, () => false)
  if (!there) return void (unopened.value = href)
  sessionStorage.setItem(KEY, `${href} ${Date.now()}`)
  location.assign(href)
}
