// The desk's keyboard. By position (`code`), so that the keys are the same under every input method and with Option on a Mac.
import { onActivated, onBeforeUnmount, onDeactivated, onMounted } from 'vue'
import { inField } from '@kit/scan/wedge'
import { askHelp } from './help'

export interface KeyActs {
  /** With Alt, by `code`. */
  alt: Record<string, () => void>
  search: () => void
}

/** A dialog in front has the keyboard to itself. */
const dialogUp = (): boolean => [...document.querySelectorAll('.el-overlay-dialog')].some((one) => one.getClientRects().length > 0)

export function useKeys({ alt, search }: KeyActs): void {
  function onKey(event: KeyboardEvent): void {
    if (event.isComposing || event.ctrlKey || event.metaKey) return
    if (event.altKey) {
      const act = alt[event.code]
      if (!act || dialogUp()) return
      event.preventDefault()
      act()
    } else if (event.key === 'Escape' && inField(event.target) && event.target instanceof HTMLElement) event.target.blur()
    else if (inField(event.target)) return
    else if (event.key === '?') askHelp()
    else if (event.key === '/') {
      event.preventDefault()
      search()
    }
  }
  const listen = (): void => document.addEventListener('keydown', onKey)
  const leave = (): void => document.removeEventListener('keydown', onKey)
  onMounted(listen)
  onActivated(listen)
  onDeactivated(leave)
  onBeforeUnmount(leave)
}
