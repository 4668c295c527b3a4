// Which modules travel together. Left alone the bundler gives every icon a file of its own, and a first page is made of
// a hundred requests; here those that the same clients need, and need at first, are one file. No page loads more for it.
import { budgets, clients } from './clients.mjs'

/** Parts below so many bytes go to everybody who may come to need them: a request costs more than they do. */
const SMALL = 6_000
/** What runs first, and what holds the files together. */
const STAYS = /\/main\.ts$|^\0rolldown/

/** From what a build without parts has put out: the name of the part that each module belongs to. */
export function parts(output) {
  const chunks = output.filter((one) => one.type === 'chunk')
  const needs = reckon(chunks)
  const sizes = new Map(output.map((one) => [one.fileName, (one.code ?? one.source).length]))
  const grouped = [...needs].filter(([, need]) => need.first.size)
  widen(grouped, sizes, (need) => need.all)
  widen(grouped, sizes, (need) => (need.all.size > 2 ? new Set(clients) : need.first))
  const names = new Map()
  for (const [chunk, need] of grouped)
    for (const id of chunk.moduleIds)
      if (id !== chunk.facadeModuleId && !STAYS.test(id)) names.set(id, name(need))
  return names
}

/** For each chunk: who may come to need it, who needs it on the first page. */
function reckon(chunks) {
  const needs = new Map(chunks.map((chunk) => [chunk, { all: new Set(), first: new Set() }]))
  const byFile = new Map(chunks.map((chunk) => [chunk.fileName, chunk]))
  const walk = (chunk, client, which) => {
    if (!chunk || needs.get(chunk)[which].has(client)) return
    needs.get(chunk)[which].add(client)
    const next = which === 'all' ? [...chunk.imports, ...chunk.dynamicImports] : chunk.imports
    for (const file of next) walk(byFile.get(file), client, which)
  }
  const page = (path) => chunks.find((chunk) => chunk.facadeModuleId?.endsWith(`/${path}`))
  for (const client of clients) {
    walk(page(`${client}/index.html`), client, 'all')
    for (const path of [`${client}/index.html`, ...budgets[client].first]) walk(page(path), client, 'first')
  }
  for (const [chunk, need] of needs) need.imports = chunk.imports.map((file) => needs.get(byFile.get(file))).filter(Boolean)
  return needs
}

const name = (need) =>
  clients.filter((client) => need.all.has(client)).map((client) => (need.first.has(client) ? client : `${client}-later`)).join('-')

/** Small parts go to more, if what they import is there already: then nobody loads much, and no circle of parts begins. */
function widen(grouped, sizes, wider) {
  const size = (chunk) => [chunk.fileName, ...(chunk.viteMetadata?.importedCss ?? [])].reduce((sum, file) => sum + sizes.get(file), 0)
  const sums = new Map()
  for (const [chunk, need] of grouped) sums.set(name(need), (sums.get(name(need)) ?? 0) + size(chunk))
  for (const [, need] of grouped.filter(([, need]) => sums.get(name(need)) < SMALL)) {
    const whom = wider(need)
    if (need.imports.every((other) => [...whom].every((client) => other.first.has(client))))
      Object.assign(need, { all: new Set([...need.all, ...whom]), first: new Set(whom) })
  }
}
