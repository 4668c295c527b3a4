// Carries chosen files into one conversation, in the order in which they were chosen: kept on the device, uploaded,
// said. What the network cuts goes on by itself or by a tap, with the same ids: it arrives once.
import { computed, reactive, type ComputedRef } from 'vue'
import { ApiError, newRequestId } from '@kit/api/http'
import { say as words } from '@kit/i18n'
import { messageId } from '@kit/im/codec'
import type { Body, SayKind } from '@kit/im/types'
import { carry } from './carry'
import type { FileDoor } from './door'
import type { Ready } from './ready'
import { Shelf, type Chosen } from './shelf'

export interface Parcel extends Chosen {
  /** The file as it lies on this device, to be shown while it goes. */
  url: string
  /** queued: its turn comes; cut: the network failed, it goes on when that is back; failed: it was refused. */
  state: 'queued' | 'going' | 'cut' | 'failed'
  /** 0…1 */
  done: number
  reason: string
}

export interface CourierOptions {
  door: FileDoor
  shop: string
  uid: () => string
  /** Comes to a conversation first, if need be. */
  say: (k: SayKind, b: Body, m: string) => Promise<unknown>
}

export const shelf = new Shelf()
const CUT = 'cut'
const WAITS_MS = [2_000, 5_000, 15_000, 30_000]

export class Courier {
  private readonly parcels: Parcel[] = reactive([])
  private readonly stops = new Map<string, AbortController>()
  /** Of what was said from here, so that a picture does not vanish and come again when it has arrived. */
  private readonly shown = reactive(new Map<string, string>())
  private readonly busy = new Set<'light' | 'heavy'>()
  private readonly let = new Map<string, () => void>()
  private timer = 0
  private misses = 0
  readonly list: ComputedRef<Parcel[]> = computed(() => this.parcels)

  constructor(readonly options: CourierOptions) {
    window.addEventListener('online', () => this.resume())
    // A request that was on its way when the network went is not told: it would wait for minutes.
    window.addEventListener('offline', () => this.stops.forEach((stop) => stop.abort(CUT)))
  }

  /** What an earlier page of this person has left. */
  async pickUp(): Promise<void> {
    const { shop, uid } = this.options
    for (const one of await shelf.of(uid(), shop)) {
      if (this.parcels.some((known) => known.m === one.m) || !(await this.hold(one.m))) continue
      this.parcels.push({ ...one, url: URL.createObjectURL(one.file), state: 'queued', done: 0, reason: '' })
    }
    this.go()
  }

  async add(chosen: Ready[]): Promise<void> {
    const { shop, uid } = this.options
    for (const one of chosen) {
      const parcel: Chosen = { ...one, m: messageId(), requestId: newRequestId(), uid: uid(), shop, ts: Date.now() }
      await this.hold(parcel.m)
      await shelf.put(parcel)
      this.parcels.push({ ...parcel, url: URL.createObjectURL(one.file), state: 'queued', done: 0, reason: '' })
    }
    this.go()
  }

  /** Goes on with what was cut, now. */
  resume(): void {
    window.clearTimeout(this.timer)
    for (const one of this.parcels) if (one.state === 'cut') one.state = 'queued'
    this.go()
  }

  again(m: string): void {
    const one = this.find(m)
    if (!one || one.state === 'going') return
    one.state = 'queued'
    one.reason = ''
    this.resume()
  }

  /** Given up by the person. */
  drop(m: string): void {
    this.stops.get(m)?.abort()
    const one = this.take(m)
    if (one) URL.revokeObjectURL(one.url)
    void shelf.remove(m)
    this.go()
  }

  /** Somebody else is here now: what was on its way stays on the device, for whom it belongs to. */
  forget(): void {
    window.clearTimeout(this.timer)
    for (const one of [...this.parcels]) {
      this.stops.get(one.m)?.abort()
      this.take(one.m)
    }
    this.shown.clear()
  }

  /** The file of a message as it lies on this device. */
  local(m: string): string | undefined {
    return this.shown.get(m) ?? this.find(m)?.url
  }

  private find(m: string): Parcel | undefined {
    return this.parcels.find((one) => one.m === m)
  }

  private take(m: string): Parcel | undefined {
    const at = this.parcels.findIndex((one) => one.m === m)
    this.let.get(m)?.()
    this.let.delete(m)
    return at < 0 ? undefined : this.parcels.splice(at, 1)[0]
  }

  /** One page of a browser carries it; where pages are not told of each other, the same ids make it one. */
  private hold(m: string): Promise<boolean> {
    if (!('locks' in navigator)) return Promise.resolve(true)
    return new Promise((done) => {
      void navigator.locks.request(`octshop-file ${m}`, { ifAvailable: true }, (lock) => {
        done(lock !== null)
        if (lock) return new Promise<void>((free) => this.let.set(m, free))
      })
    })
  }

  /** Pictures and voice notes do not wait for a film; within a lane the order is kept. */
  private go(): void {
    for (const lane of ['light', 'heavy'] as const) void this.run(lane)
  }

  private async run(lane: 'light' | 'heavy'): Promise<void> {
    if (this.busy.has(lane)) return
    this.busy.add(lane)
    const next = (): Parcel | undefined => {
      const mine = this.parcels.filter((one) => (one.kind === 'video' || one.kind === 'file') === (lane === 'heavy') && one.state !== 'failed')
      return mine[0]?.state === 'queued' ? mine[0] : undefined
    }
    try {
      for (let one = next(); one; one = next()) await this.one(one)
    } finally {
      this.busy.delete(lane)
    }
  }

  private async one(parcel: Parcel): Promise<void> {
    const stop = new AbortController()
    this.stops.set(parcel.m, stop)
    parcel.state = 'going'
    try {
      const body = await carry(this.options.door, parcel, (done) => (parcel.done = done), stop.signal)
      if (stop.signal.aborted && stop.signal.reason !== CUT) return
      await this.options.say(parcel.kind, { ...(parcel.w && parcel.h ? { w: parcel.w, h: parcel.h } : {}), ...body }, parcel.m)
      this.misses = 0
      this.shown.set(parcel.m, parcel.url)
      this.take(parcel.m)
      await shelf.remove(parcel.m)
    } catch (fault) {
      if (!stop.signal.aborted || stop.signal.reason === CUT) this.failed(parcel, fault)
    } finally {
      this.stops.delete(parcel.m)
    }
  }

  private failed(parcel: Parcel, fault: unknown): void {
    parcel.done = 0
    const refused = fault instanceof ApiError && !fault.retry && !fault.unknown
    parcel.state = refused ? 'failed' : 'cut'
    parcel.reason = fault instanceof ApiError ? fault.detail : words('kit.error.broken')
    if (refused) return
    parcel.reason = words('upload.cut')
    window.clearTimeout(this.timer)
    const wait = WAITS_MS[Math.min(this.misses, WAITS_MS.length - 1)] ?? 30_000
    this.misses += 1
    this.timer = window.setTimeout(() => navigator.onLine && this.resume(), wait)
  }
}
