// Who is signed in on these pages: an httpOnly cookie holds the session, this holds its face and its CSRF token.
import { ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { Api, ApiError, type Audience } from '@kit/api/http'
import type { BuyerSignedIn, DeviceSession, StaffSignedIn, WsTicket } from '@kit/api/types'
import { keep, kept, leave } from '@kit/push/kept'
import { deviceId, deviceName } from './device'

export interface Credentials {
  phone: string
  code?: string
  password?: string
}

export class Session<S extends { csrf_token: string; person: { id: string } }> {
  readonly api: Api
  /** The signed-in person's answer, or null. */
  readonly me: ShallowRef<S | null> = shallowRef(null)
  /** False until the first GET session has been answered. */
  readonly known: Ref<boolean> = ref(false)
  /** Somebody has left this device, by signing out or by another's coming: what they typed here goes. */
  readonly onLeft: ((person: string) => void)[] = []
  private first: Promise<void> | null = null
  /** Whom this page itself has shown last: what it holds in memory is theirs, whoever has come in other tabs meanwhile. */
  private shown = ''

  constructor(audience: Audience) {
    this.api = new Api(audience)
    window.addEventListener('storage', (event) => event.key === this.lastKey && this.elsewhere(event.newValue ?? ''))
    this.api.onSignedOut = () => this.take(null)
    this.api.onStaleToken = async () => {
      const before = this.me.value?.person.id
      await this.refresh()
      return before !== undefined && this.me.value?.person.id === before
    }
  }

  /** Asks once who is here; later calls share the answer. A browser where nobody signed in need not ask. */
  start(): Promise<void> {
    if (!this.first && !localStorage.getItem(this.mark)) {
      this.known.value = true
      this.first = Promise.resolve()
    }
    this.first ??= this.refresh()
    return this.first
  }

  async refresh(): Promise<void> {
    try {
      this.take(await this.api.get<S>(`/${this.api.audience}/session`))
    } catch (fault) {
      if (!(fault instanceof ApiError) || fault.status !== 401) {
        this.first = null
        throw fault
      }
      this.take(null)
    }
    this.known.value = true
  }

  sendCode(phone: string): Promise<void> {
    return this.api.post(`/${this.api.audience}/login-codes`, { phone })
  }

  async signIn(credentials: Credentials): Promise<S> {
    const device = { id: deviceId(), name: deviceName() }
    const answer = await this.api.post<S>(`/${this.api.audience}/login`, { ...credentials, device })
    this.take(answer)
    this.known.value = true
    return answer
  }

  /** Rejects where the server has not answered: nobody has signed out then, and nothing they typed is gone. */
  async signOut(): Promise<void> {
    const leaving = this.shown || this.last
    const told = kept(this.api.audience)
    await leave(this.api)
    try {
      await this.api.del(`/${this.api.audience}/session`)
    } catch (fault) {
      if (!(fault instanceof ApiError) || fault.status !== 401) {
        if (told) keep(this.api.audience, told)
        throw fault
      }
    }
    this.take(null)
    this.left(leaving)
    localStorage.removeItem(this.lastKey)
  }

  devices(): Promise<{ items: DeviceSession[] }> {
    return this.api.get(`/${this.api.audience}/devices`)
  }

  revoke(sessionId: string): Promise<void> {
    return this.api.del(`/${this.api.audience}/devices/${sessionId}`)
  }

  /** A one-time ticket for the socket. */
  async ticket(): Promise<string> {
    return (await this.api.post<WsTicket>(`/${this.api.audience}/ws-ticket`)).ticket
  }

  /** Says that a sign-in took place in this browser; the session itself lies in a cookie that no page can read. */
  private get mark(): string {
    return `octshop.signed_in.${this.api.audience}`
  }

  /** Who was here last. A session that merely ended leaves it: the same person may come back to what they typed. */
  private get last(): string {
    return localStorage.getItem(this.lastKey) ?? ''
  }

  private get lastKey(): string {
    return `octshop.last.${this.api.audience}`
  }

  private left(person: string): void {
    this.shown = ''
    if (!person) return
    const told = kept(this.api.audience)
    if (told?.guest || told?.person === person) keep(this.api.audience, null)
    for (const hears of this.onLeft) hears(person)
  }

  /** In another tab of this browser they have signed out, or somebody else has come. */
  private elsewhere(now: string): void {
    const before = this.shown
    if (!before || before === now) return
    this.show(null)
    this.left(before)
    if (now) void this.refresh().catch(() => undefined)
  }

  private take(answer: S | null): void {
    const before = this.shown || this.last
    const now = answer?.person.id ?? ''
    if (now && now !== before) {
      // What belongs to the one before has stopped by the time it is thrown away.
      this.show(null)
      this.left(before)
    }
    if (now) {
      this.shown = now
      localStorage.setItem(this.lastKey, now)
      localStorage.setItem(this.mark, '1')
    } else localStorage.removeItem(this.mark)
    this.show(answer)
  }

  private show(answer: S | null): void {
    this.api.csrf = answer?.csrf_token ?? ''
    this.me.value = answer
  }
}

export const buyerSession = (): Session<BuyerSignedIn> => new Session<BuyerSignedIn>('buyer')
export const platformSession = (): Session<BuyerSignedIn> => new Session<BuyerSignedIn>('platform')
export const staffSession = (): Session<StaffSignedIn> => new Session<StaffSignedIn>('staff')
