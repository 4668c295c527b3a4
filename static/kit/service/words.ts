// The words of the buyer's chat, added to an app's own: `startI18n(withService({ 'zh-CN': …, en: … }))`.
import type { Loaders } from '@kit/i18n'

const service: Loaders = { 'zh-CN': () => import('./service.zh-CN.json'), en: () => import('./service.en.json') }

export function withService(own: Loaders): Loaders {
  const both = (lang: keyof Loaders) => async () => {
    const [shared, mine] = await Promise.all([service[lang](), own[lang]()])
    return { default: { ...shared.default, ...mine.default } }
  }
  return { 'zh-CN': both('zh-CN'), en: both('en') }
}
