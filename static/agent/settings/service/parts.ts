// Who is served by whom, when, and where the shop's chat stands; and how long what was said is kept.
import type { Loaders } from '@kit/i18n'
import type { Part } from '../parts'

const words: Loaders = { 'zh-CN': () => import('../../locales/service.zh-CN.json'), en: () => import('../../locales/service.en.json') }

export const serviceParts: readonly Part[] = [
  { path: 'service', name: 'service', group: 'service', right: 'shop.manage', page: () => import('./ServicePage.vue'), words },
  { path: 'hours', name: 'hours', group: 'service', right: 'shop.manage', page: () => import('./HoursPage.vue'), words },
  { path: 'rules', name: 'rules', group: 'service', right: 'shop.manage', page: () => import('./RulesPage.vue'), words },
  { path: 'people', name: 'people', group: 'service', right: 'shop.manage', page: () => import('./PeoplePage.vue'), words },
  { path: 'labels', name: 'labels', group: 'service', right: 'shop.manage', page: () => import('./LabelsPage.vue'), words },
  { path: 'widget', name: 'widget', group: 'service', right: 'shop.manage', page: () => import('./WidgetPage.vue'), words },
  { path: 'retention', name: 'retention', group: 'records', right: 'shop.manage', page: () => import('./RetentionPage.vue'), words },
]
