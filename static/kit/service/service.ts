// The buyer's side of service at one shop: where their case stands, what they left. Notices say that something moved and
// move the place in the queue at once; what is true is asked for.
import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { newRequestId, sentence, Wish, type Api } from '@kit/api/http'
import type { BuyerCase, OwnMessage } from '@kit/api/types'
import type { ImClient } from '@kit/im/client'
import { ImError, type Context, type Notice } from '@kit/im/types'

export type Act = 'person' | 'quit' | 'again'

export interface Service {
  now: ShallowRef<BuyerCase | null>
  /** What was left at this shop, newest first. */
  left: ShallowRef<OwnMessage[]>
  busy: Ref<Act | ''>
  /** Why the last command was refused. */
  fault: Ref<string>
  /** Comes to the shop: the case that goes on, the one that has just ended, or a new one. */
  arrive: (ctx?: Context, anew?: boolean) => Promise<BuyerCase>
  act: (what: Act) => Promise<void>
  leave: (text: string, contact: string, requestId: string) => Promise<void>
  stop: () => void
}

/** So long after the end the buyer still looks at the case that is over: to rate it, to read. */
const RESTED_MS = 3_600_000
const ASK_MS = 250
const AGAIN_MS = 15_000
const OPENS_MS = 60_000
const SPREAD_MS = 5_000
const MOVES = new Set(['queued', 'assigned', 'transferred', 'ended', 'to_platform', 'reopened'])

/** Of one case by its revision; of two, the one that was opened before is over. */
export function older(one: BuyerCase, known: BuyerCase): boolean {
  if (one.id === known.id) return one.rev < known.rev
  return one.opened_at < known.opened_at || (one.opened_at === known.opened_at && one.id < known.id)
}

