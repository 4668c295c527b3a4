// Catches the agent's ear and eye in every part of the desk: a tone, a desktop notification, a number on the tab; and
// again while somebody waits.
import { computed, onScopeDispose, watch } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRoute, useRouter } from 'vue-router'
import { badge, notify } from '@kit/notify/desktop'
import { play } from '@kit/notify/sound'
import { say } from '../chat/lines'
import { waits } from '../list/rows'
import type { Workplace } from '../workplace'

/** While something unread or somebody unanswered waits, it is said again. */
const AGAIN_MS = 30_000

export function useAlerts({ im, live, desk }: Workplace): void {
  const { t } = useI18n()
  const route = useRoute()
  const router = useRouter()
  let last = 0

  /** What this agent has not read: their own buyers', and of those whom nobody serves yet. */
  const unread = computed(() => live.list.value.reduce((sum, one) => sum + (desk.concerns(one.c) ? one.unread : 0), 0))
  /** Own buyers without an answer, and whoever queues. */
  const waiting = computed(() => live.list.value.filter((one) => {
    const known = desk.caseOf(one.c)
    return (known?.state === 'queued' || desk.isMine(known)) && waits(one, { case: known, sure: true }) > 0
  }).length)

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
  const timer = window.setInterval(() => {
    if (waiting.value + unread.value > 0 && Date.now() - last >= AGAIN_MS) ring('waiting')
  }, 2_000)
  watch([unread, () => t('app.name')], ([count, title]) => badge(count, title), { immediate: true })
  onScopeDispose(() => {
    off()
    window.clearInterval(timer)
  })
}
