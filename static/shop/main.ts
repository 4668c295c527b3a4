// Start of the buyer shop.
import '@kit/tokens/tokens.css'
import { createApp } from 'vue'
import { i18n, startI18n } from '@kit/i18n'
import { startTheme } from '@kit/tokens/theme'
import App from './App.vue'

startTheme()
await startI18n({ 'zh-CN': () => import('./locales/zh-CN.json'), en: () => import('./locales/en.json') })
createApp(App).use(i18n).mount('#app')