export function useService(api: () => Api, im: ImClient, shopId: string): Service {
  const now = shallowRef<BuyerCase | null>(null)
  const left = shallowRef<OwnMessage[]>([])
  const busy = ref<Act | ''>('')
  const fault = ref('')
  const wish = new Wish()
  const watched = new Map<string, () => void>()
  let timer = 0
  let asked = Date.now()
  /** Raised when somebody else is here: what was asked before is theirs no more, and is not shown. */
  let turn = 0
  const gone = (): ImError => new ImError('im.cut', '', true, 0)

  function take(one: BuyerCase, here: number): BuyerCase {
    if (here !== turn) throw gone()
    const known = now.value
    if (known && older(one, known)) return known
    now.value = one
    listen()
    return one
  }

  /** Hears of the case that goes on, and of those with which something was left that is not dealt with. */
  function listen(): void {
    const wanted = new Set(left.value.filter((one) => one.state !== 'closed').map((one) => one.case_id))
    if (now.value) wanted.add(now.value.id)
    for (const [id, stop] of watched) {
      if (wanted.has(id)) continue
      stop()
      watched.delete(id)
    }
    for (const id of wanted) if (!watched.has(id)) watched.set(id, im.watch('case', [id], (notice) => heard(id, notice)))
  }

  function heard(id: string, notice: Notice | null): void {
    if (!notice || 'message' in notice.d) void leftThere()
    if (id !== now.value?.id || (notice && ('message' in notice.d || 'visit' in notice.d))) return
    const place = notice?.d as Partial<BuyerCase> | undefined
    const one = now.value
    if (!place?.pos || one.state !== 'queued') return ask(id)
    const { pos, ahead = null, eta_s = null, attended = one.attended, serves_now = one.serves_now } = place
    now.value = { ...one, pos, ahead, eta_s, attended, serves_now }
    asked = Date.now()
    // Everybody hears their place: nobody need ask, unless service opens or closes. Then all who wait want to know until when.
    if (serves_now !== one.serves_now) ask(id, Math.random() * SPREAD_MS)
  }

  function ask(id: string, later = 0): void {
    window.clearTimeout(timer)
    timer = window.setTimeout(() => void look(id), ASK_MS + later)
  }

  async function look(id: string): Promise<void> {
    asked = Date.now()
    const here = turn
    try {
      take(await api().get<BuyerCase>(`/buyer/cases/${id}`), here)
    } catch {
      // The next notice, the log or the clock asks again.
    }
  }

  /** Answers come in any order: that of the question asked last counts. */
  let leftAsked = 0
  async function leftThere(): Promise<void> {
    const mine = ++leftAsked
    try {
      const { items } = await api().get<{ items: OwnMessage[] }>('/buyer/messages', { shop_id: shopId })
      if (mine !== leftAsked) return
      left.value = items
      listen()
    } catch {
      // What was left stands in the log all the same; its state comes with the next notice.
    }
  }

  /** Comes in again with the connection, where it has not worked. */
  let owed: (() => Promise<BuyerCase>) | null = null
  async function arrive(ctx?: Context, anew = false): Promise<BuyerCase> {
    const again = (owed = () => arrive(ctx, anew))
    const one = await come(ctx, anew)
    if (owed === again) owed = null
    return one
  }

  async function come(ctx: Context | undefined, anew: boolean): Promise<BuyerCase> {
    const here = turn
    void leftThere()
    if (!ctx && !anew) {
      const { items } = await api().get<{ items: BuyerCase[] }>('/buyer/cases')
      if (here !== turn) throw gone()
      const cases = items.filter((one) => one.shop_id === shopId)
      const last = cases[0]
      if (last?.ended_at && cases.every((one) => one.state === 'ended') && Date.now() - last.ended_at < RESTED_MS) return take(last, here)
    }
    const came = await api().post<BuyerCase>('/buyer/cases', { request_id: newRequestId(), shop_id: shopId, ...(ctx ? { ctx } : {}) })
    return take(came, here)
  }

  async function act(what: Act): Promise<void> {
    const one = now.value
    if (!one || busy.value) return
    const here = turn
    busy.value = what
    fault.value = ''
    try {
      if (what === 'again') await arrive(undefined, true)
      else await wish.run(async (id) => take(await api().post<BuyerCase>(`/buyer/cases/${one.id}/${what === 'quit' ? 'end' : 'person'}`, { request_id: id }), here))
    } catch (failed) {
      if (here !== turn) return
      fault.value = sentence(failed)
      void look(one.id)
    } finally {
      if (here === turn) busy.value = ''
    }
  }

  async function leave(text: string, contact: string, requestId: string): Promise<void> {
    const one = now.value && now.value.state !== 'ended' ? now.value : await arrive(undefined, true)
    await api().post(`/buyer/cases/${one.id}/messages`, { request_id: requestId, text, contact })
    await leftThere()
  }

  const offLine = im.on('connection', (state) => {
    if (state.phase === 'online' && owed && !now.value) owed().catch(() => undefined)
  })
  const off = im.on('entry', ({ c, entry }) => {
    if (c !== now.value?.c || entry.k !== 'event') return
    if (entry.b.ev === 'message_left') void leftThere()
    // The log may tell of a case that began with the buyer's own word.
    else if (entry.b.id && MOVES.has(entry.b.ev ?? '') && entry.b.id >= now.value.id) ask(entry.b.id)
  })
  // The net below the notices; and nobody tells that a shop has opened or that somebody has come.
  const clock = window.setInterval(() => {
    const one = now.value
    if (!one || document.visibilityState !== 'visible' || one.state === 'ended') return
    const nobody = one.state !== 'human' && !(one.serves_now && one.attended)
    const known = Date.now() - asked
    if ((one.state === 'queued' && known >= AGAIN_MS) || (nobody && known >= OPENS_MS)) ask(one.id, Math.random() * SPREAD_MS)
  }, AGAIN_MS)

  function stop(): void {
    turn += 1
    leftAsked += 1
    for (const end of watched.values()) end()
    watched.clear()
    window.clearTimeout(timer)
    owed = null
    now.value = null
    left.value = []
    busy.value = fault.value = ''
  }
  onScopeDispose(() => {
    off()
    offLine()
    window.clearInterval(clock)
    stop()
  })
  return { now, left, busy, fault, arrive, act, leave, stop }
}
