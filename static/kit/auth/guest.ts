// Somebody who chats without having signed in: a bearer token of this browser that opens chat and nothing else.
import { Api, ApiError } from '@kit/api/http'
import { deviceId, deviceName } from './device'

interface Known {
  token: string
  id: string
}

export class Guest {
  readonly api = new Api('buyer')
  private known: Known | null = null

  constructor(private readonly key = 'octshop.guest') {
    const kept = this.kept()
    if (kept) this.take(kept)
  }

  /** The guest this browser is, if it is one. */
  get id(): string {
    return this.known?.id ?? ''
  }

  /** The guest's id; a new guest if this browser is none. */
  async come(): Promise<string> {
    if (!this.known) this.take(await this.fresh())
    return this.id
  }

  /** This guest is no more: a new one in its place, unless another tab has seen to it. Where that does not work, all stays. */
  async renew(): Promise<void> {
    const kept = this.kept()
    this.take(kept && kept.token !== this.known?.token ? kept : await this.fresh())
  }

  /** Comes in as a customer whom the shop's own site vouches for. */
  async enter(shopId: string, entry: string): Promise<string> {
    const body = { shop_id: shopId, entry, device_id: deviceId(), device_name: deviceName() }
    const said = await new Api('buyer').post<{ token: string; person_id: string }>('/buyer/entry', body)
    this.take({ token: said.token, id: said.person_id })
    return this.id
  }

  /** A one-time ticket for the socket. 401 means that this guest is no more: `renew`. */
  async ticket(): Promise<string> {
    return (await this.api.post<{ ticket: string }>('/buyer/ws-ticket')).ticket
  }

  /** Somebody has signed in here (`member` asks for them): what the guest said becomes theirs. Asked until answered. */
  async recognised(member: Api): Promise<void> {
    if (!this.known) return
    try {
      await member.put('/buyer/guest', { token: this.known.token })
    } catch (fault) {
      if (!(fault instanceof ApiError) || fault.retry || fault.unknown || fault.status === 401) return
    }
    this.forget()
  }

  forget(): void {
    this.known = null
    this.api.bearer = ''
    localStorage.removeItem(this.key)
  }

  /** Asked in nobody's name: that of a guest who is no more would be refused. */
  private async fresh(): Promise<Known> {
    const device = { id: deviceId(), name: deviceName() }
    const said = await new Api('buyer').post<{ token: string; person: { id: string } }>('/buyer/guest', { device })
    return { token: said.token, id: said.person.id }
  }

  private kept(): Known | null {
    const [token, id] = (localStorage.getItem(this.key) ?? '').split(' ')
    return token && id ? { token, id } : null
  }

  private take(known: Known): void {
    this.known = known
    this.api.bearer = known.token
    localStorage.setItem(this.key, `${known.token} ${known.id}`)
  }
}
