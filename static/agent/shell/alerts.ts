// Catches the agent's ear and eye: a tone, a desktop notification, a number on the tab; and again while somebody waits.
import { onScopeDispose, watch, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { badge, notify } from '@kit/notify/desktop'
import { play } from '@kit/notify/sound'
import { say } from '../chat/lines'
import type { Workplace } from '../workplace'

/** While something unread or somebody unanswered waits, it is said again. */
const AGAIN_MS = 30_000

export interface Alerting {
  place: Workplace
  open: Ref<string>
  choose: (c: string) => void
  /** Whether this conversation is this agent's business: their own, or nobody's yet. */
  concerns: (c: string) => boolean
  /** How many wait for this agent. */
  waiting: () => number
  /** What this agent has not read. */
  unread: () => number
}

export function useAlerts({ place, open, choose, concerns, waiting, unread }: Alerting): void {
  const { t } = useI18n()
  const { im } = place
  let last = 0

  function ring(tone: 'message' | 'waiting'): void {
    last = Date.now()
    // Of several tabs of one browser, one makes the sound.
    if (im.leads) play(tone)
  }

  const inFront = (): boolean => document.visibilityState === 'visible' && document.hasFocus()
  const off = im.on('entry', ({ c, entry }) => {
    if (entry.fr !== 'buyer' || (c === open.value && inFront()) || !concerns(c)) return
    ring('message')
    if (inFront() || !im.leads) return
    const name = im.conversation(c)?.peer.name ?? t('chat.buyer')
    notify({ title: name, body: say(entry, t), tag: c, onClick: () => choose(c) })
  })
  const timer = window.setInterval(() => {
    if (waiting() > 0 && Date.now() - last >= AGAIN_MS) ring('waiting')
  }, 2_000)
  watch([unread, () => t('app.name')], ([count, title]) => badge(count, title), { immediate: true })
  onScopeDispose(() => {
    off()
    window.clearInterval(timer)
  })
}
