// The simulated channel as the payer's phone sees it, reached through the shop server's own door.
import { ApiError } from '@kit/api/http'
import { say } from '@kit/i18n'
import type { Told } from '@kit/push/told'

export interface PhoneOrder {
  out_trade_no: string
  merchant: string
  description: string
  amount_fen: number
  kind: 'native' | 'barcode'
  state: 'NOTPAY' | 'USERPAYING' | 'SUCCESS' | 'REFUND' | 'CLOSED' | 'REVOKED' | 'PAYERROR'
  code_url: string
  created_at: number
  expires_at: number
  paid_at: number | null
}
export interface PaymentCode {
  auth_code: string
  expires_at: number
}
export type Switches = Record<string, number | boolean | string>

export interface TextMessage {
  phone: string
  code: string
  purpose: string
  sent_at: number
}

/** A push that reached a device, as that device read it. */
export interface Alert {
  at: number
  topic: string
  body: Told
}

const BASE = '/sandbox/phone/api'
const INBOX = '/sandbox/inbox'

async function send<T>(method: string, path: string, body?: object): Promise<T> {
  let answer: Response
  try {
    answer = await fetch(path.startsWith(INBOX) ? path : BASE + path, {
      method,
      ...(body ? { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } } : {}),
    })
  } catch {
    throw new ApiError('client.offline', say('kit.error.offline'), 0, true)
  }
  if (answer.ok) return (await answer.json()) as T
  const told = (await answer.json().catch(() => ({}))) as { code?: string; message?: string; detail?: string }
  const code = told.code ?? `http.${answer.status}`
  const known = code === 'sandbox.no_such_code' ? say('phone.no_such_code') : code === 'sandbox.order_ended' ? say('phone.ended') : null
  throw new ApiError(code, known ?? told.message ?? told.detail ?? say('kit.error.server'), answer.status, answer.status >= 500)
}

export const find = (codeUrl: string) => send<PhoneOrder>('GET', `/orders?code_url=${encodeURIComponent(codeUrl)}`)
export const decide = (order: Pick<PhoneOrder, 'out_trade_no'>, decision: 'pay' | 'refuse' | 'dawdle') =>
  send<PhoneOrder>('POST', '/confirm', { out_trade_no: order.out_trade_no, decision })
export const newCode = () => send<PaymentCode>('POST', '/payment-codes', {})
export const pending = () => send<{ items: PhoneOrder[] }>('GET', '/pending')
export const alerts = () => send<{ items: Alert[] }>('GET', '/notices')
export const switches = () => send<Switches>('GET', '/switches')
export const setSwitches = (changed: Switches) => send<Switches>('PUT', '/switches', changed)
/** Text messages the demo sent to this number, or to all. */
export const inbox = (phone: string) => send<{ items: TextMessage[] }>('GET', phone ? `${INBOX}?phone=${encodeURIComponent(phone)}` : INBOX)
