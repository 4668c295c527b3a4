// The platform's settings below /agent/platform: the parts of the shops' settings that have a layer of the platform's.
import type { Component } from 'vue'
import type { RouteRecordRaw } from 'vue-router'
import { addWords, type Loaders } from '@kit/i18n'
import { parts, type Part } from '../settings/parts'

const WITH_LAYER = ['service', 'hours', 'rules', 'words', 'limits']
export const platformParts: readonly Part[] = parts.filter((one) => WITH_LAYER.includes(one.name))

const words: Loaders[] = [
  { 'zh-CN': () => import('../locales/settings.zh-CN.json'), en: () => import('../locales/settings.en.json') },
  { 'zh-CN': () => import('../locales/platform.zh-CN.json'), en: () => import('../locales/platform.en.json') },
]
async function open({ page, words: own }: Part): Promise<unknown> {
  const [found] = await Promise.all([page(), own && addWords(own)])
  return found
}

/** Loaded when an administrator comes: the words of all, the page of a part when it is opened. */
export async function openPlatform(): Promise<Component> {
  const [page] = await Promise.all([import('./PlatformPage.vue'), ...words.map((one) => addWords(one))])
  return page.default
}
export const platformRoutes: RouteRecordRaw[] = [
  { path: '', name: 'platform-menu', component: () => import('./FirstPart.vue') },
  ...platformParts.map((one): RouteRecordRaw => ({ path: one.path, name: `platform-${one.name}`, component: () => open(one) })),
]
