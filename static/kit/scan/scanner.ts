// Keeps a camera running in a video element and reports each code once: pauses when hidden, ignores a code it has just told.
import { CameraError, hasTorch, listCameras, openCamera, setTorch, stopCamera, type CameraFault } from './camera'
import { openDetector, type Detector, type Engine } from './detector'
import { tidy } from './text'

export interface Seen {
  text: string
  format: string
  engine: Engine
}

export type ScannerState =
  | { kind: 'off' }
  | { kind: 'starting' }
  | { kind: 'running'; engine: Engine; torch: boolean; cameras: number }
  | { kind: 'fault'; fault: CameraFault }

export interface ScannerOptions {
  onCode(seen: Seen): void
  onState?(state: ScannerState): void
  /** The same text is not told again until it has been out of sight this long. */
  sameCodeMs?: number
  /** Rest between two looks: ZXing needs 30–60 ms a frame on the page's own thread. */
  restMs?: number
}

export class Scanner {
  #video: HTMLVideoElement | null = null
  #stream: MediaStream | null = null
  #wanted = false
  #paused = false
  #pausedAt = 0
  /** Each start and stop makes a new generation; whatever an older one still awaits is thrown away. */
  #generation = 0
  #lastSeen = new Map<string, number>()
  #cameras: MediaDeviceInfo[] = []
  #deviceId: string | undefined

  constructor(private readonly options: ScannerOptions) {
    document.addEventListener('visibilitychange', this.#onVisibility)
  }

  async start(video: HTMLVideoElement): Promise<void> {
    this.#video = video
    this.#wanted = true
    await this.#open()
  }

  stop(): void {
    this.#wanted = false
    this.#close()
    this.#tell({ kind: 'off' })
  }

  /** For good: also stops listening to the page. */
  dispose(): void {
    this.stop()
    document.removeEventListener('visibilitychange', this.#onVisibility)
  }

  /** The picture goes on, codes are not told: while a person decides about one. What was in sight stays so meanwhile. */
  pause(on: boolean): void {
    if (on === this.#paused) return
    this.#paused = on
    const now = performance.now()
    if (on) this.#pausedAt = now
    else for (const [text, at] of this.#lastSeen) this.#lastSeen.set(text, at + now - this.#pausedAt)
  }

  /** Lets the same code be told again at once, after "try again". */
  forget(): void {
    this.#lastSeen.clear()
  }

  async torch(on: boolean): Promise<boolean> {
    return this.#stream ? setTorch(this.#stream, on) : false
  }

  async nextCamera(): Promise<void> {
    if (this.#cameras.length < 2) return
    const now = this.#cameras.findIndex((camera) => camera.deviceId === this.#deviceId)
    this.#deviceId = this.#cameras[(now + 1) % this.#cameras.length]?.deviceId
    await this.#open()
  }

  #onVisibility = (): void => {
    if (!this.#wanted) return
    if (document.visibilityState === 'hidden') this.#close()
    else void this.#open()
  }

  #tell(state: ScannerState): void {
    this.options.onState?.(state)
  }

  #close(): void {
    this.#generation += 1
    stopCamera(this.#stream)
    this.#stream = null
    if (this.#video) this.#video.srcObject = null
  }

  async #open(): Promise<void> {
    this.#close()
    const mine = this.#generation
    const video = this.#video
    if (!video) return
    this.#tell({ kind: 'starting' })
    try {
      const [stream, detector] = await Promise.all([openCamera(this.#deviceId), openDetector()])
      if (mine !== this.#generation) {
        stopCamera(stream)
        return
      }
      this.#stream = stream
      video.srcObject = stream
      await video.play()
      this.#cameras = await listCameras()
      this.#deviceId ??= stream.getVideoTracks()[0]?.getSettings().deviceId
      if (mine !== this.#generation) return
      this.#tell({ kind: 'running', engine: detector.engine, torch: hasTorch(stream), cameras: this.#cameras.length })
      await this.#look(mine, video, detector)
    } catch (error) {
      if (mine !== this.#generation) return
      this.#close()
      this.#tell({ kind: 'fault', fault: error instanceof CameraError ? error.fault : 'failed' })
    }
  }

  async #look(mine: number, video: HTMLVideoElement, detector: Detector): Promise<void> {
    const rest = this.options.restMs ?? 80
    while (mine === this.#generation) {
      if (!this.#paused && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && video.videoWidth > 0) {
        // A frame that cannot be read (camera turning, tab waking) is only a frame without a code.
        const found = await detector.detect(video).catch(() => [])
        if (mine !== this.#generation) return
        for (const code of found) this.#meet(code.text, code.format, detector.engine)
      }
      await new Promise((resolve) => setTimeout(resolve, rest))
    }
  }

  #meet(raw: string, format: string, engine: Engine): void {
    const text = tidy(raw)
    if (!text || this.#paused) return
    const now = performance.now()
    const before = this.#lastSeen.get(text)
    this.#lastSeen.set(text, now)
    if (before !== undefined && now - before < (this.options.sameCodeMs ?? 3000)) return
    for (const [old, at] of this.#lastSeen) if (now - at > 60_000) this.#lastSeen.delete(old)
    this.options.onCode({ text, format, engine })
  }
}
