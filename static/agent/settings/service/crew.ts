// The people of a desk and their groups, as lists that are changed row by row.
import { onMounted, ref, shallowRef } from 'vue'
import { sentence } from '@kit/api/http'
import type { components } from '@kit/api/schema'
import { api } from '@kit/staff/staff'
import { useSettingsShop } from '../shop'
import type { Layers } from './layers'

type Schema = components['schemas']
export type Agent = Schema['AgentView']
export type Group = Schema['GroupView']

export function useCrew() {
  const shop = useSettingsShop()
  const agents = shallowRef<Agent[]>([])
  const groups = shallowRef<Group[]>([])
  /** How many rules send buyers to a group. */
  const ruled = shallowRef(new Map<string, number>())
  const ready = ref(false)
  const fault = ref('')
  const busy = ref('')

  async function load(): Promise<void> {
    fault.value = ''
    try {
      const [people, known, layers] = await Promise.all([api.get<Agent[]>(shop.desk('agents')), api.get<Group[]>(shop.desk('groups')), api.get<Layers>(shop.desk('settings/layers'))])
      agents.value = people
      groups.value = known
      const counts = new Map<string, number>()
      for (const rule of layers.holds.rules) if (rule.group_id) counts.set(rule.group_id, (counts.get(rule.group_id) ?? 0) + 1)
      ruled.value = counts
      ready.value = true
    } catch (error) {
      fault.value = sentence(error)
    }
  }
  /** One change of one row; then everything is asked for anew. False: refused, `fault` says why. */
  async function change(row: string, work: () => Promise<unknown>): Promise<boolean> {
    busy.value = row
    fault.value = ''
    try {
      await work()
      await load()
      return true
    } catch (error) {
      fault.value = sentence(error)
      return false
    } finally {
      busy.value = ''
    }
  }
  onMounted(load)
  return {
    agents, groups, ruled, ready, fault, busy, load,
    addGroup: (name: string) => change('new', () => api.post(shop.desk('groups'), { name })),
    rename: (id: string, name: string) => change(id, () => api.put(shop.desk(`groups/${id}`), { name })),
    close: (id: string) => change(id, () => api.del(shop.desk(`groups/${id}`))),
  }
}
