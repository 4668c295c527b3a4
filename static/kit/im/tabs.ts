// Which tab of this browser leads: a Web Lock decides, a channel talks, and a leader that freezes loses its place.
import { messageId } from './codec'

/** What tabs tell each other; `to` names one tab, without it all hear. */
export type Note = { k: string; from: string; to?: string } & Record<string, unknown>

export interface TabsOwner {
  /** This tab leads from now on. */
  lead(): void
  /** Another tab leads; '' while it is not known which. */
  follow(leader: string): void
  heard(note: Note): void
  /** A tab came and asks what there is to know. */
  joined(tab: string): void
  /** A tab that had come is gone. */
  left(tab: string): void
}

const BEAT_MS = 500
/** Beats without an answer after which the leader is taken for frozen: under two seconds. */
const SILENT_BEATS = 3

export class Tabs {
  readonly me = messageId()
  leader = ''
  private channel: BroadcastChannel | null = null
  private waiting = new AbortController()
  private release: (() => void) | null = null
  private alive: (() => void) | null = null
  private unheard = 0
  private timer = 0
  private readonly known = new Set<string>()

  constructor(
    private readonly name: string,
    private readonly owner: TabsOwner,
  ) {}

  /** Whether this browser can: locks exist on secure pages only, and without a database tabs have nothing to share. */
  static possible(): boolean {
    return typeof BroadcastChannel !== 'undefined' && 'locks' in navigator && typeof indexedDB !== 'undefined'
  }

  get leads(): boolean {
    return this.leader === this.me
  }

  start(): void {
    window.addEventListener('pagehide', this.sleep)
    window.addEventListener('pageshow', this.rise)
    document.addEventListener('freeze', this.sleep)
    document.addEventListener('resume', this.rise)
    this.join()
  }

  stop(): void {
    window.removeEventListener('pagehide', this.sleep)
    window.removeEventListener('pageshow', this.rise)
    document.removeEventListener('freeze', this.sleep)
    document.removeEventListener('resume', this.rise)
    this.leave()
  }

  tell(note: { k: string; to?: string } & Record<string, unknown>): void {
    this.channel?.postMessage({ ...note, from: this.me })
  }

  private join(): void {
    if (this.channel) return
    this.channel = new BroadcastChannel(this.name)
    this.channel.onmessage = (event: MessageEvent<Note>) => this.hear(event.data)
    // Held as long as this tab lives: whoever gets it knows that the tab is gone.
    void navigator.locks.request(`${this.name} ${this.me}`, () => new Promise<void>((done) => (this.alive = done)))
    this.unheard = 0
    this.timer = window.setInterval(this.beat, BEAT_MS)
    document.addEventListener('visibilitychange', this.beat)
    this.tell({ k: 'who' })
    this.seek()
  }

  private leave(): void {
    window.clearInterval(this.timer)
    document.removeEventListener('visibilitychange', this.beat)
    this.waiting.abort()
    this.release?.()
    this.alive?.()
    this.release = this.alive = null
    this.channel?.close()
    this.channel = null
    this.leader = ''
    this.known.clear()
  }

  private readonly sleep = (): void => {
    if (!this.channel) return
    const led = this.leads
    this.leave()
    if (led) this.owner.follow('')
  }

  private readonly rise = (): void => {
    this.join()
  }

  /** Waits for the lead in line; `steal` takes it from a leader that does not answer. */
  private seek(steal = false): void {
    this.waiting.abort()
    const waiting = (this.waiting = new AbortController())
    const how: LockOptions = steal ? { steal: true } : { signal: waiting.signal }
    const held = navigator.locks.request(this.name, how, () => {
      if (waiting.signal.aborted || !this.channel) return undefined
      return new Promise<void>((done) => {
        this.release = done
        this.leader = this.me
        this.owner.lead()
        this.tell({ k: 'lead' })
      })
    })
    held.then(
      () => undefined,
      () => {
        // Stolen while this tab was frozen (or merely asked no longer).
        if (waiting !== this.waiting || waiting.signal.aborted || !this.channel) return
        this.release = null
        this.leader = ''
        this.known.clear()
        this.owner.follow('')
        this.tell({ k: 'who' })
        this.seek()
      },
    )
  }

  private readonly beat = (): void => {
    if (this.leads) return
    if (this.unheard >= SILENT_BEATS) {
      this.unheard = 0
      this.seek(true)
      return
    }
    this.unheard += 1
    this.tell(this.leader ? { k: 'beat', to: this.leader } : { k: 'who' })
  }

  private hear(note: Note): void {
    if (note.to && note.to !== this.me) return
    if (note.k === 'beat') {
      if (this.leads) this.tell({ k: 'pulse', to: note.from })
    } else if (note.k === 'pulse') {
      if (note.from === this.leader) this.unheard = 0
    } else if (note.k === 'who') {
      if (this.leads) this.welcome(note.from)
    } else if (note.k === 'lead') {
      this.unheard = 0
      if (this.leads || note.from === this.leader) return
      this.leader = note.from
      this.tell({ k: 'who' })
      this.owner.follow(note.from)
    } else this.owner.heard(note)
  }

  private welcome(tab: string): void {
    this.tell({ k: 'lead', to: tab })
    this.owner.joined(tab)
    if (this.known.has(tab)) return
    this.known.add(tab)
    void navigator.locks.request(`${this.name} ${tab}`, () => {
      this.known.delete(tab)
      if (this.leads) this.owner.left(tab)
    })
  }
}
