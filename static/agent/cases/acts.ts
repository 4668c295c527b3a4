// What an agent does with a case. Each press is one wish: pressed twice, or sent again after a cut, it happens once.
import { ref } from 'vue'
import { ApiError, sentence, Wish } from '@kit/api/http'
import { api } from '@kit/staff/staff'
import type { Desk } from './desk'
import type { CaseView } from './types'

export type Aim = { agent_id: string } | { group_id: string } | { queue: true } | { platform: true } | { shop: true }

export function useActs(desk: Desk) {
  const busy = ref(false)
  const fault = ref('')
  const wishes = new Map<string, Wish>()

  /** Resolves with whether it happened; why not stands in `fault`. */
  async function act(one: CaseView, name: string, body: object = {}): Promise<CaseView | null> {
    const key = `${one.id} ${name} ${JSON.stringify(body)}`
    const wish = wishes.get(key) ?? new Wish()
    wishes.set(key, wish)
    busy.value = true
    fault.value = ''
    try {
      const done = await wish.run((request_id) => api.post<CaseView>(`/shop/${one.shop_id}/desk/cases/${one.id}/${name}`, { request_id, ...body }))
      desk.took(done)
      return done
    } catch (error) {
      fault.value = sentence(error)
      // A colleague was faster: what is shown is old.
      if (error instanceof ApiError && error.status === 409) desk.refresh(one.shop_id)
      return null
    } finally {
      busy.value = false
    }
  }

  return {
    busy,
    fault,
    accept: (one: CaseView) => act(one, 'accept'),
    reopen: (one: CaseView) => act(one, 'reopen'),
    end: (one: CaseView, resolved: boolean | null) => act(one, 'end', { resolved }),
    transfer: (one: CaseView, aim: Aim, note: string) => act(one, 'transfer', { ...aim, note }),
    invite: (one: CaseView, agentId: string, note: string) => act(one, 'invite', { agent_id: agentId, note }),
    whisper: (one: CaseView, text: string) => act(one, 'whisper', { text }),
    takeOver: (one: CaseView) => act(one, 'take-over'),
  }
}
export type Acts = ReturnType<typeof useActs>
