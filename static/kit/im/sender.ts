// Sends what the outbox holds: one message of a conversation on the wire at a time, the same id for every try.
import { messageId } from './codec'
import type { Link } from './link'
import type { Outbox } from './outbox'
import { ImError, T, type Body, type Entry, type SentFrame, type Unsent } from './types'

export interface SenderOwner {
  link: () => Link | null
  /** The server has numbered it. */
  numbered: (c: string, entry: Entry) => void
  changed: (c: string) => void
}

const ANSWER_MS = 5_000

export class Sender {
  /** Not yet numbered, oldest first. */
  unsent: Unsent[] = []
  private readonly busy = new Set<string>()

  constructor(
    private readonly outbox: Outbox,
    private readonly owner: SenderOwner,
  ) {}

  of(c: string): Unsent[] {
    return this.unsent.filter((unsent) => unsent.c === c)
  }

  async put(uid: string, c: string, k: string, b: Body): Promise<string> {
    const unsent: Unsent = { m: messageId(), uid, c, k, b, ts: Date.now(), state: 'sending' }
    this.unsent.push(unsent)
    this.owner.changed(c)
    await this.outbox.put(unsent)
    void this.flush(c)
    return unsent.m
  }

  async again(m: string): Promise<void> {
    const unsent = this.unsent.find((one) => one.m === m)
    if (!unsent) return
    unsent.state = 'sending'
    delete unsent.reason
    await this.outbox.put(unsent)
    this.owner.changed(unsent.c)
    void this.flush(unsent.c)
  }

  async discard(m: string): Promise<void> {
    this.landed(m)
    await this.outbox.remove(m)
  }

  /** What an earlier page of this person left behind joins the queue. */
  async load(uid: string): Promise<void> {
    const here = new Set(this.unsent.map((unsent) => unsent.m))
    const kept = (await this.outbox.of(uid)).filter((unsent) => !here.has(unsent.m))
    this.unsent = [...kept, ...this.unsent]
  }

  flushAll(): void {
    for (const c of new Set(this.unsent.map((unsent) => unsent.c))) void this.flush(c)
  }

  /** Seen in the log: it needs no more sending. */
  landed(m: string): void {
    const gone = this.unsent.find((unsent) => unsent.m === m)
    if (!gone) return
    this.unsent = this.unsent.filter((unsent) => unsent !== gone)
    void this.outbox.remove(m)
    this.owner.changed(gone.c)
  }

  private async flush(c: string): Promise<void> {
    if (this.busy.has(c)) return
    this.busy.add(c)
    try {
      for (let next = this.next(c); next && this.owner.link()?.open; next = this.next(c)) await this.one(next)
    } finally {
      this.busy.delete(c)
    }
  }

  private next(c: string): Unsent | undefined {
    return this.unsent.find((unsent) => unsent.c === c && unsent.state === 'sending')
  }

  private async one(unsent: Unsent): Promise<void> {
    const link = this.owner.link()
    if (!link) return
    const { c, m, k, b } = unsent
    try {
      const sent = await link.ask<SentFrame>({ t: T.SEND, c, m, k, b }, ANSWER_MS)
      const { uid = '', role = 'buyer' } = link.welcome ?? {}
      this.owner.numbered(c, { s: sent.s, f: uid, fr: role, m, k, b, ts: sent.ts })
      this.landed(m)
    } catch (fault) {
      if (!(fault instanceof ImError)) throw fault
      if (fault.code === 'im.cut') return
      if (fault.retry) return void (await new Promise((resolve) => setTimeout(resolve, Math.max(300, fault.after))))
      unsent.state = 'failed'
      unsent.reason = fault.detail
      await this.outbox.put(unsent)
      this.owner.changed(c)
    }
  }
}
