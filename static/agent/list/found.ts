// What was said in the shops' conversations: asked of the server when the hand rests.
import { onScopeDispose, ref, shallowRef, watch } from 'vue'
import { ApiError, sentence, type Page } from '@kit/api/http'
import type { components } from '@kit/api/schema'
import { api } from '@kit/staff/staff'

export type Hit = components['schemas']['Hit']
const REST_MS = 350
const FEWEST = 2
const MOST = 30

export function useFound(words: () => string, shops: () => string[]) {
  const hits = shallowRef<Hit[]>([])
  const busy = ref(false)
  const fault = ref('')
  let timer = 0

  async function look(asked: string): Promise<void> {
    busy.value = true
    fault.value = ''
    try {
      const pages = await Promise.all(shops().map((shop) => api.get<Page<Hit>>(`/shop/${shop}/desk/search`, { q: asked })))
      if (asked === words().trim()) hits.value = pages.flatMap((page) => page.items).sort((a, b) => b.ts - a.ts).slice(0, MOST)
    } catch (error) {
      // Nothing but signs was typed: there is nothing to find.
      if (!(error instanceof ApiError && error.status < 500 && error.status !== 429)) fault.value = sentence(error)
    } finally {
      busy.value = false
    }
  }

  watch(() => words().trim(), (asked) => {
    window.clearTimeout(timer)
    hits.value = []
    if (asked.length >= FEWEST) timer = window.setTimeout(() => void look(asked), REST_MS)
  })
  onScopeDispose(() => window.clearTimeout(timer))
  return { hits, busy, fault }
}
