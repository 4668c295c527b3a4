// The page that shows this frame: who it is, what it says, what it is told. Exact origins both ways.

export interface Shown {
  page: string
  title: string
  referrer: string
  cart: { count: number; amount_fen: number; titles: string[] } | null
}

export interface HostEvents {
  open(): void
  hide(): void
  page(shown: Shown): void
  entry(text: string): void
}

const text = (value: unknown, most: number) => (typeof value === 'string' ? value.slice(0, most) : '')

/** The framing page's origin. The loader sends its origin as referrer; where a browser tells the ancestors, they count. */
export function hostOrigin(): string {
  const told = location.ancestorOrigins?.[0]
  if (told) return told
  try {
    return new URL(document.referrer).origin
  } catch {
    return ''
  }
}

export class Host {
  private readonly origin = hostOrigin()

  constructor(private readonly events: HostEvents) {
    if (!this.framed) return
    window.addEventListener('message', (event: MessageEvent<Record<string, unknown> | null>) => {
      if (event.source !== window.parent || event.origin !== this.origin) return
      const said = event.data
      if (said?.['octshop'] !== 'widget') return
      if (said['k'] === 'open') this.events.open()
      else if (said['k'] === 'hide') this.events.hide()
      else if (said['k'] === 'entry') this.events.entry(text(said['entry'], 1_500))
      else if (said['k'] === 'page') this.events.page(shown(said))
    })
    this.tell('ready')
  }

  get framed(): boolean {
    return window.parent !== window && this.origin !== ''
  }

  tell(k: 'ready' | 'unread' | 'close', more: Record<string, unknown> = {}): void {
    if (this.framed) window.parent.postMessage({ octshop: 'widget', k, ...more }, this.origin)
  }
}

function shown(said: Record<string, unknown>): Shown {
  const cart = said['cart'] as Record<string, unknown> | null | undefined
  const whole = (value: unknown) => (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0)
  return {
    page: text(said['page'], 500),
    title: text(said['title'], 120),
    referrer: text(said['referrer'], 500),
    cart: cart && typeof cart === 'object'
      ? {
          count: Math.min(whole(cart['count']), 9_999),
          amount_fen: whole(cart['amount_fen']),
          titles: (Array.isArray(cart['titles']) ? cart['titles'] : []).slice(0, 5).map((title) => text(title, 120)),
        }
      : null,
  }
}
