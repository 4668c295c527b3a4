// The board of one shop: notices say that something moved, the truth is fetched; a beat of a few seconds where notices fail.
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { sentence } from '@kit/api/http'
import type { components } from '@kit/api/schema'
import { api } from '@kit/staff/staff'
import type { AgentView, CaseView } from '../cases/types'
import type { Live } from '../reports/figures'
import { useWorkplace } from '../workplace'

export type Board = components['schemas']['BoardView']
const REST_MS = 250
/** A word answers or asks, which is no step of a case and no notice; in a lively shop there are many a second. */
const WORD_MS = 1_000
const BEAT_MS = 5_000
/** Sums over the day cost more and move slower. */
const FIGURES_MS = 15_000
const FIGURES_REST_MS = 6_000

/** Somebody without an answer: in the queue, or in the hands of a person who has not answered yet. */
export interface Waiter {
  one: CaseView
  since: number
  /** When the shop's own rule gives it to somebody else; 0: none. */
  due: number
}

export function useBoard(shopId: () => string) {
  const { im } = useWorkplace()
  const board = shallowRef<Board | null>(null)
  const live = shallowRef<Live | null>(null)
  const fault = ref('')
  const at = ref(0)
  const now = ref(im.now())
  let rest = 0
  let busy = false
  let figuresAt = 0
  let gone = false

  async function load(): Promise<void> {
    const shop = shopId()
    if (!shop || busy) return
    busy = true
    try {
      const found = await api.get<Board>(`/shop/${shop}/desk/board`)
      if (gone || shop !== shopId()) return
      board.value = found
      at.value = Date.now()
      fault.value = ''
    } catch (error) {
      fault.value = sentence(error)
    } finally {
      busy = false
    }
    await figures(FIGURES_REST_MS)
  }

  async function figures(age: number): Promise<void> {
    const shop = shopId()
    if (!shop || Date.now() - figuresAt < age) return
    figuresAt = Date.now()
    try {
      const found = await api.get<Live>(`/shop/${shop}/desk/figures/now`)
      if (!gone && shop === shopId()) live.value = found
    } catch {
      // The board itself says when the server is out of reach.
    }
  }

  /** Many notices at once are one question. */
  function soon(wait = REST_MS): void {
    if (!rest)
      rest = window.setTimeout(() => {
        rest = 0
        void load()
      }, wait)
  }
  const off = im.on('entry', ({ c, entry }) => {
    if (entry.k !== 'event' && entry.k !== 'note' && im.conversation(c)?.shopId === shopId()) soon(WORD_MS)
  })

  let unwatch: (() => void) | null = null
  watch(shopId, (shop) => {
    unwatch?.()
    unwatch = shop ? im.watch('board', [shop], () => soon()) : null
    board.value = live.value = null
    figuresAt = 0
    void load()
  }, { immediate: true })
  const clock = window.setInterval(() => (now.value = im.now()), 1_000)
  const shown = (): boolean => document.visibilityState === 'visible'
  const beat = window.setInterval(() => shown() && Date.now() - at.value >= BEAT_MS && void load(), 1_000)
  const sums = window.setInterval(() => shown() && void figures(FIGURES_MS), 1_000)
  onScopeDispose(() => {
    gone = true
    unwatch?.()
    off()
    for (const timer of [clock, beat, sums]) window.clearInterval(timer)
    window.clearTimeout(rest)
  })

  const waiters = computed<Waiter[]>(() => {
    const found: Waiter[] = []
    for (const one of board.value?.queued ?? []) found.push({ one, since: one.waiting_since ?? one.queued_at ?? one.opened_at, due: 0 })
    for (const one of board.value?.human ?? []) if (one.waiting_since) found.push({ one, since: one.waiting_since, due: one.answer_by ?? 0 })
    return found.sort((a, b) => a.since - b.since)
  })
  const agents = computed<AgentView[]>(() => {
    const rank = { online: 0, busy: 1, away: 2, offline: 3 }
    return [...(board.value?.agents ?? [])].sort((a, b) => Number(b.here) - Number(a.here) || rank[a.status] - rank[b.status] || b.load - a.load || a.name.localeCompare(b.name))
  })
  const serves = (agent: AgentView): CaseView[] => (board.value?.human ?? []).filter((one) => one.agent?.id === agent.id)
  const caseOf = (id: string): CaseView | undefined => [...(board.value?.queued ?? []), ...(board.value?.human ?? []), ...(board.value?.bot ?? [])].find((one) => one.id === id)
  /** Who is there and takes buyers, and how many more they could take. */
  const online = computed(() => (board.value?.agents ?? []).filter((one) => one.here && one.status === 'online'))
  const room = computed(() => online.value.reduce((sum, one) => sum + one.cap, 0))

  return { board, live, fault, at, now, waiters, agents, serves, caseOf, online, room, refresh: () => soon() }
}
export type BoardStore = ReturnType<typeof useBoard>
