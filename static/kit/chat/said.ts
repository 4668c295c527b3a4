// An entry in one line of words: for lists, quotes and notifications.
import type { Entry } from '@kit/im/types'

type Say = (key: string, data?: Record<string, unknown>) => string

const CARDS = new Set(['product', 'order', 'coupon', 'aftersale'])
const KINDS = new Set(['image', 'voice', 'video', 'file', 'location', ...CARDS])

export const isCard = (k: string): boolean => CARDS.has(k)

/** Events are told by whoever knows what they mean. */
export function said(entry: Pick<Entry, 'k' | 'b'> & { rc?: number }, t: Say): string {
  if (entry.rc) return t('said.recalled')
  if (entry.k === 'text') return entry.b.text ?? ''
  const what = KINDS.has(entry.k) ? t(`kind.${entry.k}`) : t('said.other')
  const title = entry.b.title ?? entry.b.name
  return title && entry.k !== 'image' && entry.k !== 'voice' && entry.k !== 'video' ? `[${what}] ${title}` : `[${what}]`
}
