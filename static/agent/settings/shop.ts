// Which shop the settings are about: the one in the address bar, else the one chosen last.
import { computed, type ComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { chooseShop, lastShop, type Post } from '@kit/staff/staff'
import { useWorkplace } from '../workplace'

export interface SettingsShop {
  id: ComputedRef<string>
  post: ComputedRef<Post | undefined>
  /** May this person do that at this shop? */
  may: (right: string) => boolean
  /** A path of this shop's desk for the API: `desk('groups')`. */
  desk: (path: string) => string
  choose: (shopId: string) => Promise<void>
}

export function useSettingsShop(): SettingsShop {
  const route = useRoute()
  const router = useRouter()
  const { posts, may } = useWorkplace()
  const find = (id: unknown): Post | undefined => posts.value.find((one) => one.shop_id === id)
  const post = computed(() => find(route.query.shop) ?? find(lastShop()) ?? posts.value[0])
  const id = computed(() => post.value?.shop_id ?? '')

  async function choose(shopId: string): Promise<void> {
    // A guard may keep the person here: only what has become true is remembered.
    if (await router.push({ query: { ...route.query, shop: shopId } })) return
    chooseShop(shopId)
  }
  return { id, post, choose, may: (right) => may(right, id.value), desk: (path) => `/shop/${id.value}/desk/${path}` }
}
