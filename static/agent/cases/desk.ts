// The desk as the server tells it, for every shop this person answers for: who is served, who waits, who is there.
// Notices only say that something moved; what is true is asked for, at most a few times a second.
import { computed, onScopeDispose, reactive, ref, shallowReactive, watch, type ComputedRef } from 'vue'
import { sentence, type Page } from '@kit/api/http'
import { api, session } from '@kit/staff/staff'
import type { Conversation } from '@kit/im/types'
import { waitingSince } from '../list/waiting'
import type { Workplace } from '../workplace'
import type { AgentView, CaseView, DeskView } from './types'

export interface Desk {
  /** All shops this person answers for, told already or not. */
  shops: ComputedRef<string[]>
  views: Map<string, DeskView>
  /** The open case of a conversation, as far as this desk knows. */
  caseOf: (c: string) => CaseView | undefined
  /** Whether this desk knows how a conversation stands: without a case here it has none. */
  knows: (c: string, shopId: string) => boolean
  endedOf: (c: string) => CaseView | undefined
  isMine: (one: CaseView | undefined) => boolean
  /** Own buyers, those who wait, those with the machine: this agent's business. Others' are looked at only. */
  concerns: (c: string) => boolean
  queued: ComputedRef<CaseView[]>
  /** Somebody waits at a shop that gives nobody to anybody now: it is closed. */
  resting: ComputedRef<boolean>
  /** How many wait, listed or not. */
  waiting: ComputedRef<number>
  mine: ComputedRef<CaseView[]>
  ended: ComputedRef<CaseView[]>
  moreEnded: ComputedRef<boolean>
  loadEnded: (more?: boolean) => Promise<void>
  me: (shopId: string) => AgentView | undefined
  refresh: (shopId?: string) => void
  /** What came back from a command is known at once. */
  took: (one: CaseView) => void
  fault: { readonly value: string }
  ready: { readonly value: boolean }
}

/** Conversations beyond what the desk's lists hold, asked about one by one, at most so many at a time. */
const MOST_ASKED = 100
const REST_MS = 150
const AGAIN_MS = 30_000

