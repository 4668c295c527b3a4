// Sends what the outbox holds: one message of a conversation on the wire at a time, the same id for every try.
import { idsAfter, messageId } from './codec'
import type { Link } from './link'
import type { Outbox } from './outbox'
import { ImError, T, type Body, type Entry, type SentFrame, type Unsent } from './types'

export interface SenderOwner {
  /** What to send through; null while another tab of this browser sends. */
  link: () => Link | null
  /** The outbox has changed on this device. */
  stocked: () => void
  /** The server has numbered it. */
  numbered: (c: string, entry: Entry) => void
  changed: (c: string) => void
}

const ANSWER_MS = 5_000

export class Sender {
  /** Not yet numbered, oldest first. */
  unsent: Unsent[] = []
  private readonly busy = new Set<string>()
  /** Being written to the device, and just taken from it: a look at the device meanwhile must not deceive. */
  private readonly saving = new Set<string>()
  private readonly gone = new Set<string>()

  constructor(
    private readonly outbox: Outbox,
    private readonly owner: SenderOwner,
  ) {}

  of(c: string): Unsent[] {
    return this.unsent.filter((unsent) => unsent.c === c)
  }

  async put(uid: string, { c, shop }: { c: string; shop: string | undefined }, k: string, b: Body, re?: number, m = messageId()): Promise<string> {
    if (this.unsent.some((one) => one.m === m)) return m
    const unsent: Unsent = { m, uid, c, k, b, ts: Date.now(), state: 'sending', ...(shop ? { shop } : {}), ...(re ? { re } : {}) }
    this.unsent.push(unsent)
    this.owner.changed(c)
    await this.save(unsent)
    void this.flush(c)
    return unsent.m
  }

  async again(m: string): Promise<void> {
    const unsent = this.unsent.find((one) => one.m === m)
    if (!unsent) return
    unsent.state = 'sending'
    delete unsent.reason
    await this.save(unsent)
    this.owner.changed(unsent.c)
    void this.flush(unsent.c)
  }

  /** This is the conversation with the shop now: what waits in another goes into it. */
  async rehome(shop: string, c: string): Promise<void> {
    const moved = this.unsent.filter((one) => one.shop === shop && one.c !== c)
    for (const one of moved) {
      Object.assign(one, { c, state: 'sending' })
      delete one.reason
      await this.save(one)
    }
    if (moved.length) void this.flush(c)
  }

  async discard(m: string): Promise<void> {
    this.landed(m)
    await this.outbox.remove(m)
    this.owner.stocked()
  }

  /** Follows the device: what an earlier page or another tab of this person put there, settled or gave up. */
  async load(uid: string): Promise<void> {
    const kept = (await this.outbox.of(uid)).filter((one) => !this.gone.has(one.m))
    const mine = new Map(this.unsent.map((one) => [one.m, one]))
    const unsettled = this.unsent.filter((one) => this.saving.has(one.m) && !kept.some((its) => its.m === one.m))
    this.unsent = [...kept.map((one) => this.merged(mine.get(one.m), one)), ...unsettled].sort((a, b) => (a.m < b.m ? -1 : 1))
    const newest = this.unsent.at(-1)
    if (newest) idsAfter(newest.m)
    for (const c of new Set([...mine.values(), ...kept].map((one) => one.c))) this.owner.changed(c)
  }

  flushAll(): void {
    for (const c of new Set(this.unsent.map((unsent) => unsent.c))) void this.flush(c)
  }

  /** Seen in the log: it needs no more sending. */
  landed(m: string): void {
    const gone = this.unsent.find((unsent) => unsent.m === m)
    if (!gone) return
    this.unsent = this.unsent.filter((unsent) => unsent !== gone)
    this.gone.add(m)
    void this.outbox.remove(m).then(() => this.gone.delete(m))
    this.owner.changed(gone.c)
  }

  private merged(mine: Unsent | undefined, kept: Unsent): Unsent {
    if (!mine || this.saving.has(kept.m)) return mine ?? kept
    delete mine.reason
    return Object.assign(mine, kept)
  }

  private async save(unsent: Unsent): Promise<void> {
    this.saving.add(unsent.m)
    await this.outbox.put(unsent)
    this.saving.delete(unsent.m)
    // It may have been seen in the log, or given up, while it was written.
    if (this.unsent.includes(unsent)) this.owner.stocked()
    else await this.outbox.remove(unsent.m)
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
    const { c, m, k, b, re } = unsent
    const quote = re ? { re } : {}
    try {
      const sent = await link.ask<SentFrame>({ t: T.SEND, c, m, k, b, ...quote }, ANSWER_MS)
      const { uid = '', role = 'buyer' } = link.welcome ?? {}
      this.owner.numbered(c, { s: sent.s, f: uid, fr: role, m, k, b, ts: sent.ts, ...quote, ...(k === 'note' ? { vis: 'staff' as const } : {}) })
      this.landed(m)
    } catch (fault) {
      if (!(fault instanceof ImError)) throw fault
      // Moved into another conversation meanwhile: what this one said of it counts no more.
      if (fault.code === 'im.cut' || unsent.c !== c) return
      if (fault.retry) return void (await new Promise((resolve) => setTimeout(resolve, Math.max(300, fault.after))))
      unsent.state = 'failed'
      unsent.reason = fault.detail
      await this.save(unsent)
      this.owner.changed(c)
    }
  }
}
