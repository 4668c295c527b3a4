// The business day is the shop's, not the device's.
export const SHOP_ZONE = 'Asia/Shanghai'

const days = new Intl.DateTimeFormat('sv-SE', { timeZone: SHOP_ZONE })

/** The shop's day of a moment, as the server writes it: "2026-11-22". */
export function shopDay(at = Date.now()): string {
  return days.format(at)
}
