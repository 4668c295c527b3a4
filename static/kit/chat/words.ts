// The words of chat, added to an app's own when its first chat is opened.
import type { Loaders } from '@kit/i18n'

export const chatWords: Loaders = { 'zh-CN': () => import('./chat.zh-CN.json'), en: () => import('./chat.en.json') }
