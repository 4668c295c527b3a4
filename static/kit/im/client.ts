// The chat client: connects, catches up, keeps order, sends each message exactly once. Knows no framework.
import { Follower } from './follower'
import { Link, type LinkOwner } from './link'
import { messageId } from './codec'
import { Emitter } from './emitter'
import { Notices, type NoticeListener } from './notices'
import { Outbox } from './outbox'
import { Sender } from './sender'
import {
  ImError,
  T,
  type Body,
  type Connection,
  type Context,
  type Conversation,
  type ImEvents,
  type Inbound,
  type PulledFrame,
  type Topic,
  type Unsent,
  type WelcomeFrame,
} from './types'

export interface ImOptions {
  /** A one-time ticket from the server (POST …/ws-ticket). */
  ticket: () => Promise<string>
  device: string
  app: string
  lang: () => string
  url?: string
  outbox?: Outbox
}

const STOPPED = new Set([4003, 4004, 4005, 4006])

export class ImClient extends Emitter<ImEvents> implements LinkOwner {
  readonly connection: Connection = { phase: 'idle', retryAt: 0, reason: '', everOnline: false }
  uid = ''

  private link: Link | null = null
  private opening: Link | null = null
  private resumeToken = ''
  private refusedTokens = 0
  private tries = 0
  private retryTimer = 0
  private wanted = false
  /** Read while there was no socket. */
  private readonly reads = new Map<string, number>()
  private readonly sender: Sender
  private readonly follower: Follower
  private readonly notices = new Notices(() => this.link)
  private readonly page = messageId().slice(-6)
  private typedAt = 0

  constructor(private readonly options: ImOptions) {
    super()
    this.sender = new Sender(options.outbox ?? new Outbox(), {
      link: () => this.link,
      numbered: (c, entry) => this.follower.numbered(c, entry),
      changed: (c) => this.emit('conversation', c),
    })
    this.follower = new Follower({
      link: () => this.link,
      uid: () => this.uid,
      changed: (c) => this.emit('conversation', c),
      arrived: (c, entry) => this.emit('entry', { c, entry }),
      landed: (m) => this.sender.landed(m),
    })
  }

  // ---- for pages ----

  start(): void {
    if (this.wanted) return
    this.wanted = true
    window.addEventListener('online', this.wake)
    window.addEventListener('offline', this.lost)
    document.addEventListener('visibilitychange', this.wake)
    void this.connect()
  }

  /** Leaves and forgets the person; what is unsent stays on the device under their id. */
  stop(): void {
    this.wanted = false
    window.removeEventListener('online', this.wake)
    window.removeEventListener('offline', this.lost)
    document.removeEventListener('visibilitychange', this.wake)
    window.clearTimeout(this.retryTimer)
    this.opening?.close()
    this.link?.close()
    this.opening = this.link = null
    this.follower.log.clear()
    this.sender.unsent = []
    this.resumeToken = this.uid = ''
    this.phase('idle')
    this.emit('conversation', '')
  }

  /** Tries again now, whatever the waiting says. */
  retryNow(): void {
    if (!this.wanted || this.link?.open || this.opening) return
    this.tries = 0
    window.clearTimeout(this.retryTimer)
    void this.connect()
  }

  list(): Conversation[] {
    const time = (x: Conversation) => this.unsentOf(x.c).at(-1)?.ts ?? x.entries.at(-1)?.ts ?? 0
    return [...this.follower.log.conversations.values()].sort((a, b) => time(b) - time(a))
  }

  conversation(c: string): Conversation | undefined {
    return this.follower.log.conversations.get(c)
  }

  /** What has no number yet, oldest first. */
  unsentOf(c: string): Unsent[] {
    return this.sender.of(c)
  }

  /** Puts a message on its way; it is safe on this device before anything is sent. Returns its id. */
  send(c: string, k: 'text' | 'product' | 'order', b: Body): Promise<string> {
    return this.sender.put(this.uid, c, k, b)
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
    const link = await this.ready()
    const answer = await link.ask<Extract<Inbound, { t: 27 }>>({
      t: T.OP, op: 'open', a: ctx ? { shop_id: shopId, ctx } : { shop_id: shopId },
    })
    const c = answer.d?.c ?? ''
    if (c && !this.follower.log.conversations.has(c)) await this.follower.sync()
    const known = this.follower.log.conversations.get(c)
    if (known && ctx) known.ctx = ctx
    this.emit('conversation', c)
    return c
  }

  /** Loads older lines. Resolves when they are in, rejects with ImError. */
  async older(c: string, n = 30): Promise<void> {
    const conversation = this.follower.log.conversations.get(c)
    if (!conversation?.more) return
    const first = conversation.entries[0]?.s ?? conversation.head + 1
    const page = await (await this.ready()).ask<PulledFrame>({ t: T.PULL, c, from: 1, to: first - 1, n, rev: true })
    this.follower.log.pulled(c, page.ents, page.head)
    const now = conversation.entries[0]?.s ?? 1
    conversation.more = now > page.min && page.ents.length > 0
    this.emit('conversation', c)
  }

