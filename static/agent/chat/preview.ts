// What the buyer is writing and has not sent: a hint for the agent to think ahead, gone when it is old.
import { onScopeDispose, ref, watch, type Ref } from 'vue'
import type { ImClient } from '@kit/im/client'

const KEEP_MS = 6_000

export function usePreview(im: ImClient, c: () => string): Ref<string> {
  const words = ref('')
  let timer = 0
  function forget(): void {
    window.clearTimeout(timer)
    words.value = ''
  }
  const off = [
    im.on('signal', (signal) => {
      if (signal.c !== c() || signal.k !== 'preview') return
      forget()
      words.value = signal.d ?? ''
      timer = window.setTimeout(forget, KEEP_MS)
    }),
    im.on('entry', (said) => said.c === c() && said.entry.fr === 'buyer' && forget()),
  ]
  watch(c, forget)
  onScopeDispose(() => {
    forget()
    off.forEach((stop) => stop())
  })
  return words
}
