// A voice note while it is spoken: how long, how loud; kept or thrown away when the finger is lifted.
import { ref, type Ref } from 'vue'

export const MOST_MS = 60_000
const LEAST_MS = 700
/** What phones of both makers play comes first. */
const FORMS = ['audio/mp4;codecs=mp4a.40.2', 'audio/webm;codecs=opus', 'audio/mp4', 'audio/webm', 'audio/ogg;codecs=opus']

/** refused: the person or the browser says no; none: there is no microphone; unable: this page cannot record. */
export type MicFault = 'refused' | 'none' | 'unable' | 'short'
export class MicError extends Error {
  constructor(readonly why: MicFault) {
    super(why)
  }
}

export interface Spoken {
  file: Blob
  ms: number
}

export class Recorder {
  readonly ms: Ref<number> = ref(0)
  /** The last loudnesses, 0…1, newest last. */
  readonly loud: Ref<number[]> = ref([])
  private begun = 0
  private timer = 0
  private readonly pieces: Blob[] = []
  private readonly context: AudioContext | null
  private readonly meter: AnalyserNode | null

  private constructor(
    private readonly stream: MediaStream,
    private readonly tape: MediaRecorder,
    private readonly full: () => void,
  ) {
    this.context = 'AudioContext' in window ? new AudioContext() : null
    this.meter = this.context?.createAnalyser() ?? null
    if (this.context && this.meter) this.context.createMediaStreamSource(stream).connect(this.meter)
    tape.ondataavailable = (event) => event.data.size && this.pieces.push(event.data)
    tape.start(500)
    this.begun = performance.now()
    this.timer = window.setInterval(() => this.tick(), 80)
  }

  /** `full` is called when no more may be said. MicError when there is nothing to record with. */
  static async start(full: () => void): Promise<Recorder> {
    if (!window.isSecureContext || !('MediaRecorder' in window) || !navigator.mediaDevices) throw new MicError('unable')
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } }).catch((fault: unknown) => {
      throw new MicError(fault instanceof DOMException && fault.name === 'NotFoundError' ? 'none' : 'refused')
    })
    const form = FORMS.find((one) => MediaRecorder.isTypeSupported(one))
    return new Recorder(stream, new MediaRecorder(stream, { ...(form ? { mimeType: form } : {}), audioBitsPerSecond: 32_000 }), full)
  }

  /** What was said. MicError `short` when it was hardly anything. */
  async stop(): Promise<Spoken> {
    const ms = Math.min(MOST_MS, Math.round(performance.now() - this.begun))
    if (this.tape.state !== 'inactive') {
      const ended = new Promise((done) => (this.tape.onstop = done))
      this.tape.stop()
      await ended
    }
    this.end()
    if (ms < LEAST_MS) throw new MicError('short')
    return { file: new Blob(this.pieces, { type: this.tape.mimeType.split(';')[0] ?? '' }), ms }
  }

  cancel(): void {
    this.tape.ondataavailable = null
    if (this.tape.state !== 'inactive') this.tape.stop()
    this.end()
  }

  private tick(): void {
    this.ms.value = performance.now() - this.begun
    if (this.meter) {
      const heard = new Float32Array(this.meter.fftSize)
      this.meter.getFloatTimeDomainData(heard)
      const level = Math.sqrt(heard.reduce((sum, one) => sum + one * one, 0) / heard.length)
      this.loud.value = [...this.loud.value.slice(-27), Math.min(1, level * 5)]
    }
    if (this.ms.value >= MOST_MS) this.full()
  }

  private end(): void {
    window.clearInterval(this.timer)
    for (const track of this.stream.getTracks()) track.stop()
    void this.context?.close()
  }
}
