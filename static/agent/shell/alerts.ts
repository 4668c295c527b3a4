// Catches the agent's ear and eye in every part of the desk: a tone, a desktop notification, a number on the tab; again
// while somebody waits; and by name when an own buyer has waited too long.
import { computed, onScopeDispose, ref, watch, type ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRoute, useRouter } from 'vue-router'
import type { Conversation } from '@kit/im/types'
import { badge, notify } from '@kit/notify/desktop'
import { play } from '@kit/notify/sound'
import { say } from '../chat/lines'
import { waits } from '../list/rows'
import type { Workplace } from '../workplace'

/** While something unread or somebody unanswered waits, it is said again. */
const AGAIN_MS = 30_000

/** A buyer is not left longer than this without a word; the figure "slow replies" counts the same. */
export const SLOW_MS = 100_000

export interface Slow {
  c: string
  name: string
  waited: number
}

export function useAlerts({ im, live, desk }: Workplace): { slow: ComputedRef<Slow[]> } {
  const { t } = useI18n()
  const route = useRoute()
  const router = useRouter()
  let last = 0

  /** What this agent has not read: their own buyers', and of those whom nobody serves yet. */
  const unread = computed(() => live.list.value.reduce((sum, one) => sum + (desk.concerns(one.c) ? one.unread : 0), 0))
  const since = (one: Conversation): number => waits(one, { case: desk.caseOf(one.c), sure: true })
  const own = computed(() => live.list.value.filter((one) => desk.isMine(desk.caseOf(one.c)) && since(one) > 0))
  /** Own buyers without an answer, and whoever queues. */
  const waiting = computed(() => own.value.length + live.list.value.filter((one) => desk.caseOf(one.c)?.state === 'queued' && since(one) > 0).length)
  const now = ref(im.now())
  const slow = computed(() => own.value
    .map((one) => ({ c: one.c, name: one.peer.name || t('chat.buyer'), waited: now.value - since(one) }))
    .filter((one) => one.waited >= SLOW_MS)
    .sort((a, b) => b.waited - a.waited))

  function ring(tone: 'message' | 'waiting'): void {
    last = Date.now()
    // Of several tabs of one browser, one makes the sound.
    if (im.leads) play(tone)
  }

  const open = (): unknown => (route.path === '/' ? route.query.c : '')
  const inFront = (): boolean => document.visibilityState === 'visible' && document.hasFocus()
  const off = im.on('entry', ({ c, entry }) => {
    if (entry.fr !== 'buyer' || (c === open() && inFront()) || !desk.concerns(c)) return
    ring('message')
    if (inFront() || !im.leads) return
    const name = im.conversation(c)?.peer.name ?? t('chat.buyer')
    notify({ title: name, body: say(entry, t), tag: c, onClick: () => void router.push({ path: '/', query: { c } }) })
  })
  watch(() => slow.value.map((one) => one.c), (late, before) => {
    const first = slow.value.find((one) => !before.includes(one.c))
    if (!first) return
    ring('waiting')
    if (inFront() || !im.leads) return
    notify({ title: t('slow.title', late.length), body: first.name, tag: `slow ${first.c}`, onClick: () => void router.push({ path: '/', query: { c: first.c } }) })
  })
  const clock = window.setInterval(() => (now.value = im.now()), 1_000)
  const timer = window.setInterval(() => {
    if (waiting.value + unread.value > 0 && Date.now() - last >= AGAIN_MS) ring('waiting')
  }, 2_000)
  watch([unread, () => t('app.name')], ([count, title]) => badge(count, title), { immediate: true })
  onScopeDispose(() => {
    off()
    window.clearInterval(timer)
    window.clearInterval(clock)
  })
  return { slow }
}
