// What a shop answers by itself, what it lets through, and what it looks at afterwards.
import type { Loaders } from '@kit/i18n'
import type { Part } from '../parts'

const words: Loaders = { 'zh-CN': () => import('../../locales/answers.zh-CN.json'), en: () => import('../../locales/answers.en.json') }

export const answerParts: readonly Part[] = [
  { path: 'welcome', name: 'welcome', group: 'answers', right: 'shop.manage', page: () => import('./WelcomePage.vue'), words },
  { path: 'knowledge', name: 'knowledge', group: 'answers', right: 'chat.answer', page: () => import('./KnowledgePage.vue'), words },
  { path: 'matching', name: 'matching', group: 'answers', right: 'shop.manage', page: () => import('./MatchingPage.vue'), words },
  { path: 'keywords', name: 'keywords', group: 'answers', right: 'chat.answer', page: () => import('./KeywordsPage.vue'), words },
  { path: 'quick-replies', name: 'quick', group: 'answers', right: 'chat.answer', page: () => import('./QuickPage.vue'), words },
  { path: 'assistant', name: 'assistant', group: 'answers', right: 'shop.manage', page: () => import('./AssistantPage.vue'), words },
  { path: 'words', name: 'words', group: 'guard', right: 'shop.manage', page: () => import('../guard/WordsPage.vue'), words },
  { path: 'limits', name: 'limits', group: 'guard', right: 'shop.manage', page: () => import('../guard/LimitsPage.vue'), words },
  { path: 'blocked', name: 'blocked', group: 'guard', right: 'chat.answer', page: () => import('../guard/BlockedPage.vue'), words },
  { path: 'flags', name: 'flags', group: 'guard', right: 'shop.manage', page: () => import('../guard/FlagsPage.vue'), words },
]
