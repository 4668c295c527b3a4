// Who is served by whom, when, and where the shop's chat stands.
import type { Loaders } from '@kit/i18n'
import type { Part } from '../parts'

const words: Loaders = { 'zh-CN': () => import('../../locales/service.zh-CN.json'), en: () => import('../../locales/service.en.json') }

export const serviceParts: readonly Part[] = [
  { path: 'retention', name: 'retention', group: 'records', right: 'shop.manage', page: () => import('./RetentionPage.vue'), words },
]
