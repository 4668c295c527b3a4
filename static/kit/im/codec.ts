// Frames to bytes and back, in the encoding the server chose; both encodings carry the same maps.
import { decode, encode } from '@msgpack/msgpack'
import type { Inbound, Outbound } from './types'

export const MSGPACK = 'mall.im.v1.msgpack'
export const JSON_TEXT = 'mall.im.v1.json'
export const PROTOCOLS = [MSGPACK, JSON_TEXT]

export function toWire(protocol: string, frame: Outbound): Uint8Array<ArrayBuffer> | string {
  return protocol === JSON_TEXT ? JSON.stringify(frame) : encode(frame, { ignoreUndefined: true })
}

/** One message of the socket holds one frame or an array of frames; what is no frame is left out. */
export function fromWire(data: string | ArrayBuffer | Uint8Array): Inbound[] {
  const value: unknown = typeof data === 'string' ? JSON.parse(data) : decode(new Uint8Array(data))
  return (Array.isArray(value) ? value : [value]).filter(isFrame)
}

export function isFrame(value: unknown): value is Inbound {
  return typeof value === 'object' && value !== null && typeof (value as { t?: unknown }).t === 'number'
}

let lastMs = 0
let sequence = 0

/** Ids made from now on sort after `m`, even where the clock was set back meanwhile. */
export function idsAfter(m: string): void {
  const ms = Number.parseInt(m.slice(0, 8) + m.slice(9, 13), 16)
  if (ms > lastMs) [lastMs, sequence] = [ms, 0xfff]
}

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

/** A message id: UUIDv7, so that ids made on one device sort as they were made. */
export function messageId(now = Date.now()): string {
  sequence = now > lastMs ? 0 : sequence + 1
  lastMs = Math.max(lastMs, now) + (sequence > 0xfff ? 1 : 0)
  sequence &= 0xfff
  const time = lastMs.toString(16).padStart(12, '0')
  const rest = crypto.getRandomValues(new Uint8Array(8))
  rest[0] = ((rest[0] ?? 0) & 0x3f) | 0x80
  const tail = hex(rest)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${sequence.toString(16).padStart(3, '0')}-${tail.slice(0, 4)}-${tail.slice(4)}`
}
