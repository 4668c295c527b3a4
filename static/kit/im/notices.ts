// Who wants to hear about which object; asked of the server again after every reconnect.
import { T, type Notice, type Outbound, type Topic } from './types'

/** null means: notices may have been missed, ask for the truth. */
export type NoticeListener = (notice: Notice | null) => void

export class Notices {
  private readonly heard = new Map<string, Set<NoticeListener>>()

  constructor(private readonly ask: (frame: Outbound) => Promise<unknown>) {}

  watch(topic: Topic, ids: readonly string[], listener: NoticeListener): () => void {
    for (const id of ids) {
      const key = `${topic} ${id}`
      this.heard.set(key, (this.heard.get(key) ?? new Set()).add(listener))
    }
    this.subscribe(topic, ids, true)
    return () => this.subscribe(topic, ids.filter((id) => this.forget(`${topic} ${id}`, listener)), false)
  }

  take(notice: Notice): void {
    for (const listener of [...(this.heard.get(`${notice.topic} ${notice.id}`) ?? [])]) listener(notice)
  }

  /** A new socket knows nothing of what the old one had asked for. */
  renew(): void {
    const listeners = new Set<NoticeListener>()
    for (const [key, set] of this.heard) {
      const [topic = '', id = ''] = key.split(' ')
      this.subscribe(topic as Topic, [id], true)
      for (const listener of set) listeners.add(listener)
    }
    for (const listener of listeners) listener(null)
  }

  private forget(key: string, listener: NoticeListener): boolean {
    const set = this.heard.get(key)
    set?.delete(listener)
    return set?.size === 0 && this.heard.delete(key)
  }

  private subscribe(topic: Topic, ids: readonly string[], on: boolean): void {
    // A hint only: where it fails, the page's own asking stays.
    if (ids.length) this.ask({ t: T.SUB, k: topic, ids: [...ids], on }).catch(() => undefined)
  }
}
