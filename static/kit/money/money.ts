// Money on screen: integer fen in, text out, and back. No floating point touches an amount.

/** An amount in fen, always an integer. */
export type Fen = number

const MOST = 10_000_000_000_000

/** 1234567 → { sign: '', yuan: '12,345', fen: '67' } */
export function parts(amount: Fen): { sign: '' | '-'; yuan: string; fen: string } {
  if (!Number.isSafeInteger(amount)) throw new RangeError(`not an amount in fen: ${amount}`)
  const digits = Math.abs(amount).toString().padStart(3, '0')
  return {
    sign: amount < 0 ? '-' : '',
    yuan: digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ','),
    fen: digits.slice(-2),
  }
}

/** 1250 → "¥12.50" */
export function yuan(amount: Fen): string {
  const { sign, yuan: whole, fen } = parts(amount)
  return `${sign}¥${whole}.${fen}`
}

/** 1250 → "12.50", as a field shows it. */
export function plain(amount: Fen): string {
  const { sign, yuan: whole, fen } = parts(amount)
  return `${sign}${whole.replaceAll(',', '')}.${fen}`
}

/** "12.5", "12。50", "1,234" → fen; null for anything that is not an amount with at most two decimals. */
export function toFen(text: string): Fen | null {
  const clean = text.trim().replace(/^[¥￥]/, '').replaceAll(/[,，\s]/g, '').replace('。', '.')
  const match = /^(\d{0,11})(?:\.(\d{0,2}))?$/.exec(clean)
  if (!match || (!match[1] && !match[2])) return null
  const fen = Number(`${match[1] || '0'}${(match[2] ?? '').padEnd(2, '0')}`)
  return fen <= MOST ? fen : null
}

/** What is spoken: "12.50元" / "12.50 yuan". */
export function spoken(amount: Fen, lang: string): string {
  return lang.startsWith('zh') ? `${plain(amount)}元` : `${plain(amount)} yuan`
}
