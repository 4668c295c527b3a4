// The one write-off whose outcome is unknown, kept on this device so that a reload or a flat battery does not lose its id.
import type { Intention } from './flow'

const KEY = 'octshop.clerk.pending'

type Kept = Intention & { shop_id: string }

export function keep(shopId: string, intention: Intention): void {
  localStorage.setItem(KEY, JSON.stringify({ ...intention, shop_id: shopId } satisfies Kept))
}

export function settle(requestId: string): void {
  const kept = read()
  if (kept?.request_id === requestId) localStorage.removeItem(KEY)
}

function read(): Kept | null {
  const text = localStorage.getItem(KEY)
  if (!text) return null
  try {
    const kept = JSON.parse(text) as Partial<Kept>
    return typeof kept.request_id === 'string' && typeof kept.text === 'string' && kept.preview ? (kept as Kept) : null
  } catch {
    return null
  }
}

export function waitingAt(shopId: string): Intention | null {
  const kept = read()
  return kept?.shop_id === shopId ? kept : null
}
