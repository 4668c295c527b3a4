// The shop's pages. `tab` pages carry the bottom bar; `person` pages ask for a sign-in first and then come back.
import { chatWords } from '@kit/chat/words'
import { couponWords } from '@kit/coupon/words'
import { addWords, type Loaders } from '@kit/i18n'
import { pushWords } from '@kit/push/words'
import { createRouter, createWebHistory } from 'vue-router'
import { isGuest } from './stores/im'
import { session } from './stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    tab?: string
    person?: boolean
    /** Those who have chatted without signing in come here, too. */
    guests?: boolean
    /** Key of the page's name. */
    title?: string
  }
}

const refundWords: Loaders = { 'zh-CN': () => import('./locales/refund.zh-CN.json'), en: () => import('./locales/refund.en.json') }

export const router = createRouter({
  history: createWebHistory('/shop/'),
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
  routes: [
    { path: '/', name: 'home', component: () => import('./pages/Home.vue'), meta: { tab: 'home', title: 'tab.home' } },
    { path: '/nearby', name: 'nearby', component: () => import('./pages/Nearby.vue'), meta: { tab: 'nearby', title: 'tab.nearby' } },
    { path: '/messages', name: 'messages', component: () => import('./pages/Messages.vue'), meta: { tab: 'messages', person: true, guests: true, title: 'tab.messages' } },
    { path: '/cart', name: 'cart', component: () => import('./pages/Cart.vue'), meta: { tab: 'cart', title: 'tab.cart' } },
    { path: '/me', name: 'me', component: async () => (await Promise.all([import('./pages/Me.vue'), addWords(pushWords)]))[0], meta: { tab: 'me', title: 'tab.me' } },
    { path: '/s/:shop', name: 'shop', component: () => import('./pages/Shop.vue'), meta: { title: 'shop.title' } },
    { path: '/p/:product', name: 'product', component: () => import('./pages/Product.vue'), meta: { title: 'product.title' } },
    { path: '/activity/:campaign', name: 'activity', component: async () => (await Promise.all([import('./pages/Campaign.vue'), addWords(couponWords)]))[0], meta: { title: 'coupons.activity' } },
    { path: '/coupons', name: 'coupons', component: async () => (await Promise.all([import('./pages/Coupons.vue'), addWords(couponWords)]))[0], meta: { person: true, title: 'coupons.title' } },
    { path: '/checkout', name: 'checkout', component: async () => (await Promise.all([import('./pages/Checkout.vue'), addWords(couponWords)]))[0], meta: { person: true, title: 'checkout.title' } },
    { path: '/pay', name: 'pay', component: () => import('./pages/Pay.vue'), meta: { person: true, title: 'pay.title' } },
    { path: '/orders', name: 'orders', component: () => import('./pages/Orders.vue'), meta: { person: true, title: 'orders.title' } },
    { path: '/orders/:order', name: 'order', component: () => import('./pages/OrderDetail.vue'), meta: { person: true, title: 'order.title' } },
    { path: '/orders/:order/refund', name: 'ask-refund', component: async () => (await Promise.all([import('./pages/RefundForm.vue'), addWords(refundWords)]))[0], meta: { person: true, title: 'back.ask' } },
    { path: '/refunds', name: 'refunds', component: async () => (await Promise.all([import('./pages/Refunds.vue'), addWords(refundWords)]))[0], meta: { person: true, title: 'back.all' } },
    { path: '/refunds/:case', name: 'refund', component: async () => (await Promise.all([import('./pages/RefundCase.vue'), addWords(refundWords)]))[0], meta: { person: true, title: 'back.all' } },
    { path: '/vouchers', name: 'vouchers', component: () => import('./pages/Vouchers.vue'), meta: { person: true, title: 'vouchers.title' } },
    { path: '/vouchers/:voucher', name: 'voucher', component: () => import('./pages/WriteoffCode.vue'), meta: { person: true, title: 'voucher.title' } },
    { path: '/chat/:shop', name: 'chat', component: async () => (await Promise.all([import('./pages/Chat.vue'), addWords(chatWords)]))[0], meta: { title: 'chat.title' } },
    { path: '/devices', name: 'devices', component: () => import('./pages/Devices.vue'), meta: { person: true, title: 'devices.title' } },
    { path: '/login', name: 'login', component: () => import('./pages/Login.vue'), meta: { title: 'login.title' } },
    { path: '/:rest(.*)*', name: 'lost', component: () => import('./pages/Lost.vue'), meta: { title: 'lost.title' } },
  ],
})

router.beforeEach(async (to) => {
  if (!to.meta.person) return true
  await session.start().catch(() => undefined)
  return session.me.value || (to.meta.guests && isGuest()) ? true : { name: 'login', query: { next: to.fullPath } }
})
