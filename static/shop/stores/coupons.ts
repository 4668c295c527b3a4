// Claiming: one press is one wish; who has not signed in does so first and comes back to where the coupon is.
import { ref, type Ref } from 'vue'
import { useRouter } from 'vue-router'
import { showToast } from 'vant'
import { sentence, Wish } from '@kit/api/http'
import type { Campaign, Coupon } from '@kit/api/types'
import { say } from '@kit/i18n'
import { api, session } from './session'

export interface Claiming {
  /** How many of each campaign this person has ever claimed. */
  had: Ref<Record<string, number>>
  busy: Ref<string>
  learn: (shopId: string) => Promise<void>
  claim: (one: Campaign) => Promise<boolean>
}

export function useClaiming(): Claiming {
  const router = useRouter()
  const had = ref<Record<string, number>>({})
  const busy = ref('')
  const wishes = new Map<string, Wish>()

  async function learn(shopId: string): Promise<void> {
    await session.start().catch(() => undefined)
    if (!session.me.value) return
    // Without it the button is there all the same, and the server says how many one may have.
    const found = await api.get<{ claimed: Record<string, number> }>(`/buyer/shops/${shopId}/claims`).catch(() => null)
    if (found) had.value = found.claimed
  }

  async function claim(one: Campaign): Promise<boolean> {
    if (busy.value) return false
    if (!session.me.value) {
      await router.push({ name: 'login', query: { next: router.currentRoute.value.fullPath } })
      return false
    }
    busy.value = one.id
    const wish = wishes.get(one.id) ?? new Wish()
    wishes.set(one.id, wish)
    try {
      await wish.run((request_id) => api.post<Coupon>(`/buyer/campaigns/${one.id}/claims`, { request_id }))
      had.value = { ...had.value, [one.id]: (had.value[one.id] ?? 0) + 1 }
      showToast(say('coupon.got'))
      return true
    } catch (fault) {
      showToast(sentence(fault))
      return false
    } finally {
      busy.value = ''
    }
  }
  return { had, busy, learn, claim }
}
