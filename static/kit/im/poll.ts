// A link for networks that let no WebSocket through: frames go by POST and come by a GET that waits.
import { isFrame } from './codec'
import { Link, type LinkOwner } from './link'
import { T, type Inbound, type Outbound } from './types'

interface Answer {
  key?: string
  n?: number
  f?: Inbound[]
  close?: number
}

const TRIES = 4
const PAUSE_MS = 400
/** The server answers a waiting GET within 25 s. */
const HELD_MS = 40_000
const POST_MS = 15_000
const MOST_FRAMES = 64

export class PollLink extends Link {
  private key = ''
  private got = 0
  private outgoing: Outbound[] = []
  private posting = false
  private readonly leaving = new AbortController()

  constructor(
    private readonly base: string,
    hello: Outbound,
    owner: LinkOwner,
  ) {
    super(owner)
    this.watch(POST_MS + 1_000)
    void this.greet({ ...hello, t: T.HELLO })
  }

  send(frame: Outbound): void {
    // Asking for more is sign of life enough.
    if (this.over || frame.t === T.PONG) return
    this.outgoing.push(frame)
    void this.flush()
  }

  protected ready(): boolean {
    return this.key !== ''
  }

  protected release(polite: boolean): void {
    if (polite && this.key) void this.request('DELETE', '', undefined, POST_MS, true).catch(() => undefined)
    this.leaving.abort()
  }

  private async greet(hello: Outbound): Promise<void> {
    try {
      const answer = await this.request('POST', '', hello, POST_MS)
      const said = (await answer.json()) as Answer
      this.key = said.key ?? ''
      if (!answer.ok) return this.end(said.close ?? 0)
      this.take(said)
      if (!this.over) await this.listen()
    } catch {
      this.end(0)
    }
  }

  /** Hears until the end. What a lost answer brought is brought again: the server keeps it until it is confirmed. */
  private async listen(): Promise<void> {
    for (let tries = 0; !this.over; )
      try {
        const answer = await this.request('GET', `?after=${this.got}`, undefined, HELD_MS)
        if (answer.status >= 500) throw new Error(String(answer.status))
        this.take((await answer.json()) as Answer, answer.ok ? undefined : 4010)
        tries = 0
      } catch {
        tries += 1
        if (tries >= TRIES) return this.end(0)
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * 2 ** tries))
      }
  }

  private take(said: Answer, otherwise?: number): void {
    this.got = Math.max(this.got, said.n ?? 0)
    this.hear((said.f ?? []).filter(isFrame))
    const close = said.close ?? otherwise
    if (close !== undefined) this.end(close)
  }

  /** Posts one after the other; all frames may be posted twice, the server recognises what it has. */
  private async flush(): Promise<void> {
    if (this.posting || !this.key) return
    this.posting = true
    for (let tries = 0; this.outgoing.length && !this.over; ) {
      const frames = this.outgoing.slice(0, MOST_FRAMES)
      try {
        const answer = await this.request('POST', '/frames', frames, POST_MS)
        if (answer.status >= 500) throw new Error(String(answer.status))
        if (!answer.ok) this.take((await answer.json()) as Answer, 4010)
        this.outgoing = this.outgoing.slice(frames.length)
        tries = 0
      } catch {
        tries += 1
        if (tries >= TRIES) this.end(0)
        else await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * 2 ** tries))
      }
    }
    this.posting = false
  }

  private request(method: string, path: string, body: unknown, within: number, last = false): Promise<Response> {
    const limits = [AbortSignal.timeout(within), ...(last ? [] : [this.leaving.signal])]
    const one = new AbortController()
    for (const limit of limits) limit.addEventListener('abort', () => one.abort(), { once: true })
    const headers: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' }
    if (this.key) headers['Authorization'] = `Bearer ${this.key}`
    return fetch(this.base + path, {
      method, headers, credentials: 'omit', cache: 'no-store', keepalive: last, signal: one.signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  }
}
