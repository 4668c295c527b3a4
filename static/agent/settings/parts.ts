// The settings' parts, in the order of the menu. A new part is one line in its list; its page and words are loaded when
// it is opened. Its name is `settings.part.<name>`, what it is for `settings.part.<name>_why`.
import type { Loaders } from '@kit/i18n'
import { answerParts } from './answers/parts'
import { offerParts } from './offers/parts'
import { serviceParts } from './service/parts'

export const groups = ['service', 'answers', 'offers', 'guard', 'records'] as const

export interface Part {
  /** Below /agent/settings/. */
  path: string
  name: string
  group: (typeof groups)[number]
  /** Shown to those who hold it at the chosen shop. */
  right: 'chat.answer' | 'shop.manage'
  page: () => Promise<unknown>
  /** Words of its own. */
  words?: Loaders
}

export const parts: readonly Part[] = [...serviceParts, ...answerParts, ...offerParts]
