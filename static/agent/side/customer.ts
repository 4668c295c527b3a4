// What the shop knows of a buyer besides orders: what to call them, labels, earlier service, colleagues' notes.
import { ref, shallowRef, watch } from 'vue'
import { ApiError, sentence, type Page } from '@kit/api/http'
import type { components } from '@kit/api/schema'
import { api } from '@kit/staff/staff'

type Schema = components['schemas']
export type Customer = Schema['ProfileView']
export type Label = Schema['LabelView']
export type Note = Schema['NoteView']

export interface Whom {
  shopId: string
  buyerId: string
  /** Grows when something new was said of them. */
  beat?: number
}

export function useCustomer(of: () => Whom | null) {
  const customer = shallowRef<Customer | null>(null)
  const notes = shallowRef<Note[]>([])
  const labels = shallowRef<Label[]>([])
  const fault = ref('')
  const busy = ref(false)
  const key = (): string => { const whom = of(); return whom ? `${whom.shopId} ${whom.buyerId}` : '' }
  const base = (): string => `/shop/${of()?.shopId ?? ''}/desk`

  async function load(): Promise<void> {
    const asked = key()
    const whom = of()
    fault.value = ''
    if (!whom) return
    try {
      const [profile, noted, known] = await Promise.all([
        api.get<Customer>(`${base()}/buyers/${whom.buyerId}`),
        api.get<Page<Note>>(`${base()}/buyers/${whom.buyerId}/notes`),
        api.get<{ items: Label[] }>(`${base()}/labels`),
      ])
      if (key() !== asked) return
      customer.value = profile
      notes.value = noted.items
      labels.value = known.items
    } catch (error) {
      if (key() === asked && !(error instanceof ApiError && error.status === 404)) fault.value = sentence(error)
    }
  }

  async function change(work: () => Promise<unknown>): Promise<boolean> {
    busy.value = true
    fault.value = ''
    try {
      await work()
      await load()
      return true
    } catch (error) {
      fault.value = sentence(error)
      return false
    } finally {
      busy.value = false
    }
  }

  const remember = (alias: string, text: string): Promise<boolean> => change(() => api.put(`${base()}/buyers/${of()?.buyerId ?? ''}/memo`, { alias, text }))
  const mark = (ids: string[]): Promise<boolean> => change(() => api.put(`${base()}/buyers/${of()?.buyerId ?? ''}/labels`, { label_ids: ids }))

  watch(key, () => {
    customer.value = null
    notes.value = []
    void load()
  }, { immediate: true })
  watch(() => of()?.beat, () => void load())
  return { customer, notes, labels, fault, busy, load, remember, mark }
}
