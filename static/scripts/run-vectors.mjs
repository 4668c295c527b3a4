// Runs the kit's parts that need no page: the chat codec against tests/wire, the ordered log, money, barcodes.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from './clients.mjs'

const out = join(root, 'node_modules/.vectors')
mkdirSync(out, { recursive: true })
for (const path of ['kit/im/types.ts', 'kit/im/codec.ts', 'kit/im/log.ts', 'kit/money/money.ts', 'phone/parts/code128.ts']) {
  const source = readFileSync(join(root, path), 'utf8')
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true }
  const text = ts.transpileModule(source, { compilerOptions: options }).outputText
  writeFileSync(join(out, path.split('/').at(-1).replace('.ts', '.mjs')), text.replace(/from '\.\/(\w+)'/g, "from './$1.mjs'"))
}
const load = (name) => import(join(out, `${name}.mjs`))
const { JSON_TEXT, MSGPACK, fromWire, idsAfter, messageId, toWire } = await load('codec')
const { Log } = await load('log')
const { plain, toFen, yuan } = await load('money')
const { bars } = await load('code128')

const tests = {
  'every golden frame reads the same in both encodings and is written byte for byte'() {
    const folder = join(root, '../tests/wire')
    let seen = 0
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
      const vectors = JSON.parse(readFileSync(join(folder, file), 'utf8'))
      for (const direction of ['to_server', 'to_client'])
        for (const vector of vectors[direction] ?? []) {
          const bytes = Buffer.from(vector.msgpack, 'hex')
          const [fromJson] = fromWire(vector.json)
          const [fromMsgpack] = fromWire(bytes)
          assert.deepEqual(fromMsgpack, fromJson, vector.name)
          assert.deepEqual(JSON.parse(toWire(JSON_TEXT, fromJson)), JSON.parse(vector.json), vector.name)
          // The server announces maps that could hold more than 15 fields in two bytes; the shortest form means the same.
          const written = Buffer.from(toWire(MSGPACK, fromJson)).toString('hex')
          assert.equal(written, vector.msgpack.replaceAll(/de000([0-9a-f])/g, '8$1'), vector.name)
          seen += 1
        }
    }
    assert.ok(seen >= 20, `only ${seen} vectors`)
  },
  'a message of several frames keeps their order and drops what is no frame'() {
    assert.deepEqual(fromWire('[{"t":29,"n":1,"uh":0},5,null,{"x":1},{"t":999}]').map((frame) => frame.t), [29, 999])
  },
  'message ids are unique and sort as they were made'() {
    const ids = Array.from({ length: 10_000 }, () => messageId(1_700_000_000_000))
    assert.equal(new Set(ids).size, ids.length)
    assert.deepEqual([...ids].sort(), ids)
    assert.match(ids[0], /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  },
  'a clock that was set back does not put what is said now before what still waits'() {
    const waiting = messageId(1_900_000_000_000)
    idsAfter(waiting)
    assert.ok(messageId(1_700_000_000_000) > waiting)
  },
  'a recalled or edited entry takes the place of the one held'() {
    const log = new Log()
    log.synced(told({ head: 3, ents: range(1, 3) }))
    const before = log.conversations.get('C').entries
    assert.equal(log.amend('C', entry(2)), false)
    assert.equal(log.conversations.get('C').entries, before)
    assert.equal(log.amend('C', { ...entry(2), rc: 9 }), true)
    assert.equal(log.conversations.get('C').entries[1].rc, 9)
    assert.deepEqual(numbers(log), [1, 2, 3])
  },
  'whatever the order in which a change and the older state arrive, the change wins'() {
    const event = (s, ev, of, at) => ({ ...entry(s), k: 'event', fr: 'system', b: { ev, s: of, at } })
    const log = new Log()
    log.synced(told({ head: 3, ents: range(2, 3), more: true }))
    log.take('C', event(4, 'recalled', 1, 70))
    log.take('C', event(5, 'edited', 2, 71))
    assert.deepEqual(log.stale('C'), [2])
    log.pulled('C', [entry(1)], 5) // a page of history that left the server before the recall
    assert.deepEqual(log.stale('C'), [1, 2])
    log.pulled('C', [{ ...entry(1), b: {}, rc: 70 }, { ...entry(2), b: { text: 'new' }, ed: 71 }], 5)
    assert.deepEqual(log.stale('C'), [])
    for (const late of [entry(1), { ...entry(1), ed: 60 }, entry(2)]) assert.equal(log.amend('C', late), false)
    assert.deepEqual(log.conversations.get('C').entries.slice(0, 2).map((e) => e.b), [{}, { text: 'new' }])
    log.take('C', event(6, 'edited', 2, 90))
    log.take('C', event(7, 'edited', 9, 91))
    assert.deepEqual(log.stale('C'), [2])
    log.take('C', entry(9)) // above a hole, and older than the event told
    assert.deepEqual(log.stale('C'), [2, 9])
    log.take('C', { ...entry(9), ed: 91 })
    assert.deepEqual(log.stale('C'), [2])
  },
  'the log shows entries in order whatever order they come in, each once'() {
    const log = new Log()
    log.synced(told({ head: 2, ents: [entry(1), entry(2)] }))
    assert.equal(log.take('C', entry(5)), true)
    assert.equal(log.take('C', entry(4)), true)
    assert.equal(log.take('C', entry(4)), false)
    assert.deepEqual(numbers(log), [1, 2])
    assert.deepEqual(log.hole('C'), { from: 3, to: 3 })
    log.take('C', entry(3))
    assert.deepEqual(numbers(log), [1, 2, 3, 4, 5])
    assert.equal(log.hole('C'), null)
    assert.equal(log.take('C', entry(5)), false)
    assert.deepEqual(log.heads(), { C: 5 })
  },
  'a head without its entry is a hole'() {
    const log = new Log()
    log.synced(told({ head: 1, ents: [entry(1)] }))
    assert.equal(log.hear('C', 3), true)
    assert.deepEqual(log.hole('C'), { from: 2, to: 3 })
    assert.equal(log.hear('other', 3), false)
    log.pulled('C', [entry(2), entry(3)], 3)
    assert.deepEqual(numbers(log), [1, 2, 3])
  },
  'a sync page far ahead replaces the run, and history pages join it without a seam'() {
    const log = new Log()
    log.synced(told({ head: 2, ents: [entry(1), entry(2)] }))
    log.synced(told({ head: 30, ents: range(11, 30), more: true }))
    assert.deepEqual(numbers(log), range(11, 30).map((e) => e.s))
    log.pulled('C', range(5, 10), 30)
    assert.equal(numbers(log)[0], 5)
    log.pulled('C', range(1, 2), 30)
    assert.equal(numbers(log)[0], 5, 'a page that does not touch the run is not shown')
  },
  'entries of a conversation that is not known yet wait for the sync'() {
    const log = new Log()
    assert.equal(log.take('C', entry(2)), true)
    log.synced(told({ head: 2, ents: [entry(1), entry(2)] }))
    assert.deepEqual(numbers(log), [1, 2])
  },
  'any order of delivery ends in the same log'() {
    for (let round = 0; round < 200; round++) {
      const log = new Log()
      log.synced(told({ head: 0, ents: [] }))
      const order = range(1, 30).sort(() => Math.random() - 0.5)
      for (const one of order) log.take('C', one)
      assert.deepEqual(numbers(log), range(1, 30).map((e) => e.s))
    }
  },
  'money is never a float'() {
    assert.equal(yuan(123456789), '¥1,234,567.89')
    assert.equal(yuan(-5), '-¥0.05')
    assert.equal(plain(1000), '10.00')
    for (const [text, fen] of [['12.5', 1250], ['0.07', 7], ['.5', 50], ['1,234', 123400], ['￥8。80', 880], ['4.35', 435], ['1.005', null], ['', null], ['.', null], ['1e3', null], ['-1', null]])
      assert.equal(toFen(text), fen, text)
    for (let fen = 0; fen < 20_000; fen++) assert.equal(toFen(plain(fen)), fen)
  },
  'a payment code becomes code 128 with its check symbol'() {
    // 18 digits: start, nine pairs, check = 11 symbols of 11 modules, the stop of 13, and two quiet zones of 10.
    assert.equal(bars('134512345678901234').width, 11 * 11 + 13 + 20)
    assert.throws(() => bars('123'))
  },
}

const entry = (s) => ({ s, id: `E${s}`, f: 'U', fr: 'buyer', m: `m${s}`, k: 'text', b: { text: String(s) }, ts: s })
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => entry(from + n))
const told = (fields) => ({ c: 'C', read: 0, unread: 0, peer: { id: 'S', name: 'shop' }, shop_id: 'S', ...fields })
const numbers = (log) => log.conversations.get('C').entries.map((e) => e.s)

let failed = 0
for (const [name, test] of Object.entries(tests))
  try {
    test()
    console.log(`ok    ${name}`)
  } catch (fault) {
    failed += 1
    console.error(`WRONG ${name}\n${fault.stack}`)
  }
process.exit(failed ? 1 : 0)
