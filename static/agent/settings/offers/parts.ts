// What a shop offers its customers to come for.
import type { Loaders } from '@kit/i18n'
import type { Part } from '../parts'

const words: Loaders = { 'zh-CN': () => import('../../locales/offers.zh-CN.json'), en: () => import('../../locales/offers.en.json') }

export const offerParts: readonly Part[] = [
  { path: 'coupons', name: 'coupons', group: 'offers', right: 'shop.manage', page: () => import('./CouponsPage.vue'), words },
]