  /** Everything shown has been seen. */
  markRead(c: string): void {
    const conversation = this.follower.log.conversations.get(c)
    const last = this.follower.log.last(c)
    if (!conversation || last <= conversation.read) return
    conversation.read = last
    conversation.unread = 0
    if (this.link?.open) this.link.send({ t: T.READ, c, s: last })
    else this.reads.set(c, last)
    this.emit('conversation', c)
  }

  typing(c: string): void {
    if (Date.now() - this.typedAt < 2_500) return
    this.typedAt = Date.now()
    this.link?.send({ t: T.SIG, c, k: 'typing' })
  }

  /** Hears NOTICEs about objects until the returned function is called. null means: you may have missed some. */
  watch(topic: Topic, ids: readonly string[], listener: NoticeListener): () => void {
    return this.notices.watch(topic, ids, listener)
  }

  // ---- the socket's life ----

  welcomed(link: Link, welcome: WelcomeFrame): void {
    const old = this.link
    this.link = link
    this.opening = null
    if (old && old !== link) old.close()
    if (this.uid && this.uid !== welcome.uid) this.follower.log.clear()
    this.uid = welcome.uid
    this.resumeToken = welcome.tok ?? ''
    this.refusedTokens = 0
    this.connection.everOnline = true
    this.phase('online')
    window.setTimeout(() => {
      if (this.link === link && link.open) this.tries = 0
    }, 60_000)
    void this.catchUp()
  }

  ended(link: Link, code: number): void {
    if (link === this.link) this.link = null
    if (link === this.opening) this.opening = null
    if (!this.wanted || this.link || this.opening) return
    if (code === 4003 && !link.welcome && this.refusedTokens < 2) {
      // The resume token or the ticket has aged on the way; a fresh ticket may still open the door.
      this.refusedTokens += 1
      this.resumeToken = ''
      void this.connect()
    } else if (STOPPED.has(code)) this.phase('stopped', String(code))
    else this.later(code === 4009 ? 60_000 : code === 4010 ? 200 : 0)
  }

  frame(link: Link, frame: Inbound): void {
    switch (frame.t) {
      case T.ENT:
        return this.follower.entry(frame)
      case T.CUR:
        return this.follower.cursor(frame.c, frame.fr, frame.r ?? 0)
      case T.SIGNAL:
        return this.follower.typed(frame.c, frame.u)
      case T.GAP:
        return this.follower.gap(frame.heads)
      case T.PING:
        link.send({ t: T.PONG, n: frame.n })
        if (frame.uh > link.received) {
          link.received = frame.uh
          void this.follower.sync()
        }
        return
      case T.GOAWAY:
        window.setTimeout(() => void this.connect(true), frame.after)
        return
      case T.NOTICE:
        return this.notices.take({ ...frame, d: frame.d ?? {} })
      case T.ERR:
        if (frame.code === 'im.token_expiring') void this.renew(link)
        return
      default:
    }
  }

  private async connect(beside = false): Promise<void> {
    if (!this.wanted || this.opening || (this.link?.open && !beside)) return
    window.clearTimeout(this.retryTimer)
    if (!beside) this.phase('connecting')
    try {
      const tok = this.resumeToken || (await this.options.ticket())
      if (!this.wanted || this.opening) return
      const url = this.options.url ?? `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/im`
      const hello = { t: T.HELLO, v: 1, tok, dev: `${this.options.device}.${this.page}`, plat: 'web', app: this.options.app, lang: this.options.lang() }
      this.opening = new Link(url, hello, this)
    } catch (fault) {
      if ((fault as { status?: number }).status === 401) this.phase('stopped', '401')
      else this.later(0)
    }
  }

  private later(least: number): void {
    // Without a network there is nothing to try; the browser tells when it is back.
    const wait = navigator.onLine ? least + Math.random() * Math.min(30_000, 500 * 2 ** this.tries) : 30_000
    this.tries = Math.min(this.tries + 1, 8)
    window.clearTimeout(this.retryTimer)
    this.retryTimer = window.setTimeout(() => void this.connect(), wait)
    this.connection.retryAt = navigator.onLine ? Date.now() + wait : 0
    this.phase('waiting')
  }

  private readonly wake = (): void => {
    const asleep = this.connection.phase === 'stopped' || document.visibilityState !== 'visible' || !navigator.onLine
    if (!asleep) this.retryNow()
  }

  private readonly lost = (): void => {
    this.opening?.close()
    this.link?.close()
  }

  private async renew(link: Link): Promise<void> {
    try {
      const answer = await link.ask<Extract<Inbound, { t: 27 }>>({ t: T.AUTH, tok: await this.options.ticket() })
      if (answer.d?.tok) this.resumeToken = answer.d.tok
    } catch {
      // The server closes when the old sign-in ends; then the usual way back applies.
    }
  }

  private ready(): Promise<Link> {
    if (this.link?.open) return Promise.resolve(this.link)
    return new Promise((resolve, reject) => {
      const off = this.on('connection', (state) => {
        if (state.phase === 'online' && this.link) resolve(this.link)
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
    for (const [c, s] of this.reads) this.link?.send({ t: T.READ, c, s })
    this.reads.clear()
    this.sender.flushAll()
  }

  private phase(phase: Connection['phase'], reason = ''): void {
    this.connection.phase = phase
    this.connection.reason = reason
    this.emit('connection', this.connection)
  }
}
