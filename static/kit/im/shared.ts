// One connection for all tabs of a browser: the leading tab holds it, the others speak and hear through it.
import { Link, type LinkOwner } from './link'
import { OwnLine, type Line, type LineOptions, type LineOwner } from './line'
import { Tabs, type Note, type TabsOwner } from './tabs'
import { ImError, T, type Connection, type Inbound, type Outbound, type WelcomeFrame } from './types'

/** A follower's end: frames go to the leading tab and come from it. */
class RelayLink extends Link {
  constructor(
    owner: LinkOwner,
    readonly id: number,
    welcome: WelcomeFrame,
    private readonly tell: (frame: Outbound) => void,
  ) {
    super(owner)
    this.welcome = welcome
  }

  send(frame: Outbound): void {
    // What the browser has received, the leading tab has received: it says so for all.
    if (frame.t !== T.ACK) this.tell(frame)
  }

  heard(frame: Inbound): void {
    this.hear([frame])
    this.unwatched()
  }

  cut(): void {
    this.end(0)
  }

  protected ready(): boolean {
    return true
  }

  protected release(): void {}
}

export class SharedLine implements Line, LineOwner, TabsOwner {
  readonly connection: Connection = { phase: 'idle', retryAt: 0, reason: '', everOnline: false, skew: 0 }
  private readonly tabs: Tabs
  private own: OwnLine | null = null
  private relay: RelayLink | null = null
  private relays = 0
  /** Which tabs watch what: the server is asked once, and told when the last one has lost interest. */
  private readonly watched = new Map<string, Set<string>>()

  constructor(
    scope: string,
    private readonly options: LineOptions,
    private readonly owner: LineOwner & { restock(): void },
  ) {
    this.tabs = new Tabs(`octshop-im ${scope}`, this)
  }

  get link(): Link | null {
    return this.own ? this.own.link : this.relay
  }

  get sends(): boolean {
    return this.own !== null
  }

  start(): void {
    this.show({ ...this.connection, phase: 'connecting' })
    this.tabs.start()
  }

  stop(): void {
    this.tabs.stop()
    this.follow()
    this.show({ ...this.connection, phase: 'idle', reason: '' })
  }

  retryNow(): void {
    if (this.own) this.own.retryNow()
    else this.tabs.tell({ k: 'wake' })
  }

  share(frame: Inbound): void {
    this.tabs.tell({ k: 'aside', frame })
  }

  stocked(): void {
    this.tabs.tell({ k: 'stocked' })
  }

  subscribe(frame: Outbound): Promise<unknown> {
    if (this.own) return this.watch(this.tabs.me, frame)
    return this.relay ? this.relay.ask(frame) : Promise.reject(new ImError('im.cut', '', true, 0))
  }

  // ---- who leads ----

  lead(): void {
    if (this.own) return
    this.relay?.cut()
    this.relay = null
    this.watched.clear()
    // One device for the whole browser: should a frozen tab still hold a socket, the server replaces it by this one.
    this.own = new OwnLine(this.options, this, `${this.options.device}.tabs`)
    const { everOnline, skew } = this.connection
    Object.assign(this.own.connection, { everOnline, skew })
    this.own.start()
    this.owner.restock()
  }

  follow(): void {
    const own = this.own
    this.own = null
    own?.stop()
    const relay = this.relay
    this.relay = null
    relay?.cut()
  }

  joined(tab: string): void {
    this.tabs.tell({ k: 'state', to: tab, state: { ...this.connection }, welcome: this.own?.link?.welcome ?? null })
  }

  left(tab: string): void {
    for (const key of [...this.watched.keys()]) void this.forget(tab, key)
  }

  // ---- as the leader: what the server says goes to all ----

  up(link: Link): void {
    if (!this.own) return
    this.watched.clear()
    this.tabs.tell({ k: 'state', state: { ...this.connection }, welcome: link.welcome })
    this.owner.up(link)
  }

