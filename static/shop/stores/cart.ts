// The cart, kept on this device. Prices in it are a memory of what was seen; the checkout asks the server again.
import { computed, ref, watch } from 'vue'
import type { Picture } from '@kit/api/types'
import { session } from './session'

export interface CartLine {
  sku_id: string
  product_id: string
  shop_id: string
  shop_name: string
  title: string
  spec: string
  seen_fen: number
  picture: Picture
  quantity: number
  chosen: boolean
}

const KEY = 'octshop.cart'

function kept(): CartLine[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]')
    return Array.isArray(found) ? (found as CartLine[]) : []
  } catch {
    return []
  }
}

export const lines = ref<CartLine[]>(kept())
watch(lines, (now) => localStorage.setItem(KEY, JSON.stringify(now)), { deep: true })
// A cart filled before signing in goes with whoever signs in. Whoever leaves takes theirs along: it says what they meant to
// buy, shops are told of it in a chat, and no server keeps it, so there is nowhere to leave it but with the next person.
session.onLeft.push(() => (lines.value = []))

export const count = computed(() => lines.value.reduce((sum, line) => sum + line.quantity, 0))
export const chosen = computed(() => lines.value.filter((line) => line.chosen))
export const chosenFen = computed(() => chosen.value.reduce((sum, line) => sum + line.seen_fen * line.quantity, 0))

export function put(line: Omit<CartLine, 'chosen'>): void {
  const same = lines.value.find((one) => one.sku_id === line.sku_id)
  if (same) Object.assign(same, line, { quantity: Math.min(99, same.quantity + line.quantity), chosen: true })
  else lines.value.unshift({ ...line, chosen: true })
}

export function remove(skuIds: readonly string[]): void {
  lines.value = lines.value.filter((line) => !skuIds.includes(line.sku_id))
}
