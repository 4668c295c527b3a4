// What the cashier's page asks the server, in the words of the till's HTTP interface.
import { api } from '@kit/staff/staff'
import type { Charge, Takings } from '@kit/api/types'
import type { Ask } from './pay'

export type { Takings }

export class Till {
  private readonly base: string

  constructor(shopId: string, tillId: string) {
    this.base = `/shop/${shopId}/tills/${tillId}`
  }

  charge(ask: Ask): Promise<Charge> {
    return api.post(`${this.base}/charges`, {
      request_id: ask.request_id,
      amount_fen: ask.amount_fen,
      ...(ask.auth_code ? { auth_code: ask.auth_code } : {}),
    })
  }

  look(chargeId: string): Promise<Charge> {
    return api.get(`${this.base}/charges/${chargeId}`)
  }

  /** Asks the channel, not only our own books. */
  query(chargeId: string): Promise<Charge> {
    return api.post(`${this.base}/charges/${chargeId}/query`)
  }

  reverse(chargeId: string, requestId: string): Promise<Charge> {
    return api.post(`${this.base}/charges/${chargeId}/reverse`, { request_id: requestId })
  }

  close(chargeId: string, requestId: string): Promise<Charge> {
    return api.post(`${this.base}/charges/${chargeId}/close`, { request_id: requestId })
  }

  takings(day?: string): Promise<Takings> {
    return api.get(`${this.base}/takings`, { day })
  }
}
