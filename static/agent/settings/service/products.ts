// The shop's products by name, for rules that name one.
import { onScopeDispose, ref, shallowReactive } from 'vue'
import { ApiError, type Page } from '@kit/api/http'
import type { Product, ProductCard } from '@kit/api/types'
import { api } from '@kit/staff/staff'

const REST_MS = 200

export function useProducts(shopId: () => string) {
  const found = ref<{ id: string; title: string }[]>([])
  const busy = ref(false)
  const titles = shallowReactive(new Map<string, string>())
  let timer = 0
  let newest = 0

  async function ask(words: string): Promise<void> {
    const mine = ++newest
    busy.value = true
    try {
      const page = await api.get<Page<ProductCard>>('/buyer/products', { shop_id: shopId(), q: words.trim().slice(0, 40) })
      if (mine !== newest) return
      found.value = page.items.map(({ id, title }) => ({ id, title }))
      for (const one of found.value) titles.set(one.id, one.title)
    } catch {
      if (mine === newest) found.value = []
    } finally {
      if (mine === newest) busy.value = false
    }
  }
  function search(words: string): void {
    window.clearTimeout(timer)
    timer = window.setTimeout(() => void ask(words), found.value.length ? REST_MS : 0)
  }
  /** Learns what a product is called; one that is sold no more has no name ('' ). */
  async function learn(id: string): Promise<void> {
    if (titles.has(id)) return
    try {
      titles.set(id, (await api.get<Product>(`/buyer/products/${id}`)).title)
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) titles.set(id, '')
    }
  }
  onScopeDispose(() => window.clearTimeout(timer))
  return { found, busy, titles, search, learn }
}
