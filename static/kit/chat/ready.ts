// Makes chosen files fit to go: pictures every server reads and no larger than a chat needs, films with a frame to stand for them.
import { kindOf, type FileKind } from './files'

export interface Ready {
  kind: FileKind
  file: Blob
  name: string
  w?: number
  h?: number
  ms?: number
  poster?: Blob
}

const TAKEN = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/gif'])
/** The server draws pictures anew with four megapixels; more need not travel. */
const MOST_BYTES = 1_500_000
const MOST_AREA = 4_000_000
const POSTER_SIDE = 640
const PATIENCE_MS = 5_000

export async function ready(file: File): Promise<Ready> {
  const kind = kindOf(file)
  if (kind === 'image') return picture(file)
  if (kind === 'video') return { kind, file, name: file.name, ...(await frame(file)) }
  // A sound that was chosen is a file; voice notes are spoken.
  return { kind: 'file', file, name: file.name }
}

async function picture(file: File): Promise<Ready> {
  const plain = { kind: 'image' as const, file, name: file.name }
  const drawn = await createImageBitmap(file).catch(() => null)
  if (!drawn) return plain
  const { width: w, height: h } = drawn
  try {
    if (file.type === 'image/gif' || (TAKEN.has(file.type) && file.size <= MOST_BYTES)) return { ...plain, w, h }
    const fits = Math.min(1, Math.sqrt(MOST_AREA / (w * h)))
    const [width, height] = [Math.round(w * fits), Math.round(h * fits)]
    const small = await canvas(drawn, width, height, 0.88)
    if (!small || (TAKEN.has(file.type) && small.size >= file.size)) return { ...plain, w, h }
    return { ...plain, file: small, name: file.name.replace(/\.\w+$/, '.jpg'), w: width, h: height }
  } finally {
    drawn.close()
  }
}

function canvas(source: CanvasImageSource, width: number, height: number, quality: number): Promise<Blob | null> {
  const board = document.createElement('canvas')
  board.width = width
  board.height = height
  const pen = board.getContext('2d')
  if (!pen) return Promise.resolve(null)
  // A picture one can see through gets a white ground, as everywhere that keeps JPEG.
  pen.fillStyle = '#fff'
  pen.fillRect(0, 0, width, height)
  pen.drawImage(source, 0, 0, width, height)
  return new Promise((done) => board.toBlob(done, 'image/jpeg', quality))
}

/** Size, length and an early frame of a film; nothing of it where this browser cannot play it. */
async function frame(file: File): Promise<Pick<Ready, 'w' | 'h' | 'ms' | 'poster'>> {
  const film = document.createElement('video')
  const url = URL.createObjectURL(file)
  const once = (name: string): Promise<void> =>
    new Promise((done, failed) => {
      film.addEventListener(name, () => done(), { once: true })
      film.addEventListener('error', () => failed(new Error(name)), { once: true })
      window.setTimeout(() => failed(new Error(name)), PATIENCE_MS)
    })
  try {
    film.muted = true
    film.playsInline = true
    film.preload = 'auto'
    const known = once('loadeddata')
    film.src = url
    await known
    const { videoWidth: w, videoHeight: h, duration } = film
    const ms = Number.isFinite(duration) ? Math.round(duration * 1000) : 0
    const facts = { ...(w && h ? { w, h } : {}), ...(ms ? { ms } : {}) }
    if (!w || !h) return facts
    // The very first frame is often black.
    if (ms > 1_000) {
      const sought = once('seeked')
      film.currentTime = 0.5
      await sought
    }
    const fits = Math.min(1, POSTER_SIDE / Math.max(w, h))
    const poster = await canvas(film, Math.round(w * fits), Math.round(h * fits), 0.8)
    return { ...facts, ...(poster ? { poster } : {}) }
  } catch {
    return {}
  } finally {
    film.removeAttribute('src')
    film.load()
    URL.revokeObjectURL(url)
  }
}
