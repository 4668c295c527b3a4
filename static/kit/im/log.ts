// What this client knows of its conversations: contiguous runs of entries, holes waiting to be filled. No sockets here.
import type { Conversation, Entry, SyncedConversation } from './types'

export class Log {
  readonly conversations = new Map<string, Conversation>()
  /** Entries above a hole, by conversation and number. */
  private readonly above = new Map<string, Map<number, Entry>>()
  /** When entries were recalled or edited last, by conversation and number, as events have told. */
  private readonly changes = new Map<string, Map<number, number>>()

  /** How far earlier conversations have been paged in, by the one that goes on. */
  private readonly paged = new Map<string, { at: number; below: number }>()

  clear(): void {
    this.paged.clear()
    this.conversations.clear()
    this.above.clear()
    this.changes.clear()
  }

  /** Number of the newest entry of the contiguous run; 0 when nothing is held. */
  last(c: string): number {
    return this.conversations.get(c)?.entries.at(-1)?.s ?? 0
  }

  /** What SYNC tells the server: how far each run goes without a hole. */
  heads(): Record<string, number> {
    const heads: Record<string, number> = {}
    const newest = [...this.conversations.values()].sort((a, b) => lastTime(b) - lastTime(a)).slice(0, 500)
    for (const conversation of newest) heads[conversation.c] = this.last(conversation.c)
    return heads
  }

  /** Numbers held here whose content has changed since, as the log's own events tell: to be pulled again. */
  stale(c: string): number[] {
    const told = this.changes.get(c)
    if (!told?.size) return []
    const held = [...(this.conversations.get(c)?.entries ?? []), ...(this.above.get(c)?.values() ?? [])]
    return held.filter((entry) => version(entry) < (told.get(entry.s) ?? 0)).map((entry) => entry.s)
  }

  /** Remembers what an event says of another entry: also of one that is still on its way here in its older state. */
  private heed(c: string, { k, b }: Entry): void {
    if (k !== 'event' || (b.ev !== 'recalled' && b.ev !== 'edited') || !b.s || !b.at) return
    const told = this.changes.get(c) ?? new Map<number, number>()
    told.set(b.s, Math.max(told.get(b.s) ?? 0, b.at))
    this.changes.set(c, told)
  }

  /** Takes one live entry. Returns whether it is news; out of order it waits above the hole. */
  take(c: string, entry: Entry): boolean {
    this.heed(c, entry)
    const conversation = this.conversations.get(c)
    const last = this.last(c)
    if (conversation) conversation.head = Math.max(conversation.head, entry.s)
    if (conversation && entry.s <= last) return false
    const waiting = this.above.get(c) ?? new Map<number, Entry>()
    const there = waiting.get(entry.s)
    if (there && version(entry) > version(there)) waiting.set(entry.s, entry)
    if (there) return false
    waiting.set(entry.s, entry)
    this.above.set(c, waiting)
    if (conversation) this.join(conversation)
    return true
  }

  /** An entry held here was recalled or edited. Returns whether that is news: an older state on its way is none. */
  amend(c: string, entry: Entry): boolean {
    this.heed(c, entry)
    const conversation = this.conversations.get(c)
    const held = conversation?.entries.find((one) => one.s === entry.s)
    if (!conversation || !held || version(entry) <= version(held)) return false
    conversation.entries = conversation.entries.map((one) => (one.s === entry.s ? entry : one))
    return true
  }

  /** The numbers missing below what waits, or null. */
  hole(c: string): { from: number; to: number } | null {
    const waiting = this.above.get(c)
    const last = this.last(c)
    const head = this.conversations.get(c)?.head ?? 0
    if (waiting?.size) return { from: last + 1, to: Math.min(...waiting.keys()) - 1 }
    return head > last ? { from: last + 1, to: head } : null
  }

  /** Someone told us of a higher number without the entry. Returns false when the conversation is unknown. */
  hear(c: string, head: number): boolean {
    const conversation = this.conversations.get(c)
    if (!conversation) return false
    conversation.head = Math.max(conversation.head, head)
    return true
  }

