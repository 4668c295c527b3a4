// The rail: every part of the desk a person can go to. A new part is one line here; its page is loaded when it is opened.
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { Inbox, MessagesSquare } from '@lucide/vue'
import type { Component } from 'vue'

export interface Section {
  /** Below /agent/. */
  path: string
  /** Its word: `rail.<name>`. */
  name: string
  icon: Component
  /** Shown to those who hold it at any shop. */
  right: string
  page: () => Promise<unknown>
  children?: RouteRecordRaw[]
}

export const sections: Section[] = [
  { path: '', name: 'desk', icon: MessagesSquare, right: 'chat.answer', page: () => import('./pages/Workbench.vue') },
  { path: 'messages', name: 'messages', icon: Inbox, right: 'chat.answer', page: () => import('./pages/LeftMessages.vue') },
]

export const router = createRouter({
  history: createWebHistory('/agent/'),
  routes: [
    ...sections.map(({ path, name, page, children }): RouteRecordRaw => ({ path: `/${path}`, name, component: page, children: children ?? [] })),
    { path: '/:rest(.*)*', redirect: '/' },
  ],
})
