// Loading for pages: one value or a list by cursor, with its fault kept apart from what is already shown.
import { onMounted, onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import type { Page } from '@kit/api/http'

export interface Load<T> {
  data: ShallowRef<T | null>
  fault: ShallowRef<unknown>
  busy: Ref<boolean>
  /** Asks again; what is shown stays until the answer. */
  reload: () => Promise<void>
}

export function useLoad<T>(work: () => Promise<T>): Load<T> {
  const data = shallowRef<T | null>(null)
  const fault = shallowRef<unknown>(null)
  const busy = ref(true)
  let newest = 0

  async function reload(): Promise<void> {
    const mine = ++newest
    busy.value = true
    try {
      const found = await work()
      if (mine !== newest) return
      data.value = found
      fault.value = null
    } catch (failed) {
      if (mine === newest) fault.value = failed
    } finally {
      if (mine === newest) busy.value = false
    }
  }
  onMounted(reload)
  onScopeDispose(() => (newest += 1))
  return { data, fault, busy, reload }
}

export interface List<T> {
  items: ShallowRef<T[]>
  fault: ShallowRef<unknown>
  busy: Ref<boolean>
  /** All pages are here. */
  done: Ref<boolean>
  /** The first page has been answered. */
  ready: Ref<boolean>
  more: () => Promise<void>
  reload: () => Promise<void>
}

export function useList<T>(page: (cursor: string | null) => Promise<Page<T>>): List<T> {
  const items = shallowRef<T[]>([])
  const fault = shallowRef<unknown>(null)
  const busy = ref(false)
  const done = ref(false)
  const ready = ref(false)
  let cursor: string | null = null
  let newest = 0

  async function fetchPage(fresh: boolean): Promise<void> {
    const mine = ++newest
    busy.value = true
    try {
      const found = await page(fresh ? null : cursor)
      if (mine !== newest) return
      items.value = fresh ? found.items : [...items.value, ...found.items]
      cursor = found.next
      done.value = !found.next
      ready.value = true
      fault.value = null
    } catch (failed) {
      if (mine === newest) fault.value = failed
    } finally {
      if (mine === newest) busy.value = false
    }
  }
  const reload = () => fetchPage(true)
  onMounted(reload)
  onScopeDispose(() => (newest += 1))
  return { items, fault, busy, done, ready, reload, more: () => (busy.value || done.value ? Promise.resolve() : fetchPage(false)) }
}
