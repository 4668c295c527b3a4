// What the cashier's page asks the server, in the words of the till's HTTP interface.
import { api } from '@kit/staff/staff'
import type { AskedCharge, Charge, Takings } from '@kit/api/types'
import type { Ask } from './pay'

export type { Takings }

export class Till {
  private readonly base: string

  constructor(shopId: string, tillId: string) {
    this.base = `/shop/${shopId}/tills/${tillId}`
  }

  /** The only request that charges. It is sent once: whoever has no answer asks by the request id. */
  charge(ask: Ask, authCode?: string): Promise<Charge> {
    return api.post(`${this.base}/charges`, {
      request_id: ask.request_id,
      amount_fen: ask.amount_fen,
      ...(authCode ? { auth_code: authCode } : {}),
    })
  }

  /** What became of a charge whose answer was lost. */
  asked(requestId: string): Promise<AskedCharge> {
    return api.get(`${this.base}/requests/${requestId}`)
  }

  /** Reverses such a charge; one that has not arrived is refused when it does. */
  callOff(requestId: string): Promise<AskedCharge> {
    return api.post(`${this.base}/requests/${requestId}/reverse`)
  }

  look(chargeId: string): Promise<Charge> {
    return api.get(`${this.base}/charges/${chargeId}`)
  }

  /** Asks the channel, not only our own books. */
  query(chargeId: string): Promise<Charge> {
    return api.post(`${this.base}/charges/${chargeId}/query`)
  }

  /** Gives a paid one back whole. Pressing twice is one reversal. */
  reverse(chargeId: string): Promise<Charge> {
    return api.post(`${this.base}/charges/${chargeId}/reverse`)
  }

  close(chargeId: string): Promise<Charge> {
    return api.post(`${this.base}/charges/${chargeId}/close`)
  }

  /** A manager's: the till goes on without the outcome of a reversed charge. */
  setAside(chargeId: string): Promise<Charge> {
    return api.post(`${this.base}/charges/${chargeId}/aside`)
  }

  takings(day?: string): Promise<Takings> {
    return api.get(`${this.base}/takings`, { day })
  }
}
