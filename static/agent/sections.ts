// The rail: every part of the desk a person can go to. A new part is one line here; its page is loaded when it is opened.
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { ChartColumn, ClipboardCheck, Inbox, LayoutDashboard, MessagesSquare, Search, Settings, Undo2 } from '@lucide/vue'
import type { Component } from 'vue'
import { addWords, type Loaders } from '@kit/i18n'
import { platformRoutes } from './platform/routes'
import { settingsRoutes } from './settings/routes'

export interface Section {
  /** Below /agent/. */
  path: string
  /** Its word: `rail.<name>`. */
  name: string
  icon: Component
  /** Shown to those who hold it at any shop. */
  right: string
  page: () => Promise<unknown>
  /** Words of its own, loaded with its page: locales/<name>.zh-CN.json and .en.json. */
  words?: Loaders | Loaders[]
  children?: RouteRecordRaw[]
}

const figures: Loaders = { 'zh-CN': () => import('./locales/figures.zh-CN.json'), en: () => import('./locales/figures.en.json') }
const board: Loaders = { 'zh-CN': () => import('./locales/board.zh-CN.json'), en: () => import('./locales/board.en.json') }
const reports: Loaders = { 'zh-CN': () => import('./locales/reports.zh-CN.json'), en: () => import('./locales/reports.en.json') }
const quality: Loaders = { 'zh-CN': () => import('./locales/quality.zh-CN.json'), en: () => import('./locales/quality.en.json') }
const refunds: Loaders = { 'zh-CN': () => import('./locales/refunds.zh-CN.json'), en: () => import('./locales/refunds.en.json') }
const search: Loaders = { 'zh-CN': () => import('./locales/search.zh-CN.json'), en: () => import('./locales/search.en.json') }

export const sections: Section[] = [
  { path: '', name: 'desk', icon: MessagesSquare, right: 'chat.answer', page: () => import('./pages/Workbench.vue'), words: refunds },
  { path: 'messages', name: 'messages', icon: Inbox, right: 'chat.answer', page: () => import('./pages/LeftMessages.vue') },
  { path: 'refunds', name: 'refunds', icon: Undo2, right: 'order.read', page: () => import('./refunds/RefundsPage.vue'), words: [refunds, figures] },
  { path: 'search', name: 'search', icon: Search, right: 'chat.answer', page: () => import('./search/SearchPage.vue'), words: [search, board, figures] },
  { path: 'board', name: 'board', icon: LayoutDashboard, right: 'shop.manage', page: () => import('./board/BoardPage.vue'), words: [board, figures, reports, search] },
  { path: 'reports', name: 'reports', icon: ChartColumn, right: 'chat.answer', page: () => import('./reports/ReportsPage.vue'), words: [reports, figures] },
  { path: 'quality', name: 'quality', icon: ClipboardCheck, right: 'chat.answer', page: () => import('./quality/QualityPage.vue'), words: [quality, reports, search, figures] },
  {
    path: 'settings', name: 'settings', icon: Settings, right: 'chat.answer', page: () => import('./settings/shell/SettingsPage.vue'),
    words: { 'zh-CN': () => import('./locales/settings.zh-CN.json'), en: () => import('./locales/settings.en.json') }, children: settingsRoutes,
  },
]

async function open({ page, words }: Section): Promise<unknown> {
  const [found] = await Promise.all([page(), ...[words ?? []].flat().map((part) => addWords(part))])
  return found
}

export const router = createRouter({
  history: createWebHistory('/agent/'),
  routes: [
    ...sections.map((one): RouteRecordRaw => ({ path: `/${one.path}`, name: one.name, component: () => open(one), children: one.children ?? [] })),
    { path: '/platform', name: 'platform', component: () => import('./platform/PartPane.vue'), children: platformRoutes },
    { path: '/:rest(.*)*', redirect: '/' },
  ],
})
