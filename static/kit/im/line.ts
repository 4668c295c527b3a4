// A page's way to the server: one tab's own connection, and how it comes back after every kind of end.
import { messageId } from './codec'
import { Link, type LinkOwner } from './link'
import { PollLink } from './poll'
import { SocketLink } from './socket'
import { ImError, T, type Connection, type Inbound, type Outbound, type WelcomeFrame } from './types'

export interface LineOptions {
  /** A one-time ticket from the server (POST …/ws-ticket). */
  ticket: () => Promise<string>
  /** Stable per browser. */
  device: string
  app: string
  lang: () => string
  url?: string
  pollUrl?: string
}

export interface LineOwner {
  /** A link is open: everything said from now on arrives; what was missed has to be asked for. */
  up(link: Link): void
  frame(frame: Inbound): void
  /** More was pushed than arrived. */
  missed(): void
  state(state: Connection): void
}

/** What the client needs of a connection, be it this tab's own or one that another tab holds for all. */
export interface Line {
  readonly link: Link | null
  readonly connection: Connection
  /** Whether this page is the one that sends what the outbox holds. */
  readonly sends: boolean
  start(): void
  stop(): void
  retryNow(): void
  subscribe(frame: Outbound): Promise<unknown>
  /** The other tabs of this browser should know, too: what this one's socket is not told again. */
  share(frame: Inbound): void
  /** The outbox has changed: whoever sends should look. */
  stocked(): void
}

/** How often a client that polls looks whether a socket can be had now. */
const SOCKET_AGAIN_MS = 120_000
const STOPPED = new Set([4003, 4004, 4005, 4006])

export class OwnLine implements Line, LinkOwner {
  readonly connection: Connection = { phase: 'idle', retryAt: 0, reason: '', everOnline: false, skew: 0 }
  readonly sends = true
  link: Link | null = null
  private opening: Link | null = null
  private resumeToken = ''
  private refusedTokens = 0
  private tries = 0
  private retryTimer = 0
  private wanted = false
  /** Sockets in a row that never came to WELCOME; two, and this network is taken for one that lets none through. */
  private blocked = 0
  private socketTimer = 0

  constructor(
    private readonly options: LineOptions,
    private readonly owner: LineOwner,
    private readonly device = `${options.device}.${messageId().slice(-6)}`,
  ) {}

  start(): void {
    if (this.wanted) return
    this.wanted = true
    window.addEventListener('online', this.wake)
    window.addEventListener('offline', this.lost)
    document.addEventListener('visibilitychange', this.wake)
    void this.connect()
  }

  stop(): void {
    this.wanted = false
    window.removeEventListener('online', this.wake)
    window.removeEventListener('offline', this.lost)
    document.removeEventListener('visibilitychange', this.wake)
    window.clearTimeout(this.retryTimer)
    window.clearTimeout(this.socketTimer)
    this.opening?.close()
    this.link?.close()
    this.opening = this.link = null
    this.resumeToken = ''
    this.phase('idle')
  }

  retryNow(): void {
    if (!this.wanted || this.link?.open || this.opening) return
    this.tries = 0
    window.clearTimeout(this.retryTimer)
    void this.connect()
  }

  subscribe(frame: Outbound): Promise<unknown> {
    return this.link?.open ? this.link.ask(frame) : Promise.reject(new ImError('im.cut', '', true, 0))
  }

  share(): void {}

  stocked(): void {}

  // ---- the link's life ----

  welcomed(link: Link, welcome: WelcomeFrame): void {
    const old = this.link
    this.link = link
    this.opening = null
    if (old && old !== link) old.close()
    this.resumeToken = welcome.tok ?? ''
    this.refusedTokens = 0
    this.connection.everOnline = true
    this.connection.skew = welcome.now - Date.now()
    window.setTimeout(() => {
      if (this.link === link && link.open) this.tries = 0
    }, 60_000)
    window.clearTimeout(this.socketTimer)
    if (link instanceof SocketLink) this.blocked = 0
    else this.socketTimer = window.setTimeout(this.trySocket, SOCKET_AGAIN_MS * (0.75 + Math.random() / 2))
    this.phase('online')
    this.owner.up(link)
  }

  ended(link: Link, code: number): void {
    if (link === this.link) this.link = null
    if (link === this.opening) this.opening = null
    if (link instanceof SocketLink && !link.welcome && (code === 0 || code === 1006)) this.blocked += 1
    // A server that is away lets neither through: after a poll that failed, sockets have their two tries again.
    else if (link instanceof PollLink && !link.welcome) this.blocked = 0
    if (this.link instanceof PollLink && link instanceof SocketLink) this.socketTimer = window.setTimeout(this.trySocket, SOCKET_AGAIN_MS * 2)
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
    if (frame.t === T.PING) {
      link.send({ t: T.PONG, n: frame.n })
      if (frame.uh > link.received) {
        link.received = frame.uh
        this.owner.missed()
      }
    } else if (frame.t === T.GOAWAY) window.setTimeout(() => void this.connect(true), frame.after)
    else if (frame.t === T.ERR && frame.code === 'im.token_expiring') void this.renew(link)
    if (link === this.link) this.owner.frame(frame)
  }

  private readonly trySocket = (): void => {
    this.blocked = 0
    void this.connect(true)
  }

  private async connect(beside = false): Promise<void> {
    if (!this.wanted || this.opening || (this.link?.open && !beside)) return
    window.clearTimeout(this.retryTimer)
    if (!beside) this.phase('connecting')
    try {
      const tok = this.resumeToken || (await this.options.ticket())
      if (!this.wanted || this.opening) return
      const { app, lang } = this.options
      this.opening = this.dial({ t: T.HELLO, v: 1, tok, dev: this.device, plat: 'web', app, lang: lang() })
    } catch (fault) {
      if (!this.wanted) return
      if ((fault as { status?: number }).status === 401) this.phase('stopped', '401')
      else this.later(0)
    }
  }

  private dial(hello: Outbound): Link {
    if (this.blocked >= 2) return new PollLink(this.options.pollUrl ?? '/im/poll', hello, this)
    const url = this.options.url ?? `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/im`
    return new SocketLink(url, hello, this)
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

  private phase(phase: Connection['phase'], reason = ''): void {
    this.connection.phase = phase
    this.connection.reason = reason
    this.owner.state(this.connection)
  }
}
