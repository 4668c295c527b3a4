// The switch of notices on this device: asks the browser, subscribes it, tells the server, and takes all of it back.
import { ref, type Ref } from 'vue'
import { ApiError, type Api } from '@kit/api/http'
import type { PushDeviceView, PushKey } from '@kit/api/types'
import { language } from '@kit/i18n'
import { keep, kept, type Subscribed } from './kept'

export type NoticeState = 'unsupported' | 'off' | 'on' | 'blocked'

export interface Who {
  api: () => Api
  /** Empty: nobody. */
  person: () => string
  guest: () => boolean
}

const WORKER = '/push-worker.js'

export class DeviceNotices {
  readonly state: Ref<NoticeState> = ref('off')
  /** Whether a notice shows what was said, or only that something was. */
  readonly preview: Ref<boolean> = ref(false)

  constructor(
    private readonly scope: '/shop/' | '/agent/',
    private readonly who: Who,
  ) {
    this.look()
    // Whoever allows it again in the browser's own settings sees it here at once.
    void navigator.permissions?.query({ name: 'notifications' }).then((one) => (one.onchange = () => this.look()), () => undefined)
  }

  /** After a start and whenever somebody comes or goes: the subscription is theirs, or nobody's. */
  async resume(): Promise<void> {
    const one = kept(this.audience)
    const person = this.who.person()
    // What a guest of this browser asked for goes on under whatever id comes next here: the member they turn out to be,
    // or, where that guest is no more, the one in their place.
    const mine = one !== null && person !== '' && (one.person === person || one.guest)
    if (mine && this.may === 'granted') await this.tell().catch(() => undefined)
    else if (!one && this.may !== 'unsupported') await this.unsubscribe().catch(() => undefined)
    this.look()
  }

  /** Call only from a click. Throws what stands against it, but for the person's own No. */
  async turnOn(): Promise<void> {
    if (this.may === 'unsupported') return
    if ((await Notification.requestPermission()) === 'granted') await this.tell()
    this.look()
  }

  /** Throws what stands against it; then it is as it was. */
  async showWords(on: boolean): Promise<void> {
    await this.tell(on)
    this.look()
  }

  async turnOff(): Promise<void> {
    const one = kept(this.audience)
    if (one) await this.who.api().del(`/${this.audience}/push/${one.id}`).catch((fault: unknown) => {
      if (!(fault instanceof ApiError) || fault.status !== 404) throw fault
    })
    keep(this.audience, null)
    await this.unsubscribe().catch(() => undefined)
    this.look()
  }

  private get audience(): 'buyer' | 'staff' {
    return this.scope === '/agent/' ? 'staff' : 'buyer'
  }

  private get may(): 'unsupported' | NotificationPermission {
    const able = window.isSecureContext && 'serviceWorker' in navigator && 'Notification' in window && 'PushManager' in window
    return able ? Notification.permission : 'unsupported'
  }

  private look(): void {
    const may = this.may
    if (may === 'unsupported') this.state.value = 'unsupported'
    else if (may === 'denied') this.state.value = 'blocked'
    else this.state.value = may === 'granted' && kept(this.audience)?.person === this.who.person() ? 'on' : 'off'
    this.preview.value = this.state.value === 'on' && (kept(this.audience)?.preview ?? false)
  }

  /** Said again at each start: the subscription lives as long as the session it was made in, and browsers change theirs. */
  private async tell(preview = kept(this.audience)?.preview ?? false): Promise<void> {
    const api = this.who.api()
    const key = await api.get<PushKey>(`/${this.audience}/push`)
    const registration = await navigator.serviceWorker.register(WORKER, { scope: this.scope, updateViaCache: 'none' })
    const one = key.simulated ? (kept(this.audience)?.simulated ?? (await simulated(key.key))) : await subscribed(registration, key.key)
    const view = await api.put<PushDeviceView>(`/${this.audience}/push`, { ...one, preview, lang: language() })
    keep(this.audience, { id: view.id, person: this.who.person(), guest: this.who.guest(), preview: view.preview, ...(key.simulated ? { simulated: one } : {}) })
  }

  private async unsubscribe(): Promise<void> {
    const registration = await navigator.serviceWorker.getRegistration(this.scope)
    await (await registration?.pushManager.getSubscription())?.unsubscribe()
  }
}

async function subscribed(registration: ServiceWorkerRegistration, key: string): Promise<Subscribed> {
  await navigator.serviceWorker.ready
  const before = await registration.pushManager.getSubscription()
  // Made for another key of the server: no push of ours would be taken.
  if (before && base64url(before.options.applicationServerKey) !== key) await before.unsubscribe()
  const one = (await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key })).toJSON()
  return { endpoint: one.endpoint ?? '', p256dh: one.keys?.['p256dh'] ?? '', auth: one.keys?.['auth'] ?? '' }
}

const base64url = (bytes: ArrayBuffer | null): string =>
  btoa(String.fromCharCode(...new Uint8Array(bytes ?? new ArrayBuffer(0)))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

/** In a trial the sandbox phone plays the browser's push service: the real one may be out of reach. */
async function simulated(key: string): Promise<Subscribed> {
  const answer = await fetch('/sandbox/phone/api/browsers', { method: 'POST', body: JSON.stringify({ key }) })
  if (!answer.ok) throw new Error(`the simulator refused: ${answer.status}`)
  return (await answer.json()) as Subscribed
}
