// At which of the shop's stores this person stands: the only one, or the one chosen on this device.
import { computed, ref, shallowRef } from 'vue'
import { api, type Post } from './staff'

export interface BranchName {
  id: string
  name: string
  address?: string
}

export function useBranch(post: Post) {
  const key = `octshop.staff.branch.${post.shop_id}`
  const all = shallowRef<BranchName[]>([])
  const chosen = ref(localStorage.getItem(key) ?? '')
  const branches = computed(() => all.value.filter((one) => post.branch_ids.length === 0 || post.branch_ids.includes(one.id)))
  const branch = computed(() => branches.value.find((one) => one.id === chosen.value) ?? (branches.value.length === 1 ? branches.value[0] : undefined) ?? null)

  function choose(id: string): void {
    chosen.value = id
    localStorage.setItem(key, id)
  }

  async function load(): Promise<void> {
    try {
      all.value = (await api.get<{ branches: BranchName[] }>(`/shop/${post.shop_id}/profile`)).branches
    } catch {
      // Only vouchers that are tied to a store need it; the server then asks for it in words.
    }
  }
  void load()
  return { branches, branch, choose }
}
