// Start of the widget's frame: a shop's chat on another site.
import './storage'
import '@kit/tokens/tokens.css'
import { createApp } from 'vue'
import { chatWords } from '@kit/chat/words'
import { addWords, i18n, setLanguage, startI18n } from '@kit/i18n'
import { withService } from '@kit/service/words'
import { startTheme } from '@kit/tokens/theme'
import App from './App.vue'

startTheme()
const wish = new URLSearchParams(location.search).get('lang')
await Promise.all([startI18n(withService({ 'zh-CN': () => import('./locales/zh-CN.json'), en: () => import('./locales/en.json') })), addWords(chatWords)])
if (wish) await setLanguage(wish.startsWith('zh') ? 'zh-CN' : 'en', false)
createApp(App).use(i18n).mount('#app')
