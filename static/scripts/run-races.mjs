// What comes late, out of order or in somebody else's time: parts of the clients in a browser made of paper, whose answers
// come when a test lets them. A real server answers too fast to be caught at it.
import assert from 'node:assert/strict'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'vite'
import { root } from './clients.mjs'
import { Browser, rest } from './paper-browser.mjs'

const out = join(root, 'node_modules/.races')
rmSync(out, { recursive: true, force: true })
const parts = {
  client: 'kit/im/client.ts', service: 'kit/service/service.ts', session: 'shop/stores/session.ts', im: 'shop/stores/im.ts',
  trail: 'shop/stores/trail.ts', cart: 'shop/stores/cart.ts', said: 'kit/service/said.ts', desk: 'agent/cases/desk.ts', rows: 'agent/list/rows.ts', waiting: 'agent/list/waiting.ts',
  staff: 'kit/staff/staff.ts',
}
await build({
  configFile: false, root, logLevel: 'error', publicDir: false,
  resolve: { alias: { '@kit': join(root, 'kit') } },
  define: { 'import.meta.env.DEV': 'false', 'process.env.NODE_ENV': '"production"', __VUE_OPTIONS_API__: 'true', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false', __INTLIFY_PROD_DEVTOOLS__: 'false' },
  build: {
    outDir: out, minify: false, target: 'es2022', modulePreload: false,
    lib: { entry: { ...Object.fromEntries(Object.entries(parts).map(([name, path]) => [name, join(root, path)])), vue: join(root, 'node_modules/vue/dist/vue.runtime.esm-bundler.js') }, formats: ['es'], fileName: (_format, name) => `${name}.mjs` },
  },
})
const browser = new Browser()
const load = (name) => import(join(out, existsSync(join(out, `${name}.mjs`)) ? `${name}.mjs` : `${name}.js`))
const { computed, effectScope } = await load('vue')
const { ImClient } = await load('client')

const SHOP = 'S1'
const one = (id, state, more = {}) => ({ id, c: `C${id}`, shop_id: SHOP, state, rev: 1, agent: null, guests: [], opened_at: 1, ended_at: null, ...more })

/** The buyer's service at one shop, on a door the test answers. */
async function service() {
  const { useService } = await load('service')
  const asked = []
  const ask = (method) => (path) => new Promise((answer) => asked.push({ path: `${method} ${path}`, answer }))
  const heard = {}
  const im = { on: (name, told) => ((heard[name] = told), () => undefined), watch: (_topic, [id], told) => ((heard[id] = told), () => undefined) }
  const scope = effectScope()
  const it = scope.run(() => useService(() => ({ get: ask('GET'), post: ask('POST') }), im, SHOP))
  /** Answers the oldest open question of this kind. */
  const answer = async (path, body, at = 0) => {
    const found = asked.filter((one) => one.path === path)[at]
    assert.ok(found, `nobody asked ${path}: ${asked.map((one) => one.path)}`)
    asked.splice(asked.indexOf(found), 1)
    found.answer(body)
    await rest()
  }
  const begin = async (first) => {
    const come = it.arrive()
    await answer('GET /buyer/messages', { items: [] })
    await answer('GET /buyer/cases', { items: [] })
    await answer('POST /buyer/cases', first)
    await come
  }
  return { it, heard, asked, answer, begin, close: () => scope.stop() }
}

/** The desk of agent A, on an HTTP door that keeps its answers until the test lets them go. */
async function desk(answers) {
  const { openDesk } = await load('desk')
  const { session } = await load('staff')
  session.me.value = { person: { id: 'A', nickname: 'A' }, grants: [], csrf_token: 'x' }
  const door = browser.door(answers)
  const posts = computed(() => [{ shop_id: SHOP, shop_name: 's', rights: ['chat.answer', 'shop.manage'] }])
  const list = { value: [] }
  const im = { on: () => () => undefined, watch: () => () => undefined, conversation: () => undefined }
  const scope = effectScope()
  const it = scope.run(() => openDesk({ im, posts, names: new Map(), may: () => true, live: { list }, shopName: () => '', manyShops: { value: false } }))
  return { it, door, list, close: () => scope.stop() }
}
const view = (more) => ({ me: { id: 'S1:A' }, mine: [], invited: [], queued: [], bot: [], agents: [], groups: [], waiting: 0, whole: true, ...more })
const ids = (list) => list.map((one) => one.id)

const tests = {
  async 'a late answer about the case before does not hide the one that has begun'() {
    const { it, answer, begin, close } = await service()
    await begin(one('Z1', 'queued', { opened_at: 5 }))
    const quit = it.act('quit')
    const again = it.arrive(undefined, true)
    // Its id sorts before: another node's clock is behind.
    await answer('POST /buyer/cases', one('Z0', 'queued', { opened_at: 9 }))
    await again
    await answer('POST /buyer/cases/Z1/end', one('Z1', 'ended', { opened_at: 5, rev: 3, ended_at: 8 }))
    await quit
    assert.deepEqual([it.now.value.id, it.now.value.state], ['Z0', 'queued'])
    close()
  },
  async 'what was left is shown as the answer to the last question tells it'() {
    const { it, heard, answer, begin, close } = await service()
    await begin(one('Z1', 'queued'))
    heard.Z1({ d: { message: 'M' } })
    heard.Z1({ d: { message: 'M' } })
    await answer('GET /buyer/messages', { items: [{ id: 'M', case_id: 'Z1', state: 'closed' }] }, 1)
    await answer('GET /buyer/messages', { items: [{ id: 'M', case_id: 'Z1', state: 'taken' }] })
    assert.equal(it.left.value[0].state, 'closed')
    close()
  },
  async 'answers to what one person asked are not shown to the next'() {
    const { it, heard, answer, begin, close } = await service()
    await begin(one('Z1', 'queued'))
    heard.Z1(null)
    const person = it.act('person')
    it.stop()
    await answer('GET /buyer/messages', { items: [{ id: 'M', case_id: 'Z1', state: 'open', text: 'theirs' }] })
    await answer('POST /buyer/cases/Z1/person', one('Z1', 'human', { rev: 2 }))
    await person
    assert.equal(it.now.value, null)
    assert.deepEqual(it.left.value, [])
    const leaving = assert.rejects(it.leave('words', '', 'r'))
    it.stop()
    await answer('POST /buyer/cases', one('Z2', 'new'))
    await leaving
    assert.equal(it.now.value, null)
    close()
  },
  async 'what has been accepted stays, whatever was asked before'() {
    const waiting = view({ queued: [one('Z1', 'queued')], waiting: 1 })
    const { it, door, close } = await desk({ '/desk': () => waiting, 'state=human': () => ({ items: [], next: null }) })
    await door.until(() => it.ready.value)
    door.hold()
    it.refresh(SHOP)
    await door.until(() => door.held === 2)
    it.took(one('Z1', 'human', { agent: { id: 'S1:A', person_id: 'A', name: 'A' } }))
    await door.release()
    assert.deepEqual([ids(it.mine.value), ids(it.queued.value)], [['Z1'], []])
    close()
  },
  async 'a further page of ended cases joins the list there is, or none'() {
    const pages = { first: { items: [one('E2', 'ended')], next: 'n' }, more: { items: [one('E1', 'ended')], next: null } }
    const { it, door, close } = await desk({
      '/desk': () => view({}), 'state=human': () => ({ items: [], next: null }),
      'cursor=': () => pages.more, 'state=ended': () => pages.first,
    })
    await door.until(() => it.ready.value)
    await it.loadEnded()
    door.hold()
    const more = it.loadEnded(true)
    await door.until(() => door.held === 1)
    door.pass()
    pages.first = { items: [one('E3', 'ended'), one('E2', 'ended')], next: 'n' }
    it.took(one('E3', 'ended'))
    await door.until(() => ids(it.ended.value).includes('E3'))
    await door.release()
    await more
    assert.deepEqual(ids(it.ended.value), ['E3', 'E2', 'E1'])
    close()
  },
  async 'where the lists are cut, the desk asks about what is in front of the agent, and tells not known from no case'() {
    const { waits } = await load('rows')
    const asks = (id, more) => ({ c: `C${id}`, shopId: SHOP, unread: 1, entries: [{ fr: 'buyer', k: 'text', ts: 7 }], ...more })
    const { it, door, list, close } = await desk({
      '/desk': () => view({ queued: [one('Z1', 'queued')], waiting: 130, whole: false }), 'state=human': () => ({ items: [], next: null }),
      'cases?c=': () => ({ items: [one('Z2', 'queued'), one('Z3', 'human', { agent: { id: 'S1:B', person_id: 'B', name: 'B' } })], next: null }),
    })
    list.value = ['Z1', 'Z2', 'Z3', 'Z4'].map((id) => asks(id))
    await door.until(() => it.ready.value)
    list.value.push(asks('Z5'))
    assert.equal(it.caseOf('CZ2').state, 'queued')
    assert.deepEqual(['CZ3', 'CZ4'].map((c) => it.concerns(c)), [false, true])
    assert.deepEqual(['CZ1', 'CZ4', 'CZ5'].map((c) => it.knows(c, SHOP)), [true, true, false])
    assert.deepEqual(['Z4', 'Z5'].map((id) => waits(asks(id), { case: it.caseOf(`C${id}`), sure: it.knows(`C${id}`, SHOP) })), [0, 7])
    assert.equal(it.waiting.value, 130)
    close()
  },
  async 'a buyer waits since this case began, late by the promise, and by the server\'s clock'() {
    const { waits } = await load('rows')
    const { lateness } = await load('waiting')
    const log = { entries: [{ fr: 'buyer', k: 'text', ts: 10 }, { fr: 'buyer', k: 'text', ts: 700 }] }
    assert.equal(waits(log, { case: one('Z2', 'human', { opened_at: 690, waiting_since: 700 }), sure: true }), 700)
    assert.equal(waits(log, { case: one('Z2', 'human', { opened_at: 690, waiting_since: null }), sure: true }), 690)
    // Given to somebody else after 8 minutes, due in 4: three minutes were promised.
    assert.deepEqual([lateness(0, 480_000, 720_000), lateness(0, 100_000, 120_000), lateness(0, 20_000)], ['late', 'soon', 'fresh'])
    const net = browser.net()
    net.ahead = 3_600_000
    const im = new ImClient({ ticket: () => Promise.resolve('t'), device: 'd', app: 'agent', lang: () => 'zh-CN' })
    im.start('U')
    await net.until(() => im.conversation('C-SHOP'))
    assert.ok(Math.abs(im.now() - Date.now() - net.ahead) < 1_000)
    im.stop()
  },
  async 'what one person read is not said in the next one\'s name, and not lost with a second cut'() {
    const net = browser.net()
    const im = new ImClient({ ticket: () => Promise.resolve('t'), device: 'd', app: 'agent', lang: () => 'zh-CN' })
    net.uid = 'ANNA'
    im.start('ANNA')
    await net.until(() => im.conversation('C-SHOP'))
    net.cut()
    im.markRead('C-SHOP')
    im.stop()
    net.uid = 'BEN'
    im.start('BEN')
    await net.until(() => im.conversation('C-SHOP'))
    await rest()
    assert.deepEqual(net.sent.filter((one) => one.frame.t === 9), [])
    // Read without a link, and the next link is cut before it could be said.
    net.cut()
    im.markRead('C-SHOP')
    net.silent = true
    im.retryNow()
    await net.until(() => net.sent.filter((one) => one.frame.t === 11).length === 3)
    net.cut()
    await rest()
    net.silent = false
    im.retryNow()
    await net.until(() => net.sent.some((one) => one.frame.t === 9))
    assert.deepEqual(net.sent.filter((one) => one.frame.t === 9).map((one) => one.uid), ['BEN'])
    im.stop()
  },
  async 'what the log holds is not shown as unsent beside itself, however it got there'() {
    const net = browser.net()
    const im = new ImClient({ ticket: () => Promise.resolve('t'), device: 'd', app: 'shop', lang: () => 'zh-CN' })
    im.start('U')
    await net.until(() => im.conversation('C-SHOP'))
    net.mute = true
    const m = await im.send('C-SHOP', 'text', { text: 'once' })
    await net.until(() => net.said.length === 1)
    assert.deepEqual(im.unsentOf('C-SHOP').map((one) => one.m), [m])
    net.cut()
    im.retryNow()
    await net.until(() => im.conversation('C-SHOP').entries.some((entry) => entry.m === m))
    assert.deepEqual(im.unsentOf('C-SHOP'), [])
    im.stop()
  },
  async 'tabs that have no database in common each send what is written in them'() {
    const net = browser.net()
    const start = () => {
      const im = new ImClient({ ticket: () => Promise.resolve('t'), device: 'd', app: 'shop', side: 'buyer', lang: () => 'zh-CN' })
      im.start('U')
      return im
    }
    const [first, second] = [start(), start()]
    await net.until(() => first.conversation('C-SHOP') && second.conversation('C-SHOP'))
    void second.send('C-SHOP', 'text', { text: 'said in the second tab' })
    await net.until(() => net.sent.some((one) => one.frame.t === 5))
    first.stop()
    second.stop()
  },
  async 'what somebody looked at, chose and put into the cart is not told as the next one\'s'() {
    const { session } = await load('session')
    const [trail, said, cart] = [await load('trail'), await load('said'), await load('cart')]
    let who = ''
    const sent = []
    browser.answer = (method, path, body) => {
      sent.push({ method, path, body })
      if (path === '/buyer/login') who = body.phone
      if (path === '/buyer/session' && method === 'DELETE') return [204]
      return [200, { csrf_token: 't', person: { id: who, nickname: who }, ticket: 't' }]
    }
    await session.signIn({ phone: 'ANNA' })
    trail.look(SHOP, 'what ANNA looked at')
    said.voted('answer-1', 'no')
    cart.put({ sku_id: 'K', shop_id: SHOP, quantity: 2, seen_fen: 5, title: 'what ANNA wants' })
    await session.signOut()
    await session.signIn({ phone: 'BEN' })
    trail.tellTrail(SHOP, 'the chat')
    trail.look('S2', 'what BEN looked at')
    said.picked('answer-2', 'x')
    await rest()
    const told = sent.find((one) => one.path === `/buyer/visits/${SHOP}`)
    assert.deepEqual([told.body.title, told.body.cart.count], ['the chat', 0])
    assert.ok(!/ANNA|answer-1/.test(JSON.stringify([browser.local.all(), browser.session.all()])), JSON.stringify(browser.local.all()))
    await session.signOut()
  },
}

let failures = 0
for (const [name, test] of Object.entries(tests)) {
  if (process.argv[2] && !name.includes(process.argv[2])) continue
  const fault = await test().then(() => '', (failed) => failed)
  if (fault) failures += 1
  console.log(fault ? `BAD ${name}\n${fault.stack}` : `ok  ${name}`)
}
// Sockets and timers of the clients go on otherwise.
process.exit(failures ? 1 : 0)
