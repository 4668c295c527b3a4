// Lists of the settings' parts: loaded, filtered by what stands in the address bar, one row changed at a time.
import { computed, onMounted, ref, shallowRef, type WritableComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { sentence } from '@kit/api/http'

/** A filter that lives in the address bar; empty is left out. */
export function useQuery<T extends string>(name: string, fallback: T): WritableComputedRef<T> {
  const route = useRoute()
  const router = useRouter()
  return computed({
    get: () => (typeof route.query[name] === 'string' ? route.query[name] : fallback) as T,
    set: (value) => void router.replace({ query: { ...route.query, [name]: value && value !== fallback ? value : undefined } }),
  })
}

export interface Rows<T> {
  rows: ReturnType<typeof shallowRef<T | null>>
  fault: ReturnType<typeof ref<string>>
  /** What could not be done to a row. */
  wrong: ReturnType<typeof ref<string>>
  /** The row something is being done to. */
  busy: ReturnType<typeof ref<string>>
  load: () => Promise<void>
  /** Does it and reads the list again; false: `wrong` says why. */
  act: (id: string, work: () => Promise<unknown>) => Promise<boolean>
}

/** Something listed that is read again after every change. */
export function useRows<T>(read: () => Promise<T>): Rows<T> {
  const rows = shallowRef<T | null>(null)
  const fault = ref('')
  const wrong = ref('')
  const busy = ref('')

  async function load(): Promise<void> {
    fault.value = ''
    try {
      rows.value = await read()
    } catch (error) {
      fault.value = sentence(error)
    }
  }
  async function act(id: string, work: () => Promise<unknown>): Promise<boolean> {
    busy.value = id
    wrong.value = ''
    try {
      await work()
      await load()
      return true
    } catch (error) {
      wrong.value = sentence(error)
      return false
    } finally {
      busy.value = ''
    }
  }
  onMounted(load)
  return { rows, fault, wrong, busy, load, act }
}
