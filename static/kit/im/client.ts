// The chat client: connects, catches up, keeps order, sends each message exactly once. Knows no framework.
import { Follower } from './follower'
import type { Link } from './link'
import { messageId } from './codec'
import { OwnLine, type Line, type LineOptions, type LineOwner } from './line'
import { Emitter } from './emitter'
import { Notices, type NoticeListener } from './notices'
import { Outbox } from './outbox'
import { Sender } from './sender'
import { SharedLine } from './shared'
import { Tabs } from './tabs'
import {
  ImError,
  T,
  type Body,
  type Connection,
  type Context,
  type Conversation,
  type ImEvents,
  type Inbound,
  type Outbound,
  type PulledFrame,
  type SayKind,
  type Topic,
  type Unsent,
} from './types'

/** Characters of what is being written. */
const MOST_PREVIEW = 120

export interface ImOptions extends LineOptions {
  /** Tabs of one browser share a socket per person on one of these sides; without it each tab has its own. */
  side?: 'buyer' | 'staff'
  outbox?: Outbox
}

export class ImClient extends Emitter<ImEvents> implements LineOwner {
  connection: Connection = { phase: 'idle', retryAt: 0, reason: '', everOnline: false, skew: 0 }
  uid = ''

  private line: Line | null = null
  /** Which start it is: the database answers after a page may have stopped and started for another. */
  private starts = 0
  /** Read while there was no link. */
  private readonly reads = new Map<string, number>()
  private readonly outbox: Outbox
  private readonly sender: Sender
  private readonly follower: Follower
  private readonly notices = new Notices((frame) => this.line?.subscribe(frame) ?? Promise.resolve())
  private typedAt = 0
  private starting = false

  constructor(private readonly options: ImOptions) {
    super()
    this.outbox = options.outbox ?? new Outbox()
    this.sender = new Sender(this.outbox, {
      link: () => (this.line?.sends ? this.line.link : null),
      stocked: () => this.line?.stocked(),
      numbered: (c, entry) => {
        this.line?.share({ t: T.ENT, c, ...entry })
        this.follower.numbered(c, entry)
      },
      changed: (c) => this.emit('conversation', c),
    })
    this.follower = new Follower({
      link: () => this.line?.link ?? null,
      uid: () => this.uid,
      changed: (c) => this.emit('conversation', c),
      arrived: (c, entry) => this.emit('entry', { c, entry }),
      landed: (m) => this.sender.landed(m),
    })
  }

  // ---- for pages ----

  /** `person`: who is signed in here. Without it this tab keeps to itself. */
  start(person = ''): void {
    if (this.line || this.starting) return
    this.uid = person
    const side = person && Tabs.possible() ? this.options.side : undefined
    if (!side) return this.begin(new OwnLine(this.options, this))
    const mine = ++this.starts
    this.starting = true
    this.state({ ...this.connection, phase: 'connecting' })
    // What this tab writes is sent by the one that leads: without a database to share it would lie here for ever.
    void this.outbox.lasts.then((lasts) => {
      if (mine !== this.starts) return
      this.starting = false
      this.begin(lasts ? new SharedLine(`${side} ${person}`, this.options, this) : new OwnLine(this.options, this))
    })
  }

  private begin(line: Line): void {
    this.line = line
    if (this.uid) void this.restock()
    line.start()
  }

  /** What the guest `from` had not sent is the member's `to` to send. Before `start(to)`. */
  inherit(from: string, to: string): Promise<void> {
    return this.outbox.adopt(from, to)
  }

  /** What this person had not sent from here is not sent any more. After `stop()`. */
  drop(person: string): Promise<void> {
    return this.outbox.forget(person)
  }

  /** Leaves and forgets the person; what is unsent stays on the device under their id. */
  stop(): void {
    const line = this.line
    this.line = null
    this.starts += 1
    this.starting = false
    line?.stop()
    this.follower.log.clear()
    this.sender.unsent = []
    this.reads.clear()
    this.uid = ''
    this.state({ ...this.connection, phase: 'idle', retryAt: 0, reason: '' })
    this.emit('conversation', '')
  }

