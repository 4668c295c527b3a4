// The amount as a cashier types it, key by key; it becomes whole fen without ever being a float.

/** One sale's ceiling on this page; the server has the last word. */
export const LIMIT_FEN = 5_000_000

export interface Typed {
  text: string
  /** Why the last key was not taken. */
  refused: 'limit' | 'fraction' | null
}

export const EMPTY: Typed = { text: '', refused: null }

export function toFen(text: string): number {
  const [yuan = '', cents = ''] = text.split('.')
  return Number(yuan || '0') * 100 + Number(cents.padEnd(2, '0').slice(0, 2))
}

export function fromFen(fen: number): string {
  const cents = fen % 100
  const yuan = String((fen - cents) / 100)
  return cents === 0 ? yuan : `${yuan}.${String(cents).padStart(2, '0')}`
}

/** `key` is a digit, `00`, `.`, `Backspace` or `Clear`. */
export function press(now: Typed, key: string): Typed {
  if (key === 'Clear') return EMPTY
  if (key === 'Backspace') return { text: now.text.slice(0, -1), refused: null }
  if (key === '.') {
    if (now.text.includes('.')) return { ...now, refused: null }
    return { text: `${now.text || '0'}.`, refused: null }
  }
  if (!/^(\d|00)$/.test(key)) return now
  const point = now.text.indexOf('.')
  if (point >= 0 && now.text.length - point - 1 + key.length > 2) return { ...now, refused: 'fraction' }
  // 007 is 7, and 00 before anything is 0.
  const text = (now.text + key).replace(/^0+(?=\d)/, '')
  if (toFen(text) > LIMIT_FEN) return { ...now, refused: 'limit' }
  return { text, refused: null }
}
