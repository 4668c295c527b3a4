// Which shop a page of figures is about: in the address, else the first where this person may look.
import { computed, ref } from 'vue'
import { useRoute, useRouter, type LocationQueryRaw } from 'vue-router'
import type { Post } from '@kit/staff/staff'
import { useWorkplace } from '../workplace'

/** A page's filters live in the address: a reload, the back button and a colleague who is sent it see the same. */
export function useAddress() {
  const route = useRoute()
  const router = useRouter()
  const home = route.path
  const one = (name: string): string => {
    const held = route.query[name]
    return typeof held === 'string' ? held : ''
  }
  /** Empty ones leave the address. */
  function put(query: Record<string, string | undefined>, leave = false): void {
    if (route.path !== home) return
    const next: LocationQueryRaw = { ...route.query, ...query }
    for (const [name, value] of Object.entries(next)) if (!value) delete next[name]
    void (leave ? router.push({ path: home, query: next }) : router.replace({ path: home, query: next }))
  }
  return { one, put }
}

/** The shop looked at last: going from the board to the reports stays there. */
const last = ref('')

export function useShop(right: string) {
  const { posts, may } = useWorkplace()
  const { one, put } = useAddress()
  const shops = computed<Post[]>(() => posts.value.filter((post) => may(right, post.shop_id)))
  const shopId = computed({
    get: () => [one('shop'), last.value].find((id) => shops.value.some((post) => post.shop_id === id)) ?? shops.value[0]?.shop_id ?? '',
    set: (id: string) => {
      last.value = id
      put({ shop: id })
    },
  })
  last.value = shopId.value
  return { shops, shopId, manages: computed(() => may('shop.manage', shopId.value)) }
}
