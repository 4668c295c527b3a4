// Ready answers of the shop and of this agent: found by what is typed (title, text, code, first letters of the sound),
// filled in by the server with the names of this conversation.
import { reactive, ref } from 'vue'
import { sentence } from '@kit/api/http'
import { api } from '@kit/staff/staff'

export interface Canned {
  id: string
  title: string
  text: string
  code: string
  letters: string
  used: number
  own: boolean
}
interface Told {
  items: (Omit<Canned, 'own'> & { whose: 'shop' | 'mine'; category: string })[]
}

const MOST_SHOWN = 30
const FRESH_MS = 60_000
const known = reactive(new Map<string, { at: number; list: Canned[] }>())

/** How well it fits; 0: not at all. */
export function fits(one: Canned, words: string): number {
  if (!words) return 1
  const wanted = words.toLowerCase()
  if (one.code && one.code === wanted) return 6
  if (one.code.startsWith(wanted)) return 5
  if (one.title.toLowerCase().startsWith(wanted)) return 4
  if (one.letters.startsWith(wanted)) return 3
  if (one.title.toLowerCase().includes(wanted)) return 2
  return one.text.toLowerCase().includes(wanted) || one.letters.includes(wanted) ? 1 : 0
}

export function useCanned(shopId: () => string, c: () => string) {
  const loading = ref(false)
  const fault = ref('')

  async function load(fresh = false): Promise<void> {
    const shop = shopId()
    const held = known.get(shop)
    if (loading.value || !shop || (held && !fresh && Date.now() - held.at < FRESH_MS)) return
    loading.value = true
    fault.value = ''
    try {
      const told = await api.get<Told>(`/shop/${shop}/desk/quick-replies`)
      known.set(shop, { at: Date.now(), list: told.items.map((one) => ({ ...one, own: one.whose === 'mine' })) })
    } catch (error) {
      fault.value = sentence(error)
    } finally {
      loading.value = false
    }
  }

  function search(words: string): Canned[] {
    const list = known.get(shopId())?.list ?? []
    const scored = list.map((one) => ({ one, score: fits(one, words) })).filter(({ score }) => score > 0)
    return scored.sort((a, b) => b.score - a.score || b.one.used - a.one.used).slice(0, MOST_SHOWN).map(({ one }) => one)
  }

  /** The text for the field; where the server cannot be asked, as it stands. */
  async function fill(one: Canned): Promise<string> {
    try {
      return (await api.post<{ text: string }>(`/shop/${shopId()}/desk/quick-replies/${one.id}/filled`, { c: c() })).text
    } catch {
      return one.text
    }
  }

  return { loading, fault, load, search, fill }
}
