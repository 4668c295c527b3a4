// Size gate of every client's first page, and no foreign address that a browser would ask for.
import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { gzipSync } from 'node:zlib'
import { budgets, clients, filesBelow, lone, root } from './clients.mjs'

const dist = join(root, 'dist')
const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8'))
const faults = []
const kb = (file) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length / 1024

function reach(key, js, css) {
  const chunk = manifest[key]
  if (!chunk || js.has(chunk.file)) return
  if (chunk.file.endsWith('.js')) js.add(chunk.file)
  for (const file of chunk.css ?? []) css.add(file)
  for (const other of chunk.imports ?? []) reach(other, js, css)
}

const rows = []
for (const client of clients) {
  const key = `${client}/index.html`
  if (!manifest[key]) continue
  const js = new Set()
  const css = new Set()
  for (const start of [key, ...budgets[client].first]) reach(start, js, css)
  const sum = (files) => [...files].reduce((total, file) => total + kb(file), 0)
  const size = { client, js: sum(js), css: sum(css) }
  rows.push({ client, 'js KB': +size.js.toFixed(1), 'of': budgets[client].js, 'css KB': +size.css.toFixed(1), 'of ': budgets[client].css })
  if (size.js > budgets[client].js) faults.push(`${client}: ${size.js.toFixed(1)} KB of script, allowed ${budgets[client].js}`)
  if (size.css > budgets[client].css) faults.push(`${client}: ${size.css.toFixed(1)} KB of style, allowed ${budgets[client].css}`)
}
console.table(rows)
for (const one of lone)
  if (existsSync(join(dist, one.file)) && kb(one.file) > one.kb) faults.push(`${one.file}: ${kb(one.file).toFixed(1)} KB, allowed ${one.kb}`)
// Not every browser takes a service worker that is a module.
const worker = join(dist, 'push-worker.js')
if (existsSync(worker) && /\b(import|export)\b/.test(readFileSync(worker, 'utf8'))) faults.push('push-worker.js: a module, must be one plain script')

// Names, not requests: XML namespaces, licence texts, addresses that error messages of libraries point to,
// and the default place of the scanner's wasm, which kit/scan overrides.
const names = [
  /^(https?:)?\/\/www\.w3\.org\//, /^https?:\/\/(vuejs\.org|vue-i18n\.intlify\.dev|router\.vuejs\.org|pinia\.vuejs\.org|element-plus\.org)\b/,
  /^https?:\/\/github\.com\//, /^https?:\/\/fastly\.jsdelivr\.net\/npm\/zxing-wasm/, /^https?:\/\/(localhost|127\.0\.0\.1|a|b|x|c|n|test|example\.com)(?![\w.])/,
  /^https?:\/\/(day\.js\.org|lodash\.com|openjsf\.org|underscorejs\.org|npms\.io)\b/,
]
for (const path of filesBelow(dist)) {
  if (!/\.(js|css|html|json|webmanifest|svg)$/.test(path)) continue
  const text = readFileSync(path, 'utf8')
  const loads = path.endsWith('.css') ? /url\(\s*["']?((?:https?:)?\/\/[^)"']+)/g : /["'`(=]((?:https?:)?\/\/[a-z0-9-]+\.[a-z0-9.-]+[^"'`\s)]*)/gi
  for (const [, address] of text.matchAll(loads))
    if (!names.some((name) => name.test(address))) faults.push(`${relative(root, path)}: foreign address ${address.slice(0, 90)}`)
}
for (const client of clients)
  if (existsSync(join(root, client, 'index.html')) && !manifest[`${client}/index.html`]) faults.push(`${client}: page missing in dist`)
for (const fault of [...new Set(faults)]) console.error(fault)
if (faults.length) process.exit(1)
