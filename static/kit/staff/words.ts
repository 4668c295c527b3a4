// The words of staff pages, added to an app's own: `startI18n(withStaff({ 'zh-CN': …, en: … }))`.
import type { Loaders } from '@kit/i18n'

const staff: Loaders = { 'zh-CN': () => import('./staff.zh-CN.json'), en: () => import('./staff.en.json') }

export function withStaff(own: Loaders): Loaders {
  const both = (lang: keyof Loaders) => async () => {
    const [shared, mine] = await Promise.all([staff[lang](), own[lang]()])
    return { default: { ...shared.default, ...mine.default } }
  }
  return { 'zh-CN': both('zh-CN'), en: both('en') }
}
