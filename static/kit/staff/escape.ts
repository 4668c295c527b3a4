// Escape closes what lies on top.
import { onBeforeUnmount, watch } from 'vue'

export function useEscape(open: () => boolean, close: () => void): void {
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || event.isComposing) return
    event.stopPropagation()
    close()
  }
  const off = (): void => document.removeEventListener('keydown', onKey, true)
  watch(open, (now) => (now ? document.addEventListener('keydown', onKey, true) : off()), { immediate: true })
  onBeforeUnmount(off)
}
