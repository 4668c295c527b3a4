// Where the files of a conversation are kept, as whoever looks may reach them: a cookie goes by itself, a guest's
// token does not, so that what a guest sees is fetched by the page and shown from memory.
import { onBeforeUnmount, ref, watch, type Ref } from 'vue'
import type { Api } from '@kit/api/http'

export interface FileDoor {
  /** In whose name it is asked; may change when somebody signs in. */
  api: () => Api
  /** Below the server's root of answers: `/buyer/files`. */
  path: string
}

export const pathOf = (door: FileDoor, id: string, small = false): string => `${door.path}/${id}${small ? '/thumbnail' : ''}`

export interface Source {
  /** For `src` and `href`; empty until it is there. */
  url: Ref<string>
  fault: Ref<boolean>
  /** Fetches it, again after a fault. */
  load: () => Promise<string>
}

/** One file for one element. `at: 'once'` fetches when drawn, `'asked'` with `load` alone. */
export function useSource(door: () => FileDoor, id: () => string | undefined, how: { small?: boolean; at: 'once' | 'asked' }): Source {
  const url = ref('')
  const fault = ref(false)
  let gone = false

  function clear(): void {
    if (url.value.startsWith('blob:')) URL.revokeObjectURL(url.value)
    url.value = ''
  }

  async function load(): Promise<string> {
    const wanted = id()
    fault.value = false
    if (!wanted) return ''
    const api = door().api()
    const path = pathOf(door(), wanted, how.small)
    if (!api.bearer) return (url.value = api.address(path))
    if (url.value) return url.value
    try {
      const held = await (await api.file(path)).blob()
      if (!gone && id() === wanted) url.value = URL.createObjectURL(held)
    } catch {
      fault.value = true
    }
    return url.value
  }

  watch(id, () => {
    clear()
    if (how.at === 'once') void load()
  }, { immediate: true })
  onBeforeUnmount(() => {
    gone = true
    clear()
  })
  return { url, fault, load }
}

/** Saves a file under its name. */
export async function save(door: FileDoor, id: string, name: string): Promise<void> {
  const api = door.api()
  const link = document.createElement('a')
  link.download = name
  link.href = api.bearer ? URL.createObjectURL(await (await api.file(pathOf(door, id))).blob()) : api.address(pathOf(door, id))
  link.click()
  if (api.bearer) window.setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