  frame(frame: Inbound): void {
    this.owner.frame(frame)
    const single = frame.t === T.PING || frame.t === T.GOAWAY || ('i' in frame && frame.i !== undefined)
    if (this.own && !single) this.tabs.tell({ k: 'frame', frame })
  }

  missed(): void {
    this.owner.missed()
    this.tabs.tell({ k: 'missed' })
  }

  state(state: Connection): void {
    if (!this.own) return
    this.show(state)
    if (state.phase !== 'online') this.tabs.tell({ k: 'state', state: { ...state }, welcome: null })
  }

  heard(note: Note): void {
    if (note.k === 'aside') return this.owner.frame(note['frame'] as Inbound)
    if (note.k === 'stocked') return this.owner.restock()
    if (this.own) {
      if (note.k === 'up') void this.carry(note)
      else if (note.k === 'wake') this.own.retryNow()
    } else if (note.from === this.tabs.leader) this.told(note)
  }

  private async carry(note: Note): Promise<void> {
    const { i, ...frame } = note['frame'] as Outbound
    const link = this.own?.link
    if (i === undefined) return link?.send(frame)
    const answer = (said: Inbound | Record<string, unknown>) =>
      this.tabs.tell({ k: 'answer', to: note.from, relay: note['relay'], frame: { ...said, i } })
    try {
      if (!link?.open) throw new ImError('im.cut', '', true, 0)
      answer(frame.t === T.SUB ? await this.watch(note.from, frame) : await link.ask(frame))
    } catch (fault) {
      if (!(fault instanceof ImError)) throw fault
      answer({ t: T.ERR, code: fault.code, msg: fault.detail, retry: fault.retry, after: fault.after })
    }
  }

  private async watch(tab: string, frame: Outbound): Promise<Inbound> {
    const link = this.own?.link
    if (!link?.open) throw new ImError('im.cut', '', true, 0)
    const done: Inbound = { t: T.RES, i: 0 }
    const keys = (frame['ids'] as string[]).map((id) => `${String(frame['k'])} ${id}`)
    if (frame['on'] === false) {
      for (const key of keys) await this.forget(tab, key)
      return done
    }
    const fresh = keys.filter((key) => !this.watched.get(key)?.size)
    if (fresh.length) await link.ask({ ...frame, ids: fresh.map((key) => key.split(' ')[1]) })
    for (const key of keys) this.watched.set(key, (this.watched.get(key) ?? new Set()).add(tab))
    return done
  }

  private async forget(tab: string, key: string): Promise<void> {
    const tabs = this.watched.get(key)
    if (!tabs?.delete(tab) || tabs.size) return
    this.watched.delete(key)
    const [k, id] = key.split(' ')
    await this.own?.link?.ask({ t: T.SUB, k, ids: [id], on: false }).catch(() => undefined)
  }

  // ---- as a follower: the leader's word ----

  private told(note: Note): void {
    if (note.k === 'missed') this.owner.missed()
    else if (note.k === 'frame') this.relay?.heard(note['frame'] as Inbound)
    else if (note.k === 'answer') {
      if (note['relay'] === this.relay?.id) this.relay?.heard(note['frame'] as Inbound)
    } else if (note.k === 'state') this.leaderIs(note['state'] as Connection, note['welcome'] as WelcomeFrame | null)
  }

  private leaderIs(state: Connection, welcome: WelcomeFrame | null): void {
    if (welcome && this.relay?.welcome?.sid === welcome.sid) return
    const old = this.relay
    this.relay = null
    old?.cut()
    if (!welcome) return this.show(state)
    const id = (this.relays += 1)
    const hears: LinkOwner = { welcomed: () => undefined, ended: () => undefined, frame: (_link, frame) => this.owner.frame(frame) }
    const relay = new RelayLink(hears, id, welcome, (frame) => this.tabs.tell({ k: 'up', to: this.tabs.leader, relay: id, frame }))
    this.relay = relay
    this.show({ ...state, phase: 'online', everOnline: true })
    this.owner.up(relay)
  }

  private show(state: Connection): void {
    Object.assign(this.connection, state)
    this.owner.state(this.connection)
  }
}