  /** The server's time, however wrong this device's clock is: what waits and what may still be taken back is judged by it. */
  now(): number {
    return Date.now() + this.connection.skew
  }

  /** Whether this tab holds the browser's connection: what should happen once per browser (a sound) happens here. */
  get leads(): boolean {
    return this.line?.sends ?? false
  }

  /** Tries again now, whatever the waiting says. */
  retryNow(): void {
    this.line?.retryNow()
  }

  list(): Conversation[] {
    const time = (x: Conversation) => this.unsentOf(x.c).at(-1)?.ts ?? x.entries.at(-1)?.ts ?? 0
    return [...this.follower.log.conversations.values()].sort((a, b) => time(b) - time(a))
  }

  conversation(c: string): Conversation | undefined {
    return this.follower.log.conversations.get(c)
  }

  /** How much of this person's is still on its way from this device. */
  async countUnsent(): Promise<number> {
    return this.uid ? (await this.outbox.of(this.uid)).length : 0
  }

  /** What has no number yet, oldest first. What the log holds has one, whichever tab sent it and whatever told of it
   *  first: a look at the device may be older than what the log has just learnt. */
  unsentOf(c: string): Unsent[] {
    const unsent = this.sender.of(c)
    const entries = unsent.length ? (this.follower.log.conversations.get(c)?.entries ?? []) : []
    return unsent.filter((one) => !entries.some((entry) => entry.m === one.m))
  }

  /** Puts a message on its way; it is safe on this device before anything is sent. Returns its id. `m`: the id it was
   *  given when it was begun; putting the same one again is the same message. */
  send(c: string, k: SayKind, b: Body, re?: number, m?: string): Promise<string> {
    return this.sender.put(this.uid, { c, shop: this.follower.log.conversations.get(c)?.shopId }, k, b, re, m)
  }

  /** One command to the log itself: recall, edit. Resolves with the server's word, rejects with ImError. */
  async op(op: string, c: string, a: Record<string, unknown>, m = messageId()): Promise<Record<string, unknown>> {
    const answer = await this.ask<Extract<Inbound, { t: 27 }>>({ t: T.OP, op, c, m, a })
    return answer.d ?? {}
  }

  async resend(m: string): Promise<void> {
    await this.sender.again(m)
    this.retryNow()
  }

  /** The person gives a message up. It may still arrive if it was on its way. */
  discard(m: string): Promise<void> {
    return this.sender.discard(m)
  }

  /** The buyer's conversation with a shop, made if need be. */
  async open(shopId: string, ctx?: Context): Promise<string> {
    const answer = await this.ask<Extract<Inbound, { t: 27 }>>({
      t: T.OP, op: 'open', a: ctx ? { shop_id: shopId, ctx } : { shop_id: shopId },
    })
    const c = answer.d?.c ?? ''
    if (c && !this.follower.log.conversations.has(c)) await this.follower.sync()
    const known = this.follower.log.conversations.get(c)
    if (known && ctx) known.ctx = ctx
    if (c) await this.sender.rehome(shopId, c)
    this.emit('conversation', c)
    return c
  }

  /** Loads older lines. Resolves when they are in, rejects with ImError. */
  async older(c: string, n = 30): Promise<void> {
    const conversation = this.follower.log.conversations.get(c)
    if (!conversation?.more) return
    if (!conversation.moreHere) return this.earlier(conversation, n)
    const first = conversation.entries[0]?.s ?? conversation.head + 1
    const page = await this.ask<PulledFrame>({ t: T.PULL, c, from: 1, to: first - 1, n, rev: true })
    this.follower.log.pulled(c, page.ents, page.head)
    void this.follower.renew(c)
    const now = conversation.entries[0]?.s ?? 1
    conversation.moreHere = now > page.min && page.ents.length > 0
    conversation.more = conversation.moreHere || this.follower.log.further(conversation) !== null
    this.emit('conversation', c)
  }

  private async earlier(conversation: Conversation, n: number): Promise<void> {
    const from = this.follower.log.further(conversation)
    if (!from) return
    const to = from.below ? { to: from.below - 1 } : {}
    const page = await this.ask<PulledFrame>({ t: T.PULL, c: from.c, from: 1, ...to, n, rev: true })
    this.follower.log.pulledBefore(conversation, page.ents, page.min)
    this.emit('conversation', conversation.c)
  }

