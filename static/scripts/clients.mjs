// The web clients, their budgets (KB, gzip) for the first page a person sees, and what that first page loads lazily.
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

// The tests of the gates point them at a folder of their own.
export const root = process.env.OCTSHOP_WEB_ROOT ?? join(dirname(fileURLToPath(import.meta.url)), '..')
export const clients = ['shop', 'agent', 'clerk', 'pos', 'phone', 'widget']
/** Files of their own address (KB, gzip): what other sites include with one script tag, and the worker that shows notices. */
export const lone = [
  { file: 'widget.js', kb: 5 },
  { file: 'push-worker.js', kb: 2 },
]

export const budgets = {
  shop: { js: 130, css: 45, first: ['shop/pages/Home.vue', 'shop/locales/zh-CN.json'] },
  agent: { js: 260, css: 40, first: ['agent/pages/Workbench.vue', 'agent/locales/zh-CN.json'] },
  clerk: { js: 100, css: 40, first: ['clerk/pages/Scan.vue', 'clerk/locales/zh-CN.json'] },
  pos: { js: 120, css: 40, first: ['pos/pages/Cashier.vue', 'pos/locales/zh-CN.json'] },
  widget: { js: 108, css: 12, first: ['widget/locales/zh-CN.json'] },
  phone: { js: 120, css: 40, first: ['phone/pages/Pay.vue', 'phone/locales/zh-CN.json'] },
}

/** Every file below a folder, as absolute paths. */
export function* filesBelow(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path)
    else yield path
  }
}
