// The words of campaigns and coupons on the shop's pages, added where they are shown.
import type { Loaders } from '@kit/i18n'

export const couponWords: Loaders = { 'zh-CN': () => import('./coupon.zh-CN.json'), en: () => import('./coupon.en.json') }
