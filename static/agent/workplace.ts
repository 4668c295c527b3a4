// What every part of the desk needs at hand: the chat client, the shops this person answers for, names of colleagues.
import { computed, inject, provide, shallowReactive, type ComputedRef, type InjectionKey } from 'vue'
import type { ImClient } from '@kit/im/client'
import { liveIm, type LiveIm } from '@kit/im/live'
import { openDesk, type Desk } from './cases/desk'
import type { Post } from '@kit/staff/staff'

export interface Workplace {
  im: ImClient
  live: LiveIm
  posts: ComputedRef<Post[]>
  shopName: (shopId: string) => string
  /** More than one shop: rows say which. */
  manyShops: ComputedRef<boolean>
  /** Whether this person holds a right there (any shop when none is named). */
  may: (right: string, shopId?: string) => boolean
  /** Colleagues by person id, filled by whoever learns a name. */
  names: Map<string, string>
  desk: Desk
}

const KEY: InjectionKey<Workplace> = Symbol('workplace')

export function openWorkplace(im: ImClient, posts: () => Post[]): Workplace {
  const list = computed(posts)
  const shops = computed(() => new Map(list.value.map((post) => [post.shop_id, post])))
  const bare: Omit<Workplace, 'desk'> = {
    im,
    live: liveIm(im),
    posts: list,
    shopName: (shopId) => shops.value.get(shopId)?.shop_name ?? '',
    manyShops: computed(() => list.value.length > 1),
    may: (right, shopId) => list.value.some((post) => (!shopId || post.shop_id === shopId) && post.rights.includes(right)),
    names: shallowReactive(new Map<string, string>()),
  }
  const place: Workplace = { ...bare, desk: openDesk(bare) }
  provide(KEY, place)
  return place
}

export function useWorkplace(): Workplace {
  const place = inject(KEY)
  if (!place) throw new Error('outside the agent desk')
  return place
}