  /** Everything shown has been seen. */
  markRead(c: string): void {
    const conversation = this.follower.log.conversations.get(c)
    const last = this.follower.log.last(c)
    if (!conversation || last <= conversation.read) return
    conversation.read = last
    conversation.unread = 0
    const link = this.line?.link
    if (link?.open) {
      link.send({ t: T.READ, c, s: last })
      this.line?.share({ t: T.CUR, c, u: this.uid, fr: link.welcome?.role ?? 'buyer', r: last })
    } else this.reads.set(c, last)
    this.emit('conversation', c)
  }

  /** Somebody writes here; what they are writing helps the shop's side to think ahead, and goes to nobody else. */
  typing(c: string, words = ''): void {
    if (Date.now() - this.typedAt < 2_500) return
    this.typedAt = Date.now()
    this.line?.link?.send({ t: T.SIG, c, k: 'typing' })
    if (words) this.line?.link?.send({ t: T.SIG, c, k: 'preview', d: words.slice(-MOST_PREVIEW) })
  }

  /** Hears NOTICEs about objects until the returned function is called. null means: you may have missed some. */
  watch(topic: Topic, ids: readonly string[], listener: NoticeListener): () => void {
    return this.notices.watch(topic, ids, listener)
  }

  // ---- what the line tells ----

  up(link: Link): void {
    const uid = link.welcome?.uid ?? ''
    if (this.uid && this.uid !== uid) this.follower.log.clear()
    this.uid = uid
    void this.catchUp()
  }

  state(state: Connection): void {
    this.connection = { ...state }
    this.emit('connection', this.connection)
  }

  missed(): void {
    void this.follower.sync()
  }

  /** The outbox on this device has changed, or it is this tab's turn to send what it holds. */
  async restock(): Promise<void> {
    if (!this.uid) return
    await this.sender.load(this.uid)
    this.sender.flushAll()
  }

  frame(frame: Inbound): void {
    switch (frame.t) {
      case T.ENT:
        return this.follower.entry(frame)
      case T.CUR:
        return this.follower.cursor(frame.c, frame.fr, frame.r ?? 0)
      case T.SIGNAL:
        this.emit('signal', frame)
        return this.follower.typed(frame.c, frame.u)
      case T.GAP:
        return this.follower.gap(frame.heads)
      case T.NOTICE:
        return this.notices.take({ ...frame, d: frame.d ?? {} })
      default:
    }
  }

  /** Asks what may be asked twice: over a cut or a change of the leading tab it is asked again. */
  private async ask<F extends Inbound>(frame: Outbound, tries = 3): Promise<F> {
    const link = await this.ready()
    try {
      return await link.ask<F>(frame)
    } catch (fault) {
      if (tries <= 1 || !(fault instanceof ImError) || fault.code !== 'im.cut') throw fault
      return this.ask<F>(frame, tries - 1)
    }
  }

  private ready(): Promise<Link> {
    const now = this.line?.link
    if (now?.open) return Promise.resolve(now)
    if (this.connection.phase === 'stopped') return Promise.reject(new ImError('im.stopped', this.connection.reason, false, 0))
    return new Promise((resolve, reject) => {
      const off = this.on('connection', (state) => {
        const link = this.line?.link
        if (state.phase === 'online' && link) resolve(link)
        else if (state.phase === 'stopped') reject(new ImError('im.stopped', state.reason, false, 0))
        else return
        off()
        window.clearTimeout(timer)
      })
      const timer = window.setTimeout(() => {
        off()
        reject(new ImError('im.no_answer', '', true, 0))
      }, 15_000)
    })
  }

  // ---- catching up ----

  private async catchUp(): Promise<void> {
    this.notices.renew()
    await this.sender.load(this.uid)
    await this.follower.sync()
    for (const [c, s] of this.reads) {
      const link = this.line?.link
      // Cut again meanwhile: they are told with the next link.
      if (!link?.open) break
      link.send({ t: T.READ, c, s })
      this.reads.delete(c)
    }
    this.sender.flushAll()
  }
}
