// What a browser gives the clients' code, made of paper: stores, a network that answers when it is told to, locks, and no database.
const nothing = () => undefined
const hears = () => ({ addEventListener: nothing, removeEventListener: nothing, dispatchEvent: () => true })

class Store {
  getItem(key) { return Object.hasOwn(this, key) ? this[key] : null }
  setItem(key, value) { this[key] = String(value) }
  removeItem(key) { delete this[key] }
  all() { return { ...this } }
}

/** What is due has happened: promises, and timers that wait for nothing. */
export const rest = async () => {
  for (let n = 0; n < 5; n += 1) await new Promise((done) => setTimeout(done, 0))
}
/** A bound for what must happen: far beyond what it takes. */
const until = async (so) => {
  const end = Date.now() + 20_000
  while (!so()) {
    if (Date.now() > end) throw new Error(`it did not happen: ${so}`)
    await new Promise((done) => setTimeout(done, 5))
  }
}

/** A server for sockets: welcomes, tells of one conversation, numbers what is said. */
class Net {
  uid = 'U'
  sent = []
  /** Welcomes and answers nothing more. */
  silent = false
  /** Takes what is said into its log, and says nothing of it: another tab sent it, or the answer was lost. */
  mute = false
  said = []
  /** How far its clock is ahead of this device's (ms). */
  ahead = 0
  sockets = new Set()
  until = until

  cut() {
    for (const socket of [...this.sockets]) socket.close()
  }

  hear(socket, frame) {
    this.sent.push({ uid: socket.uid, frame })
    const say = (answer) => setTimeout(() => socket.onmessage?.({ data: JSON.stringify(answer) }), 0)
    if (frame.t === 1) say({ t: 2, sid: `s${this.sent.length}`, uid: socket.uid, role: 'buyer', now: Date.now() + this.ahead, hb: 25, tok: '' })
    if (this.silent) return
    const entry = { s: 1, f: 'x', fr: 'staff', m: '1', k: 'text', b: { text: 'hello' }, ts: 1 }
    if (frame.t === 11) say({ t: 25, i: frame.i, convs: [{ c: 'C-SHOP', head: 1 + this.said.length, read: 0, unread: 1, shop_id: 'S1', peer: {}, ents: [entry, ...this.said] }], done: true })
    if (frame.t === 5 && this.mute) this.said.push({ ...entry, s: 2, f: socket.uid, fr: 'buyer', m: frame.m, b: frame.b })
    else if (frame.t === 5) say({ t: 4, i: frame.i, c: frame.c, m: frame.m, s: 2, ts: Date.now() })
  }
}

/** HTTP whose answers can be held: those asked between `hold` and `pass` come with `release`. */
class Door {
  waiting = []
  holding = false
  until = until

  constructor(answers) {
    this.answers = answers
  }

  get held() { return this.waiting.length }
  hold() { this.holding = true }
  pass() { this.holding = false }

  async release() {
    for (const go of this.waiting.splice(0)) go()
    await rest()
    await rest()
  }

  async ask(url) {
    const found = Object.entries(this.answers).find(([part]) => (part.startsWith('/') ? url.endsWith(part) : url.includes(part)))
    const said = structuredClone(found?.[1]() ?? {})
    if (this.holding) await new Promise((go) => this.waiting.push(go))
    return [200, said]
  }
}

export class Browser {
  local = new Store()
  session = new Store()
  /** (method, path, body) → [status, body] */
  answer = () => [200, {}]

  constructor() {
    const set = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
    set('localStorage', this.local)
    set('sessionStorage', this.session)
    Object.assign(globalThis, hears())
    set('window', globalThis)
    set('document', Object.assign({ visibilityState: 'visible', referrer: '', documentElement: { dataset: {}, setAttribute: nothing }, querySelector: () => null, createElement: () => ({ style: {}, setAttribute: nothing, appendChild: nothing }), head: { appendChild: nothing } }, hears()))
    set('location', { pathname: '/shop/p/P1', host: 'x', protocol: 'http:', origin: 'http://x', search: '', href: 'http://x/' })
    set('matchMedia', () => ({ matches: false, ...hears() }))
    set('navigator', { onLine: true, userAgent: 'paper', languages: ['zh-CN'], locks: { request: this.lock } })
    this.noDatabase(set)
    set('fetch', async (url, { method = 'GET', body } = {}) => {
      const [status, said] = await this.answer(method, url.replace('/api/v1', ''), body ? JSON.parse(body) : undefined)
      return new Response(said === undefined ? null : JSON.stringify(said), { status })
    })
  }

  /** As a private window of some browsers: it is there, and cannot be opened. */
  noDatabase(set) {
    for (const name of ['IDBRequest', 'IDBDatabase', 'IDBObjectStore', 'IDBIndex', 'IDBCursor', 'IDBTransaction'])
      set(name, class { told = {}; addEventListener(kind, told) { this.told[kind] = told } removeEventListener() {} })
    set('indexedDB', { open() {
      const asked = new IDBRequest()
      asked.error = new Error('no database here')
      setTimeout(() => asked.told.error?.({ target: asked }), 0)
      return asked
    } })
  }

  /** As Web Locks: one holder at a time, in the order in which they came. */
  queues = new Map()
  lock = (name, how, work) => {
    const run = () => (work ?? how)({ name })
    const turn = (this.queues.get(name) ?? Promise.resolve()).then(run, run)
    this.queues.set(name, turn.catch(nothing))
    return turn
  }

  door(answers) {
    const door = new Door(answers)
    this.answer = (_method, path) => door.ask(path)
    return door
  }

  net() {
    const net = new Net()
    globalThis.WebSocket = class {
      static OPEN = 1
      readyState = 1
      protocol = 'mall.im.v1.json'
      constructor() {
        this.uid = net.uid
        net.sockets.add(this)
        setTimeout(() => this.onopen?.(), 0)
      }

      send(text) {
        net.hear(this, JSON.parse(text))
      }

      close() {
        if (!net.sockets.delete(this)) return
        this.readyState = 3
        setTimeout(() => this.onclose?.({ code: 1006 }), 0)
      }
    }
    return net
  }
}
