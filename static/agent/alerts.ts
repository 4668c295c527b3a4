// Catches the agent's ear and eye: a tone, a desktop notification, a number on the tab; and again while somebody waits.
import { onScopeDispose, watch, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import type { ImClient } from '@kit/im/client'
import type { LiveIm } from '@kit/im/live'
import { badge, notify } from '@kit/notify/desktop'
import { play } from '@kit/notify/sound'
import { say } from './lines'

/** While something unread waits, it is said again. */
const AGAIN_MS = 30_000

export function useAlerts(im: ImClient, live: LiveIm, open: Ref<string>, choose: (c: string) => void): void {
  const { t } = useI18n()
  let last = 0

  function ring(tone: 'message' | 'waiting'): void {
    last = Date.now()
    play(tone)
  }

  const seen = (c: string): boolean => c === open.value && document.visibilityState === 'visible' && document.hasFocus()
  const off = im.on('entry', ({ c, entry }) => {
    if (entry.fr !== 'buyer' || seen(c)) return
    ring('message')
    if (document.visibilityState === 'visible' && document.hasFocus()) return
    const name = im.conversation(c)?.peer.name ?? t('chat.buyer')
    notify({ title: name, body: say(entry, t), tag: c, onClick: () => choose(c) })
  })
  const timer = window.setInterval(() => {
    if (live.unread.value > 0 && Date.now() - last >= AGAIN_MS) ring('waiting')
  }, 2_000)
  watch([live.unread, () => t('app.name')], ([unread, title]) => badge(unread, title), { immediate: true })
  onScopeDispose(() => {
    off()
    window.clearInterval(timer)
  })
}
