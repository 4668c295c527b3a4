// Follows the log: takes what arrives, finds and fills holes, catches up after a cut, confirms what it has.
import type { Link } from './link'
import { Log } from './log'
import { ImError, T, type EntFrame, type Entry, type PulledFrame, type SyncedFrame } from './types'

export interface FollowerOwner {
  link: () => Link | null
  uid: () => string
  /** Something about this conversation changed; '' = the list as a whole. */
  changed: (c: string) => void
  /** A line of someone else came in live. */
  arrived: (c: string, entry: Entry) => void
  /** A message of our own was seen in the log. */
  landed: (m: string) => void
}

const HOLE_MS = 300
const ACK_MS = 800
const TYPING_MS = 4_000

export class Follower {
  readonly log = new Log()
  private syncing: Promise<void> | null = null
  private syncAgain = false
  private readonly holes = new Map<string, number>()
  private readonly renewing = new Set<string>()
  private readonly acks = new Map<string, number>()
  private ackTimer = 0

  constructor(private readonly owner: FollowerOwner) {}

  /** Our own message got its number. */
  numbered(c: string, entry: Entry): void {
    this.log.take(c, entry)
    if (this.log.hole(c)) this.mend(c)
    else this.ack(c)
  }

  /** Asks what changed since the heads held; further wishes during the asking make one more round. */
  sync(): Promise<void> {
    if (this.syncing) this.syncAgain = true
    this.syncing ??= this.syncRounds().finally(() => {
      this.syncing = null
    })
    return this.syncing
  }

  private async syncRounds(): Promise<void> {
    do {
      this.syncAgain = false
      const heads = this.log.heads()
      let cur: string | undefined
      for (let done = false; !done; ) {
        const link = this.owner.link()
        if (!link) return
        try {
          const page = await link.ask<SyncedFrame>(cur ? { t: T.SYNC, heads, cur } : { t: T.SYNC, heads })
          for (const told of page.convs) this.log.synced(told)
          // A buyer's earlier talk with the same shop is history of the one that goes on.
          if (link.welcome?.role === 'buyer') for (const c of page.convs.flatMap((told) => told.earlier ?? [])) this.log.drop(c)
          for (const c of page.gone ?? []) this.log.drop(c)
          for (const told of page.convs) {
            if (this.log.hole(told.c)) this.mend(told.c)
            else this.ack(told.c)
            void this.renew(told.c)
          }
          cur = page.cur
          done = page.done
        } catch (fault) {
          if (!(fault instanceof ImError) || !fault.retry || fault.code === 'im.cut') return
          await new Promise((resolve) => setTimeout(resolve, Math.max(500, fault.after)))
        }
      }
      this.owner.changed('')
    } while (this.syncAgain && this.owner.link())
  }

  entry(frame: EntFrame): void {
    const { c, t: _t, ...entry } = frame
    const known = this.log.conversations.get(c)
    if (this.log.amend(c, entry)) return this.owner.changed(c)
    const news = this.log.take(c, entry)
    if (!known) return this.mend(c)
    if (entry.m && this.own(entry)) this.owner.landed(entry.m)
    if (!news) return
    if (entry.k === 'event') void this.renew(c)
    known.typingUntil = 0
    if (this.log.hole(c)) this.mend(c)
    else this.ack(c)
    if (entry.k !== 'void' && !this.own(entry)) {
      if (entry.s > known.read && this.waits(entry)) known.unread += 1
      this.owner.arrived(c, entry)
    }
    this.owner.changed(c)
  }

  cursor(c: string, role: string, read: number): void {
    const conversation = this.log.conversations.get(c)
    if (!conversation) return
    const mine = role === this.owner.link()?.welcome?.role
    if (mine && read > conversation.read) {
      conversation.read = read
      conversation.unread = conversation.entries.filter((e) => e.s > read && !this.own(e) && this.waits(e)).length
    }
    if (!mine) conversation.peerRead = Math.max(conversation.peerRead, read)
    this.owner.changed(c)
  }

  typed(c: string, u: string): void {
    const conversation = this.log.conversations.get(c)
    if (!conversation || u === this.owner.uid()) return
    conversation.typingUntil = Date.now() + TYPING_MS
    this.owner.changed(c)
    window.setTimeout(() => this.owner.changed(c), TYPING_MS + 50)
  }

  gap(heads: Record<string, number>): void {
    for (const [c, head] of Object.entries(heads)) {
      this.log.hear(c, head)
      this.mend(c, 0)
    }
  }

  /** A hole is often filled by the next frame; only then is it worth a question. */
  private mend(c: string, wait = HOLE_MS): void {
    if (this.holes.has(c)) return
    const timer = window.setTimeout(() => void this.fill(c), wait)
    this.holes.set(c, timer)
  }

  private async fill(c: string): Promise<void> {
    this.holes.delete(c)
    if (!this.log.conversations.has(c)) return void this.sync()
    const hole = this.log.hole(c)
    const link = this.owner.link()
    if (!hole || !link) return
    try {
      const page = await link.ask<PulledFrame>({ t: T.PULL, c, from: hole.from, to: hole.to, n: 200 })
      const before = this.log.last(c)
      this.log.pulled(c, page.ents, page.head)
      const conversation = this.log.conversations.get(c)
      for (const entry of page.ents as Entry[])
        if (conversation && !this.own(entry) && entry.k !== 'void' && entry.s > before) {
          if (entry.s > conversation.read && this.waits(entry)) conversation.unread += 1
          this.owner.arrived(c, entry)
        }
      this.ack(c)
      void this.renew(c)
      this.owner.changed(c)
      if (this.log.last(c) > before && this.log.hole(c)) this.mend(c, 0)
    } catch {
      this.mend(c, 1_000)
    }
  }

  /** Pulls again what was recalled or edited after this client had got it, whatever the order in which it learnt so. */
  async renew(c: string): Promise<void> {
    if (this.renewing.has(c)) return
    this.renewing.add(c)
    try {
      for (let [s] = this.log.stale(c); s; [s] = this.log.stale(c)) {
        const page = await this.owner.link()?.ask<PulledFrame>({ t: T.PULL, c, from: s, to: s, n: 1 })
        if (!page?.ents.length) return // no socket: the next sync comes back to it
        this.log.pulled(c, page.ents, page.head)
        this.owner.changed(c)
      }
    } catch {
      window.setTimeout(() => void this.renew(c), 1_000)
    } finally {
      this.renewing.delete(c)
    }
  }

  private ack(c: string): void {
    const last = this.log.last(c)
    if (!last) return
    this.acks.set(c, last)
    this.ackTimer ||= window.setTimeout(() => {
      this.ackTimer = 0
      const link = this.owner.link()
      if (link?.open && this.acks.size) link.send({ t: T.ACK, d: Object.fromEntries(this.acks) })
      this.acks.clear()
    }, ACK_MS)
  }

  /** Whether somebody should look: for a shop what the buyer says, for a buyer everything that is shown. */
  private waits(entry: Entry): boolean {
    const staff = this.owner.link()?.welcome?.role === 'staff'
    return entry.k !== 'void' && (!staff || entry.fr === 'buyer')
  }

  private own(entry: Entry): boolean {
    // Lines that a buyer said before signing in bear another id and are the buyer's all the same.
    return entry.f === this.owner.uid() || (entry.fr === 'buyer' && this.owner.link()?.welcome?.role === 'buyer')
  }
}
