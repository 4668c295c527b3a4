// What a code's text looks like before anybody asks the server: tidied, grouped, told apart by shape.

/** Full-width digits become plain ones, white space and control characters go. */
export function tidy(raw: string): string {
  return raw.normalize('NFKC').replace(/[\s\u0000-\u001f\u007f\u200b-\u200f\ufeff]/g, '')
}

/** 839201774455 → 8392 0177 4455 */
export function inFours(digits: string): string {
  return digits.replace(/(.{4})(?=.)/g, '$1 ')
}

export function onlyDigits(text: string): string {
  return tidy(text).replace(/\D/g, '')
}

export type PayCodeKind = 'wechat' | 'alipay' | 'unionpay'

/**
 * Which wallet a payment code belongs to, by prefix and length (docs of WeChat Pay, Alipay and UnionPay); null when it is none.
 * Only a hint for the page: the server routes by its own table.
 */
export function payCodeKind(text: string): PayCodeKind | null {
  const code = tidy(text)
  if (/^1[0-5]\d{16}$/.test(code)) return 'wechat'
  if (/^(2[5-9]|30)\d{14,22}$/.test(code)) return 'alipay'
  if (/^62\d{17}$/.test(code)) return 'unionpay'
  return null
}