  /** Takes what SYNC says of a conversation. A page that does not reach our run replaces it: history pages in later. */
  synced(told: SyncedConversation): void {
    const ents = [...(told.ents ?? [])].sort((a, b) => a.s - b.s)
    const known = this.conversations.get(told.c)
    const lowest = ents[0]?.s ?? told.head + 1
    const reaches = known !== undefined && lowest <= this.last(told.c) + 1
    const kept = reaches ? known.entries : []
    const conversation: Conversation = {
      c: told.c,
      head: Math.max(told.head, known?.head ?? 0),
      read: Math.max(told.read, known?.read ?? 0),
      peerRead: Math.max(told.peer_read ?? 0, known?.peerRead ?? 0),
      unread: told.unread,
      peer: told.peer,
      shopId: told.shop_id,
      ctx: told.ctx ?? known?.ctx ?? null,
      entries: kept,
      moreHere: reaches ? known.moreHere : (told.more ?? (ents[0]?.s ?? 1) > 1 + (told.floor ?? 0)),
      more: false,
      earlier: told.earlier ?? known?.earlier ?? [],
      before: known?.before ?? [],
      typingUntil: 0,
    }
    conversation.more = conversation.moreHere || this.further(conversation) !== null
    this.conversations.set(told.c, conversation)
    if (!conversation.entries.length && ents.length) {
      conversation.entries = []
      let next = lowest
      for (const entry of ents) this.heed(told.c, entry)
      for (const entry of ents) if (entry.s === next) next = conversation.entries.push(entry) && entry.s + 1
    } else for (const entry of ents) this.amend(told.c, entry) || this.take(told.c, entry)
    this.join(conversation)
  }

  /** Where history goes on in an earlier conversation, below which number (0: from its end); null when it is at its end. */
  further(conversation: Conversation): { c: string; below: number } | null {
    const { at = 0, below = 0 } = this.paged.get(conversation.c) ?? {}
    const c = conversation.earlier[at]
    return c ? { c, below } : null
  }

  /** Takes a page of an earlier conversation. */
  pulledBefore(conversation: Conversation, ents: Entry[], min: number): void {
    const { at = 0 } = this.paged.get(conversation.c) ?? {}
    const sorted = [...ents].sort((a, b) => a.s - b.s)
    conversation.before = [...sorted, ...conversation.before]
    const below = sorted[0]?.s ?? min
    this.paged.set(conversation.c, below > min ? { at, below } : { at: at + 1, below: 0 })
    conversation.more = conversation.moreHere || this.further(conversation) !== null
  }

  /** Takes a page of history or the filling of a hole. */
  pulled(c: string, ents: Entry[], head: number): void {
    const conversation = this.conversations.get(c)
    if (!conversation) return
    conversation.head = Math.max(conversation.head, head)
    const first = conversation.entries[0]?.s ?? 1
    for (const entry of ents) this.heed(c, entry)
    const older = ents.filter((entry) => entry.s < first).sort((a, b) => a.s - b.s)
    if (older.length && older.at(-1)?.s === first - 1) conversation.entries = [...older, ...conversation.entries]
    for (const entry of ents) if (entry.s >= first) this.amend(c, entry) || this.take(c, entry)
    this.join(conversation)
  }

  drop(c: string): void {
    this.conversations.delete(c)
    this.above.delete(c)
    this.changes.delete(c)
  }

  private join(conversation: Conversation): void {
    const waiting = this.above.get(conversation.c)
    if (!waiting) return
    const run = [...conversation.entries]
    // The log starts at 1; an empty run may begin nowhere else.
    let next = (run.at(-1)?.s ?? 0) + 1
    for (const s of [...waiting.keys()]) if (s < next) waiting.delete(s)
    for (let entry = waiting.get(next); entry; entry = waiting.get(next)) {
      run.push(entry)
      waiting.delete(next)
      next += 1
    }
    conversation.entries = run
    if (!waiting.size) this.above.delete(conversation.c)
  }
}

/** States of one entry in order: as said, edited at, recalled for good. */
function version(entry: Entry): number {
  return entry.rc ? Infinity : (entry.ed ?? 0)
}

export function lastTime(conversation: Conversation): number {
  return conversation.entries.at(-1)?.ts ?? 0
}
