// The words of the switch of notices, added to an app's own where the switch is shown.
import type { Loaders } from '@kit/i18n'

export const pushWords: Loaders = { 'zh-CN': () => import('./push.zh-CN.json'), en: () => import('./push.en.json') }
