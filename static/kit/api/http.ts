// The one way pages talk to the server: CSRF header, language, time limit, and errors as values with a stable code.
import { language, say } from '@kit/i18n'

export type Audience = 'buyer' | 'staff' | 'platform'
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | null | undefined>>
/** A list page; `next` is the cursor of the following one. */
export interface Page<T> {
  items: T[]
  next: string | null
}

/** A refusal or a failure. `code` is stable ("inventory.out_of_stock"), `detail` is for people, in their language. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    readonly detail: string,
    readonly status: number,
    readonly retry: boolean,
    readonly data: Readonly<Record<string, unknown>> = {},
  ) {
    super(`${code}: ${detail}`)
  }

  /** The request may or may not have taken effect: ask again with the same request id, never start anew. */
  get unknown(): boolean {
    return this.code === 'client.timeout' || this.code === 'core.unknown_outcome' || this.status === 502 || this.status === 504
  }
}

/** What went wrong, as a sentence for the page. */
export function sentence(fault: unknown): string {
  if (fault instanceof ApiError) return fault.detail
  return say('kit.error.broken')
}

const DEADLINE_MS = 15_000

interface Problem {
  code?: string
  title?: string
  detail?: string
  retry?: boolean
  data?: Record<string, unknown>
}

/** "?a=1&b=2&b=3", without what is not given; "" where nothing is. */
function tail(query: Query): string {
  const filled = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '')
  const pairs = filled.flatMap(([key, value]) => (Array.isArray(value) ? value : [value]).map((one) => [key, String(one)]))
  return pairs.length ? `?${new URLSearchParams(pairs)}` : ''
}

/** Talks to /api/v1 as one audience. */
export class Api {
  /** From the sign-in answer or GET session; goes with every change. */
  csrf = ''
  /** A token that is no cookie: of guests, and of pages in frames of other sites. With it no cookie is sent. */
  bearer = ''
  /** Called when the server says that nobody is signed in. */
  onSignedOut: () => void = () => undefined
  /** Called when the CSRF token is not that of the session (another tab signed in anew). True: it is the same person. */
  onStaleToken: () => Promise<boolean> = () => Promise.resolve(false)

  constructor(
    readonly audience: Audience,
    private readonly base = '/api/v1',
  ) {}

  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.send<T>('GET', path + tail(query))
  }

  post<T = void>(path: string, body?: object | Blob): Promise<T> {
    return this.send<T>('POST', path, body)
  }

  put<T = void>(path: string, body?: object): Promise<T> {
    return this.send<T>('PUT', path, body)
  }

  del<T = void>(path: string): Promise<T> {
    return this.send<T>('DELETE', path)
  }

  /** A file the server makes, as it came; for `save` (kit/api/save). */
  async file(path: string, query: Query = {}): Promise<Response> {
    const headers: Record<string, string> = { 'Accept-Language': language() }
    if (this.bearer) headers['Authorization'] = `Bearer ${this.bearer}`
    const answer = await this.reach('GET', path + tail(query), headers, null)
    if (!answer.ok) throw await this.refusal(answer)
    return answer
  }

  /** Where a path stands, for what asks by itself: pictures, uploads. */
  address(path: string): string {
    return this.base + path
  }

  /** Who asks. */
  headers(changes: boolean): Record<string, string> {
    return {
      ...(changes && this.csrf ? { 'X-CSRF-Token': this.csrf } : {}),
      ...(this.bearer ? { Authorization: `Bearer ${this.bearer}` } : {}),
    }
  }

  private async send<T>(method: string, path: string, body?: object | Blob, again = false): Promise<T> {
    const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': language(), ...this.headers(method !== 'GET') }
    let payload: BodyInit | null = null
    if (body instanceof Blob) {
      headers['Content-Type'] = body.type || 'application/octet-stream'
      payload = body
    } else if (body !== undefined) {
      headers['Content-Type'] = 'application/json'
      payload = JSON.stringify(body)
    }
    const answer = await this.reach(method, path, headers, payload)
    if (answer.status === 204) return undefined as T
    if (answer.ok) return (await answer.json()) as T
    const refusal = await this.refusal(answer)
    if (refusal.code !== 'auth.csrf' || again || !(await this.onStaleToken())) throw refusal
    return this.send<T>(method, path, body, true)
  }

  private async reach(method: string, path: string, headers: Record<string, string>, body: BodyInit | null) {
    const late = new AbortController()
    const timer = window.setTimeout(() => late.abort(), DEADLINE_MS)
    try {
      return await fetch(this.base + path, { method, headers, body, signal: late.signal, credentials: this.bearer ? 'omit' : 'same-origin' })
    } catch {
      // A change that left and was not answered may have happened; a read that failed changed nothing.
      if (method !== 'GET' && navigator.onLine) throw new ApiError('client.timeout', say('kit.error.timeout'), 0, true)
      throw new ApiError('client.offline', say('kit.error.offline'), 0, true)
    } finally {
      window.clearTimeout(timer)
    }
  }

  private async refusal(answer: Response): Promise<ApiError> {
    let problem: Problem = {}
    try {
      problem = (await answer.json()) as Problem
    } catch {
      // A proxy's own page: the status is all we know.
    }
    if (answer.status === 401) this.onSignedOut()
    const spoken = problem.detail ?? problem.title ?? say('kit.error.server')
    const code = problem.code ?? `http.${answer.status}`
    return new ApiError(code, spoken, answer.status, problem.retry ?? answer.status >= 500, problem.data ?? {})
  }
}

/** Whether the same request must be said again, word for word: it may have been done, or may be a moment later. What it was
 *  made from must not be looked at anew meanwhile: the wish itself may have changed it. */
export function mayStand(fault: unknown): boolean {
  return fault instanceof ApiError && (fault.retry || fault.unknown)
}

/** A request id as the server accepts it; made before sending and kept for every retry of the same wish. */
export function newRequestId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/**
 * One wish of a person ("buy this", "redeem two uses"). Its request id stays the same until the server has said
 * yes or no for certain; only then does the next press mean something new.
 */
export class Wish {
  private id = newRequestId()
  private running: Promise<unknown> | null = null

  /** Runs the wish; presses during the run join it. */
  async run<T>(work: (requestId: string) => Promise<T>): Promise<T> {
    if (this.running) return this.running as Promise<T>
    this.running = work(this.id)
    try {
      const result = (await this.running) as T
      this.id = newRequestId()
      return result
    } catch (fault) {
      if (fault instanceof ApiError && !mayStand(fault)) this.id = newRequestId()
      throw fault
    } finally {
      this.running = null
    }
  }
}
