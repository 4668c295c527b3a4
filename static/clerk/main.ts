// Start of the clerk's write-off page.
import '@kit/tokens/tokens.css'
import { createApp } from 'vue'
import { createRouter, createWebHistory } from 'vue-router'
import { watchPages } from '@kit/errors/pages'
import { i18n, startI18n } from '@kit/i18n'
import { startTheme } from '@kit/tokens/theme'
import { unlockOnGesture } from '@kit/notify/sound'
import { withStaff } from '@kit/staff/words'
import App from './App.vue'
import Scan from './pages/Scan.vue'

startTheme()
unlockOnGesture()
await startI18n(withStaff({ 'zh-CN': () => import('./locales/zh-CN.json'), en: () => import('./locales/en.json') }))
const router = createRouter({
  history: createWebHistory('/clerk/'),
  routes: [
    { path: '/', component: Scan },
    { path: '/history', component: () => import('./pages/History.vue') },
    { path: '/:elsewhere(.*)', redirect: '/' },
  ],
})
watchPages(router)
createApp(App).use(i18n).use(router).mount('#app')
