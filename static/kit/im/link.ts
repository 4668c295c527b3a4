// One connection from HELLO to its end, whatever carries it: answers by request number, and a watch for silence.
import { ImError, T, type ErrFrame, type Inbound, type Outbound, type WelcomeFrame } from './types'

export interface LinkOwner {
  welcomed(link: Link, welcome: WelcomeFrame): void
  frame(link: Link, frame: Inbound): void
  /** `code` as the server closed it; 0 when the network did. */
  ended(link: Link, code: number): void
}

interface Asked {
  resolve: (frame: Inbound) => void
  reject: (fault: Error) => void
  timer: number
}

const ANSWER_MS = 8_000
const HELLO_MS = 10_000

export abstract class Link {
  welcome: WelcomeFrame | null = null
  /** ENT frames that arrived; PING says how many were owed. */
  received = 0
  protected over = false
  private readonly asked = new Map<number, Asked>()
  private number = 0
  private silence = 0

  constructor(private readonly owner: LinkOwner) {}

  get open(): boolean {
    return !this.over && this.welcome !== null && this.ready()
  }

  abstract send(frame: Outbound): void
  /** Whether a frame sent now would leave. */
  protected abstract ready(): boolean
  /** Lets go of what carries the frames. */
  protected abstract release(polite: boolean): void

  /** Sends a frame that has an answer. Rejects with ImError on ERR, silence or the end of the connection. */
  ask<F extends Inbound>(frame: Outbound, within = ANSWER_MS): Promise<F> {
    this.number = (this.number + 1) % 0xffff_ffff
    const i = this.number
    return new Promise<F>((resolve, reject) => {
      if (this.over) return reject(new ImError('im.cut', '', true, 0))
      const timer = window.setTimeout(() => this.settle(i, new ImError('im.no_answer', '', true, 0)), within)
      this.asked.set(i, { resolve: resolve as (frame: Inbound) => void, reject, timer })
      this.send({ ...frame, i })
    })
  }

  close(): void {
    this.release(true)
    this.end(1000)
  }

  /** Frames that arrived, in order. */
  protected hear(frames: Inbound[]): void {
    this.watch(this.welcome ? this.welcome.hb * 2_000 + 5_000 : HELLO_MS)
    for (const frame of frames) {
      if (this.over) return
      if (frame.t === T.WELCOME) {
        this.welcome = frame
        this.watch(frame.hb * 2_000 + 5_000)
        this.owner.welcomed(this, frame)
        continue
      }
      if (frame.t === T.ENT) this.received += 1
      const i = 'i' in frame ? frame.i : undefined
      if (i !== undefined && this.asked.has(i)) this.settle(i, frame.t === T.ERR ? refused(frame) : frame)
      this.owner.frame(this, frame)
    }
  }

  protected watch(ms = HELLO_MS): void {
    window.clearTimeout(this.silence)
    this.silence = window.setTimeout(() => {
      this.release(false)
      this.end(0)
    }, ms)
  }

  protected unwatched(): void {
    window.clearTimeout(this.silence)
  }

  protected end(code: number): void {
    if (this.over) return
    this.over = true
    window.clearTimeout(this.silence)
    for (const i of [...this.asked.keys()]) this.settle(i, new ImError('im.cut', '', true, 0))
    this.owner.ended(this, code)
  }

  private settle(i: number, answer: Inbound | Error): void {
    const asked = this.asked.get(i)
    if (!asked) return
    this.asked.delete(i)
    window.clearTimeout(asked.timer)
    if (answer instanceof Error) asked.reject(answer)
    else asked.resolve(answer)
  }
}

function refused(frame: ErrFrame): ImError {
  return new ImError(frame.code, frame.msg, frame.retry, frame.after ?? 0)
}
