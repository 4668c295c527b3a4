// The settings below /agent/settings: the menu at the root, a part on each path.
import type { RouteRecordRaw } from 'vue-router'
import { addWords } from '@kit/i18n'
import { parts, type Part } from './parts'

async function open({ page, words }: Part): Promise<unknown> {
  const [found] = await Promise.all([page(), words && addWords(words)])
  return found
}

export const settingsRoutes: RouteRecordRaw[] = [
  { path: '', name: 'settings-menu', component: () => import('./shell/FirstPart.vue') },
  ...parts.map((one): RouteRecordRaw => ({ path: one.path, name: `settings-${one.name}`, component: () => open(one) })),
]
