// The chat protocol's frames, as docs/im-protocol.md names them, and what the pages see of a conversation.

export const T = {
  HELLO: 1, WELCOME: 2, AUTH: 3, SENT: 4, SEND: 5, ACK: 7, READ: 9, SYNC: 11, PULL: 13, SIG: 15, OP: 17, SUB: 19,
  ENT: 20, CUR: 21, SIGNAL: 22, GAP: 23, SYNCED: 25, PULLED: 26, RES: 27, ERR: 28, PING: 29, PONG: 30,
  GOAWAY: 33, KICK: 34, NOTICE: 35,
} as const

export type Role = 'buyer' | 'staff' | 'bot' | 'system'

export type SayKind =
  | 'text' | 'image' | 'voice' | 'video' | 'file' | 'location' | 'product' | 'order' | 'coupon' | 'aftersale' | 'note'
export type EntryKind = SayKind | 'event' | 'void'

/** What an entry says; which fields, its kind says (octshop_rt/im/wire/fields.py). */
export interface Body {
  text?: string
  id?: string
  title?: string
  price_fen?: number
  /** Of a coupon: from which spend it holds; it takes off price_fen, or n basis points. */
  min_fen?: number
  picture?: string
  /** Buttons under an automatic answer, whose id is `id`. */
  opts?: { id: string; text: string; en?: string }[]
  file?: string
  name?: string
  mime?: string
  size?: number
  w?: number
  h?: number
  ms?: number
  /** A film has a small picture. */
  poster?: boolean
  lat?: number
  lng?: number
  ev?: string
  who?: string
  to?: string
  s?: number
  n?: number
  at?: number
}

/** Where the buyer came from. */
export interface Context {
  k: 'shop' | 'product' | 'order' | 'aftersale' | 'activity'
  id: string
  title?: string
}

/** One numbered line of a conversation. `k` void = nothing to show, the number is merely taken. */
export interface Entry {
  s: number
  id?: string
  f: string
  fr: Role
  m: string
  k: string
  b: Body
  ts: number
  re?: number
  /** Only the shop's side sees it. */
  vis?: 'staff'
  /** Edited, recalled at. */
  ed?: number
  rc?: number
}

/** A message that has no number yet; kept on this device until it has one or the person gives it up. */
export interface Unsent {
  m: string
  uid: string
  c: string
  /** Whose shop the conversation is with: a guest who begins anew has another with it. */
  shop?: string
  k: string
  b: Body
  ts: number
  state: 'sending' | 'failed'
  /** The entry it answers. */
  re?: number
  reason?: string
}

export interface Conversation {
  c: string
  /** Highest number the server has told of. */
  head: number
  /** Own side's read cursor. */
  read: number
  /** How far the other side has read. */
  peerRead: number
  unread: number
  peer: { id: string; name: string }
  shopId: string
  ctx: Context | null
  /** The contiguous run this client holds, oldest first. */
  entries: Entry[]
  /** Older entries exist on the server, here or in an earlier conversation. */
  more: boolean
  /** Older entries of this very conversation exist on the server. */
  moreHere: boolean
  /** Conversations that came before, newest first: what was said as a guest and as a member is one history. */
  earlier: string[]
  /** Their lines as far as they have been paged in, oldest first; numbered by themselves. */
  before: Entry[]
  /** Local time until which the other side is shown as typing. */
  typingUntil: number
}

export type Phase = 'idle' | 'connecting' | 'online' | 'waiting' | 'stopped'
export interface Connection {
  phase: Phase
  /** When the next try starts (local milliseconds). */
  retryAt: number
  /** Why it will not come back by itself. */
  reason: string
  /** False until the first WELCOME, so that pages show no banner at start. */
  everOnline: boolean
  /** How far the server's clock is ahead of this device's (ms), as of the last WELCOME. */
  skew: number
}

export type Topic = 'till' | 'voucher' | 'order' | 'case' | 'desk' | 'board'
/** A hint that something changed; the truth is fetched by GET. null = "you may have missed some". */
export interface Notice {
  topic: Topic
  id: string
  rev: number
  d: Record<string, unknown>
}

export interface ImEvents {
  connection: Connection
  /** Anything about this conversation (its number) changed; '' = the list as a whole. */
  conversation: string
  /** A line of someone else arrived live. */
  entry: { c: string; entry: Entry }
  /** A passing sign of somebody: typing, and where the server gives it, what is being typed. */
  signal: { c: string; u: string; fr: Role; k: string; d?: string }
}

/** The server refused, or could not settle, a frame. */
export class ImError extends Error {
  constructor(
    readonly code: string,
    readonly detail: string,
    readonly retry: boolean,
    readonly after: number,
  ) {
    super(`${code}: ${detail}`)
  }
}

// ---- frames that arrive; fields with a default are left out by the server ----

export interface EntFrame extends Entry {
  t: 20
  c: string
}
export interface WelcomeFrame {
  t: 2
  sid: string
  uid: string
  role: Role
  now: number
  hb: number
  lim: { frame: number; out: number; window: number; text: number }
  tok?: string
  resumed?: boolean
}
export interface SyncedConversation {
  c: string
  head: number
  read: number
  unread: number
  peer: { id: string; name: string }
  shop_id: string
  peer_read?: number
  floor?: number
  ctx?: Context
  ents?: (Entry & { c: string })[]
  more?: boolean
  earlier?: string[]
}
export interface SyncedFrame {
  t: 25
  i: number
  convs: SyncedConversation[]
  done: boolean
  gone?: string[]
  cur?: string
}
export interface PulledFrame {
  t: 26
  i: number
  c: string
  ents: (Entry & { c: string })[]
  min: number
  head: number
  more?: boolean
}
export interface SentFrame {
  t: 4
  i: number
  c: string
  m: string
  s: number
  ts: number
  dup?: boolean
}
export interface ErrFrame {
  t: 28
  code: string
  msg: string
  retry: boolean
  i?: number
  after?: number
  c?: string
  m?: string
}
export type Inbound =
  | WelcomeFrame
  | SentFrame
  | EntFrame
  | SyncedFrame
  | PulledFrame
  | ErrFrame
  | { t: 21; c: string; u: string; fr: Role; r?: number; d?: number }
  | { t: 22; c: string; u: string; fr: Role; k: string; d?: string }
  | { t: 23; heads: Record<string, number> }
  | { t: 27; i: number; d?: { c?: string; tok?: string } }
  | { t: 29; n: number; uh: number }
  | { t: 33; code: string; after: number; by: number }
  | { t: 34; code: string; msg: string }
  | { t: 35; topic: Topic; id: string; rev: number; d?: Record<string, unknown> }

export type Outbound = { t: number } & Record<string, unknown>
