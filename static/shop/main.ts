// Start of the buyer shop.
import '@kit/tokens/tokens.css'
import 'vant/es/toast/style'
import 'vant/es/dialog/style'
import './shop.css'
import { createApp } from 'vue'
import { Locale, showToast } from 'vant'
import enUS from 'vant/es/locale/lang/en-US'
import zhCN from 'vant/es/locale/lang/zh-CN'
import { sentence } from '@kit/api/http'
import { watchPages } from '@kit/errors/pages'
import { watchFaults } from '@kit/errors/report'
import { i18n, onLanguage, startI18n } from '@kit/i18n'
import { withService } from '@kit/service/words'
import { startTheme } from '@kit/tokens/theme'
import App from './App.vue'
import { router } from './routes'
import { follow } from '@kit/push/shown'
import { kept } from '@kit/push/kept'
import { session } from './stores/session'

startTheme()
const words = startI18n(withService({ 'zh-CN': () => import('./locales/zh-CN.json'), en: () => import('./locales/en.json') }))
void session.start().catch(() => undefined)
await words
onLanguage((lang) => Locale.use(lang, lang === 'en' ? enUS : zhCN))
const app = createApp(App).use(i18n).use(router)
watchFaults(app, (fault) => showToast({ message: sentence(fault), duration: 3500 }))
watchPages(router)
// A first page that cannot be fetched is told in the frame of all pages.
await router.isReady().catch(() => undefined)
app.mount('#app')
follow(router, '/shop/')
if (kept('buyer')) void import('./stores/notices')
