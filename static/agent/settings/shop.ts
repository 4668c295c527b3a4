// What the settings are about: the shop in the address bar, else the one chosen last; or the platform, for all shops.
import { computed, inject, provide, type ComputedRef, type InjectionKey } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import type { Api } from '@kit/api/http'
import { api, chooseShop, lastShop, session, type Post } from '@kit/staff/staff'
import { useWorkplace } from '../workplace'

export interface SettingsShop {
  /** Of the platform no shop's: what is typed there is kept apart. */
  id: ComputedRef<string>
  /** What is set here lies beneath every shop's own. */
  platform: boolean
  /** Who asks, and in whose name what is typed is kept. */
  api: Api
  person: () => string
  post: ComputedRef<Post | undefined>
  /** May this person do that at this shop? */
  may: (right: string) => boolean
  /** A path of this desk for the API: `desk('groups')`. */
  desk: (path: string) => string
  choose: (shopId: string) => Promise<void>
}

const KEY: InjectionKey<SettingsShop> = Symbol('settings of the platform')
export const providePlatform = (platform: SettingsShop): void => provide(KEY, platform)
const ofStaff = (): string => session.me.value?.person.id ?? ''
/** Forms stand outside the settings too. */
export const usePerson = (): (() => string) => inject(KEY, null)?.person ?? ofStaff

export function useSettingsShop(): SettingsShop {
  const platform = inject(KEY, null)
  if (platform) return platform
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
  return { id, post, choose, platform: false, api, person: ofStaff, may: (right) => may(right, id.value), desk: (path) => `/shop/${id.value}/desk/${path}` }
}