export function openDesk(place: Omit<Workplace, 'desk'>): Desk {
  const views = shallowReactive(new Map<string, DeskView>())
  /** What colleagues serve: named in the list of all. */
  const theirs = shallowReactive(new Map<string, CaseView[]>())
  /** Where the lists above are cut (a page each): the cases of further conversations; undefined: it has none. By shop. */
  const beyond = shallowReactive(new Map<string, Map<string, CaseView | undefined>>())
  const done = reactive(new Map<string, { list: CaseView[]; next: string | null }>())
  const fault = ref('')
  const watched = new Map<string, () => void>()
  const timers = new Map<string, number>()
  /** Loads are numbered: an answer that comes after the answer to a later question is old, and is dropped. */
  const shown = new Map<string, number>()
  const endedAsked = new Map<string, number>()
  let asked = 0
  const shops = computed(() => place.posts.value.map((post) => post.shop_id))
  const myId = computed(() => session.me.value?.person.id ?? '')
  let gone = false

  async function load(shop: string): Promise<void> {
    timers.delete(shop)
    const turn = ++asked
    try {
      // Who comes to work is there at once; who manages says so first (status), or they would get buyers by looking in.
      if (!views.has(shop) && !place.may('shop.manage', shop)) await api.post(`/shop/${shop}/desk/me/beat`)
      const [view, served] = await Promise.all([
        api.get<DeskView>(`/shop/${shop}/desk`),
        api.get<Page<CaseView>>(`/shop/${shop}/desk/cases`, { state: 'human' }),
      ])
      const further = view.whole && served.next === null ? null : await lookBeyond(shop, view, served.items)
      if (gone || (shown.get(shop) ?? 0) > turn) return
      shown.set(shop, turn)
      if (further) beyond.set(shop, further)
      else beyond.delete(shop)
      views.set(shop, view)
      theirs.set(shop, served.items)
      for (const agent of view.agents) place.names.set(agent.person_id, agent.name)
      fault.value = ''
      listen(shop, view.me.id)
    } catch (error) {
      fault.value = sentence(error)
    }
  }

  /** Those in front of the agent come first: unanswered, unread, then by latest activity. */
  async function lookBeyond(shop: string, view: DeskView, served: CaseView[]): Promise<Map<string, CaseView | undefined>> {
    const listed = new Set([...view.mine, ...view.invited, ...view.queued, ...view.bot, ...served].map((one) => one.c))
    const urgent = (one: Conversation): number => (waitingSince(one) ? 2 : 0) + (one.unread ? 1 : 0)
    const unknown = place.live.list.value.filter((one) => one.shopId === shop && !listed.has(one.c)).sort((a, b) => urgent(b) - urgent(a)).slice(0, MOST_ASKED).map((one) => one.c)
    if (!unknown.length) return new Map()
    const { items } = await api.get<Page<CaseView>>(`/shop/${shop}/desk/cases`, { c: unknown })
    const found = new Map(items.filter((one) => one.state !== 'new').map((one) => [one.c, one]))
    return new Map(unknown.map((c) => [c, found.get(c)]))
  }

  function refresh(shop?: string): void {
    for (const one of shop ? [shop] : shops.value)
      if (!timers.has(one)) timers.set(one, window.setTimeout(() => void load(one), REST_MS))
  }

  function listen(shop: string, agentId: string): void {
    if (watched.has(shop)) return
    watched.set(shop, place.im.watch('desk', [agentId], () => refresh(shop)))
  }

  // A word of the desk in the log (taken, passed on, ended) says the same as a notice, and cannot be lost.
  const off = [
    place.im.on('entry', ({ c, entry }) => {
      const known = byC.value.get(c)
      if (entry.fr === 'system' || (entry.fr === 'buyer' && (!known || known.state === 'ended'))) refresh(place.im.conversation(c)?.shopId)
    }),
    place.im.on('connection', (state) => state.phase === 'online' && refresh()),
  ]
  const clock = window.setInterval(() => document.visibilityState === 'visible' && refresh(), AGAIN_MS)
  watch(shops, () => refresh(), { immediate: true })
  onScopeDispose(() => {
    gone = true
    off.forEach((stop) => stop())
    for (const stop of watched.values()) stop()
    for (const timer of timers.values()) window.clearTimeout(timer)
    window.clearInterval(clock)
  })

  const all = (pick: (view: DeskView) => readonly CaseView[]): CaseView[] => [...views.values()].flatMap(pick)
  const mine = computed(() => all((view) => [...view.mine, ...view.invited]))
  const queued = computed(() => all((view) => view.queued))
  const resting = computed(() => [...views.values()].some((view) => view.queued.length > 0 && !view.gives_now && view.strategy !== 'manual'))
  const byC = computed(() => {
    const map = new Map<string, CaseView>()
    for (const one of [...beyond.values()].flatMap((cases) => [...cases.values()])) if (one) map.set(one.c, one)
    for (const one of [...theirs.values()].flat()) map.set(one.c, one)
    for (const one of all((view) => [...view.bot, ...view.queued, ...view.invited, ...view.mine])) map.set(one.c, one)
    return map
  })
  const ended = computed(() => [...done.values()].flatMap((shop) => shop.list).filter((one) => !byC.value.has(one.c)))
  const endedByC = computed(() => new Map([...ended.value].reverse().map((one) => [one.c, one])))
  const isMine = (one: CaseView | undefined): boolean => one !== undefined && (one.agent?.person_id === myId.value || one.guests.includes(myId.value))

  async function loadEnded(more = false): Promise<void> {
    await Promise.all(shops.value.map(async (shop) => {
      const cursor = more ? done.get(shop)?.next : undefined
      if (more && cursor === null) return
      const turn = ++asked
      if (!cursor) endedAsked.set(shop, turn)
      try {
        const page = await api.get<Page<CaseView>>(`/shop/${shop}/desk/cases`, { state: 'ended', cursor })
        const held = done.get(shop)
        // The list may have begun anew, or grown, meanwhile: a page is joined where it belongs, or not at all.
        if (cursor ? held?.next !== cursor : endedAsked.get(shop) !== turn) return
        const before = cursor && held ? held.list : []
        const known = new Set(before.map((one) => one.id))
        done.set(shop, { list: [...before, ...page.items.filter((one) => !known.has(one.id))], next: page.next })
      } catch (error) {
        fault.value = sentence(error)
      }
    }))
  }

  function took(one: CaseView): void {
    const view = views.get(one.shop_id)
    if (!view) return
    // What was asked before knows nothing of it.
    shown.set(one.shop_id, ++asked)
    const without = (list: readonly CaseView[]): CaseView[] => list.filter((other) => other.id !== one.id)
    const put = (list: readonly CaseView[], here: boolean): CaseView[] => (here ? [...without(list), one] : without(list))
    const served = one.state === 'human'
    views.set(one.shop_id, {
      ...view,
      mine: put(view.mine, served && one.agent?.person_id === myId.value),
      queued: put(view.queued, one.state === 'queued'),
      bot: put(view.bot, one.state === 'bot'),
      invited: put(view.invited, served && one.guests.includes(myId.value)),
    })
    beyond.get(one.shop_id)?.set(one.c, undefined)
    theirs.set(one.shop_id, put(theirs.get(one.shop_id) ?? [], served))
    if (one.state === 'ended') void loadEnded()
    refresh(one.shop_id)
  }

  return {
    shops,
    views,
    caseOf: (c) => byC.value.get(c),
    knows: (c, shop) => byC.value.has(c) || !beyond.has(shop) || beyond.get(shop)?.has(c) === true,
    endedOf: (c) => endedByC.value.get(c),
    isMine,
    concerns: (c) => {
      const one = byC.value.get(c)
      return !one || one.state !== 'human' || isMine(one)
    },
    queued,
    resting,
    waiting: computed(() => [...views.values()].reduce((sum, view) => sum + view.waiting, 0)),
    mine,
    ended,
    moreEnded: computed(() => [...done.values()].some((shop) => shop.next !== null)),
    loadEnded,
    me: (shopId) => views.get(shopId)?.me,
    refresh,
    took,
    fault,
    ready: computed(() => views.size > 0),
  }
}
