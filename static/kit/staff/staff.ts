// Who of a shop's staff works on this page, and where: the session, the shops this person may work at, the one chosen.
import { computed, ref } from 'vue'
import { staffSession, type Credentials } from '@kit/auth/session'
import { sweep } from '@kit/auth/traces'
import type { Grant, TillRef } from '@kit/api/types'

export const session = staffSession()
/** What was typed and not sent at the desk, in the settings, in checks. A clerk's unfinished use of a voucher stays: it has to be settled. */
session.onLeft.push(() => sweep(['octshop.agent.drafts', 'octshop.agent.settings', 'octshop.check.']))
export const api = session.api
export const personName = computed(() => session.me.value?.person.nickname ?? '')

/** Where somebody signs in; without `sendCode` by password alone. */
export interface Door {
  signIn: (credentials: Credentials) => Promise<unknown>
  sendCode?: (phone: string) => Promise<void>
}

/** All of a person's grants at one shop, added up. */
export interface Post {
  merchant_id: string
  shop_id: string
  shop_name: string
  /** The branches this person works at; empty means all of the shop's. */
  branch_ids: string[]
  roles: string[]
  rights: string[]
  tills: TillRef[]
}

export function postsOf(grants: readonly Grant[], right: string): Post[] {
  const posts = new Map<string, Post>()
  for (const grant of grants) {
    if (!grant.rights.some((held) => held === right)) continue
    const post = posts.get(grant.shop_id) ?? {
      merchant_id: grant.merchant_id,
      shop_id: grant.shop_id,
      shop_name: grant.shop_name,
      branch_ids: grant.branch_id === null ? [] : [grant.branch_id],
      roles: [],
      rights: [],
      tills: [],
    }
    if (grant.branch_id === null) post.branch_ids = []
    else if (posts.has(grant.shop_id) && post.branch_ids.length > 0) post.branch_ids = [...new Set([...post.branch_ids, grant.branch_id])]
    post.roles = [...new Set([...post.roles, grant.role])]
    post.rights = [...new Set([...post.rights, ...grant.rights])]
    for (const till of grant.tills) if (!post.tills.some((known) => known.id === till.id)) post.tills.push(till)
    posts.set(grant.shop_id, post)
  }
  return [...posts.values()]
}

const SHOP_KEY = 'octshop.staff.shop'
const shopId = ref(localStorage.getItem(SHOP_KEY) ?? '')

export function chooseShop(id: string): void {
  shopId.value = id
  localStorage.setItem(SHOP_KEY, id)
}

/** The one chosen last on this device, whether or not this person works there. */
export function lastShop(): string {
  return shopId.value
}

export function leaveShop(): void {
  chooseShop('')
}

/** The place of work: the chosen shop, or the only one there is. */
export function usePost(right: string) {
  const posts = computed(() => postsOf(session.me.value?.grants ?? [], right))
  const post = computed(() => posts.value.find((one) => one.shop_id === shopId.value) ?? (posts.value.length === 1 ? posts.value[0] : undefined) ?? null)
  return { posts, post }
}
