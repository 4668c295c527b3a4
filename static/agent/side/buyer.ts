// The buyer at the counter: who they are to this shop and what they ordered here.
import { ref, shallowRef, watch } from 'vue'
import { sentence, type Page } from '@kit/api/http'
import type { BuyerOfShop, Order } from '@kit/api/types'
import { api } from '@kit/staff/staff'

export interface BuyerFile {
  buyer: BuyerOfShop | null
  orders: Order[]
  next: string | null
}

export function useBuyer(of: () => { shopId: string; buyerId: string } | null) {
  const file = shallowRef<BuyerFile | null>(null)
  const fault = ref('')
  const loading = ref(false)
  const cache = new Map<string, BuyerFile>()

  async function load(fresh = false, more = false): Promise<void> {
    const whom = of()
    fault.value = ''
    if (!whom) {
      file.value = null
      return
    }
    const key = `${whom.shopId} ${whom.buyerId}`
    const known = cache.get(key) ?? null
    file.value = known
    if (known && !fresh && !more) return
    loading.value = true
    const base = `/shop/${whom.shopId}`
    const still = (): boolean => of()?.buyerId === whom.buyerId && of()?.shopId === whom.shopId
    try {
      const [buyer, page] = await Promise.all([
        more && known ? known.buyer : api.get<BuyerOfShop>(`${base}/buyers/${whom.buyerId}`),
        api.get<Page<Order>>(`${base}/orders`, { buyer_id: whom.buyerId, cursor: more ? known?.next : null }),
      ])
      const loaded = { buyer, orders: more && known ? [...known.orders, ...page.items] : page.items, next: page.next }
      cache.set(key, loaded)
      if (still()) file.value = loaded
    } catch (error) {
      if (still()) fault.value = sentence(error)
    } finally {
      if (still()) loading.value = false
    }
  }

  watch(() => { const whom = of(); return whom ? `${whom.shopId} ${whom.buyerId}` : '' }, () => void load(), { immediate: true })
  return { file, fault, loading, reload: () => load(true), more: () => load(true, true) }
}
