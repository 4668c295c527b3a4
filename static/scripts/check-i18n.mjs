// Stops the build when zh-CN and en do not hold the same keys with the same placeholders, or a text is empty.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { clients, filesBelow, root } from './clients.mjs'

const faults = []

function flat(node, prefix = '', out = new Map()) {
  for (const [key, value] of Object.entries(node)) {
    const path = prefix ? `${prefix}.${key}` : key
    if (value !== null && typeof value === 'object') flat(value, path, out)
    else out.set(path, String(value))
  }
  return out
}

const holes = (text) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort().join(' ')

function compare(zhPath, enPath) {
  const zh = flat(JSON.parse(readFileSync(zhPath, 'utf8')))
  const en = flat(JSON.parse(readFileSync(enPath, 'utf8')))
  const where = relative(root, zhPath)
  for (const [key, text] of zh) {
    if (!en.has(key)) faults.push(`${where}: "${key}" is missing in English`)
    else if (holes(text) !== holes(en.get(key))) faults.push(`${where}: "${key}" has other placeholders in English`)
    if (!text.trim()) faults.push(`${where}: "${key}" is empty`)
  }
  for (const [key, text] of en) {
    if (!zh.has(key)) faults.push(`${where}: "${key}" is missing in Chinese`)
    if (/[\u4e00-\u9fff]/.test(text) && key !== 'language.zh') faults.push(`${where}: "${key}" is Chinese in English`)
  }
  return zh
}

// A key that a page names and no file holds would show the key itself to a person.
function used(folder, known) {
  for (const path of filesBelow(folder)) {
    if (!/\.(vue|ts)$/.test(path)) continue
    for (const [, key] of readFileSync(path, 'utf8').matchAll(/\bt\(\s*'([\w.-]+)'/g))
      if (!known.has(key)) faults.push(`${relative(root, path)}: key "${key}" is not in the locale files`)
  }
}

// Words that all pages share, and those that the staff's pages share.
const kit = new Map()
for (const path of filesBelow(join(root, 'kit')))
  if (path.endsWith('.zh-CN.json')) for (const [key, text] of compare(path, path.replace('.zh-CN.', '.en.'))) kit.set(key, text)
used(join(root, 'kit'), kit)
for (const client of clients) {
  const folder = join(root, client, 'locales')
  if (!existsSync(folder)) continue
  const known = new Map(kit)
  for (const name of readdirSync(folder).filter((n) => n.endsWith('zh-CN.json'))) {
    const other = join(folder, basename(name).replace('zh-CN', 'en'))
    if (!existsSync(other)) faults.push(`${client}/locales: ${basename(other)} is missing`)
    else for (const [key, text] of compare(join(folder, name), other)) known.set(key, text)
  }
  used(join(root, client), known)
}
for (const fault of faults) console.error(fault)
if (faults.length) process.exit(1)
console.log('i18n: both languages hold the same keys')
