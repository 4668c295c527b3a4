/**
 * Tells a scanner gun ("keyboard wedge") from a person at the same keyboard.
 *
 * A gun types a key every few milliseconds and ends with Enter; a person needs 30 ms and more. Keys typed outside of any
 * field are held until they are known to be the one or the other, so that a scan never leaks digits into an amount pad
 * and its Enter never presses a focused button. Inside a field an input method may be at work, so nothing is caught there.
 */
import { tidy } from './text'

/** Keys may lie waiting while the page is busy; so long after the last one nothing is held back any more. */
const PATIENCE_MS = 40

export interface WedgeOptions {
  /** A gun's text, tidied. */
  onCode(text: string): void
  /** A person's key, `KeyboardEvent.key`; without it such keys go their usual way. */
  onKey?(key: string): void
  /** Shorter bursts are a person's. */
  minLength?: number
  /** A longer pause than this ends a burst. */
  gapMs?: number
}

/** The key that was meant, also when an input method swallowed it (`Process`, key code 229). */
export function meantKey(event: Pick<KeyboardEvent, 'key' | 'code'>): string {
  if (event.key !== 'Process' && event.key !== 'Unidentified') return event.key
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)
  if (digit) return digit[1] ?? ''
  const letter = /^Key([A-Z])$/.exec(event.code)
  if (letter) return letter[1] ?? ''
  return event.code === 'NumpadEnter' ? 'Enter' : event.code
}

export function inField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)
}

export class Wedge {
  #keys: { key: string; at: number }[] = []
  #timer = 0

  constructor(private readonly options: WedgeOptions) {}

  attach(): () => void {
    const onKey = (event: KeyboardEvent): void => this.#onKeydown(event)
    document.addEventListener('keydown', onKey, true)
    return () => {
      document.removeEventListener('keydown', onKey, true)
      window.clearTimeout(this.#timer)
      this.#keys = []
    }
  }

  get #gap(): number {
    return this.options.gapMs ?? 80
  }

  #onKeydown(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || inField(event.target)) return
    const key = meantKey(event)
    if (key === 'Shift') return
    // When the key was pressed, not when this page, busy with a camera frame, got round to it.
    if (this.feed(key, event.timeStamp)) {
      event.preventDefault()
      event.stopPropagation()
    }
  }

  /** True when the key was taken (held, or part of a scan). */
  feed(key: string, now: number): boolean {
    const last = this.#keys.at(-1)
    if (last && now - last.at > this.#gap) this.#release()
    if (key === 'Enter' || key === 'Tab') return this.#end(key)
    if (key.length !== 1) {
      this.#release()
      if (!this.options.onKey || !/^(Backspace|Delete|Escape)$/.test(key)) return false
      this.options.onKey(key)
      return true
    }
    // Without a listener for a person's keys, the first key of a burst goes its usual way too (a letter shortcut, say).
    const hold = this.options.onKey !== undefined ? /[0-9.]/.test(key) || this.#keys.length > 0 : /\w/.test(key)
    if (!hold) {
      if (this.#keys.length === 0) return false
    }
    this.#keys.push({ key, at: now })
    window.clearTimeout(this.#timer)
    this.#timer = window.setTimeout(() => this.#release(), this.#gap + PATIENCE_MS)
    return this.options.onKey !== undefined || this.#keys.length > 1
  }

  /** Enter: the end of a scan, or a person's Enter after whatever was held. */
  #end(key: string): boolean {
    const text = tidy(this.#keys.map((one) => one.key).join(''))
    if (text.length >= (this.options.minLength ?? 6)) {
      window.clearTimeout(this.#timer)
      this.#keys = []
      this.options.onCode(text)
      return true
    }
    this.#release()
    if (key !== 'Enter' || !this.options.onKey) return false
    // A person's Enter on a button presses that button.
    if (document.activeElement instanceof HTMLElement && /^(BUTTON|A|SUMMARY)$/.test(document.activeElement.tagName)) return false
    this.options.onKey('Enter')
    return true
  }

  #release(): void {
    window.clearTimeout(this.#timer)
    const keys = this.#keys
    this.#keys = []
    for (const one of keys) this.options.onKey?.(one.key)
  }
}
