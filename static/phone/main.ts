// Start of the sandbox phone: a payer's phone for trying things out, with invented money.
import '@kit/tokens/tokens.css'
import 'vant/es/toast/style'
import { createApp } from 'vue'
import { showToast } from 'vant'
import { createRouter, createWebHistory } from 'vue-router'
import { sentence } from '@kit/api/http'
import { watchFaults } from '@kit/errors/report'
import { i18n, startI18n } from '@kit/i18n'
import { startTheme } from '@kit/tokens/theme'
import App from './App.vue'

startTheme()
await startI18n({ 'zh-CN': () => import('./locales/zh-CN.json'), en: () => import('./locales/en.json') })
const router = createRouter({
  history: createWebHistory('/phone/'),
  routes: [
    { path: '/', name: 'pay', component: () => import('./pages/Pay.vue') },
    { path: '/code', name: 'code', component: () => import('./pages/PaymentCode.vue') },
    { path: '/alerts', name: 'alerts', component: () => import('./pages/Alerts.vue') },
    { path: '/messages', name: 'messages', component: () => import('./pages/Messages.vue') },
    { path: '/switches', name: 'switches', component: () => import('./pages/Switches.vue') },
    { path: '/:rest(.*)*', redirect: '/' },
  ],
})
const app = createApp(App).use(i18n).use(router)
watchFaults(app, (fault) => showToast({ message: sentence(fault), duration: 3500 }))
await router.isReady()
app.mount('#app')
