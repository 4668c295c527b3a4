// Start of the agent desk.
import '@kit/tokens/tokens.css'
import { createApp } from 'vue'
import { chatWords } from '@kit/chat/words'
import { addWords, i18n, startI18n } from '@kit/i18n'
import { watchPages } from '@kit/errors/pages'
import { follow } from '@kit/push/shown'
import { pushWords } from '@kit/push/words'
import { startTheme } from '@kit/tokens/theme'
import { unlockOnGesture } from '@kit/notify/sound'
import { withStaff } from '@kit/staff/words'
import App from './App.vue'
import { router } from './sections'

startTheme()
unlockOnGesture()
await Promise.all([startI18n(withStaff({ 'zh-CN': () => import('./locales/zh-CN.json'), en: () => import('./locales/en.json') })), addWords(chatWords), addWords(pushWords)])
watchPages(router)
follow(router, '/agent/')
createApp(App).use(i18n).use(router).mount('#app')
