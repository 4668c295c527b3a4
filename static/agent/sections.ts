// The rail: every part of the desk a person can go to. A new part is one line here; its page is loaded when it is opened.
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { Inbox, MessagesSquare, Settings } from '@lucide/vue'
import type { Component } from 'vue'
import { addWords, type Loaders } from '@kit/i18n'
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
  words?: Loaders
  children?: RouteRecordRaw[]
}

export const sections: Section[] = [
  { path: '', name: 'desk', icon: MessagesSquare, right: 'chat.answer', page: () => import('./pages/Workbench.vue') },
  { path: 'messages', name: 'messages', icon: Inbox, right: 'chat.answer', page: () => import('./pages/LeftMessages.vue') },
  {
    path: 'settings', name: 'settings', icon: Settings, right: 'chat.answer', page: () => import('./settings/shell/SettingsPage.vue'),
    words: { 'zh-CN': () => import('./locales/settings.zh-CN.json'), en: () => import('./locales/settings.en.json') }, children: settingsRoutes,
  },
]

async function open({ page, words }: Section): Promise<unknown> {
  const [found] = await Promise.all([page(), words && addWords(words)])
  return found
}

export const router = createRouter({
  history: createWebHistory('/agent/'),
  routes: [
    ...sections.map((one): RouteRecordRaw => ({ path: `/${one.path}`, name: one.name, component: () => open(one), children: one.children ?? [] })),
    { path: '/:rest(.*)*', redirect: '/' },
  ],
})
