// Finds codes in a picture: the browser's own detector where it can read QR, else ZXing as WebAssembly from our own server.

export type Engine = 'native' | 'wasm'

export interface Found {
  text: string
  format: string
  /** Corners in the picture's own pixels, clockwise from the top left; empty when the engine tells none. */
  corners: { x: number; y: number }[]
}

export interface Detector {
  engine: Engine
  detect(picture: ImageBitmapSource): Promise<Found[]>
}

type Format = 'qr_code' | 'code_128' | 'ean_13'

interface RawCode {
  rawValue: string
  format: string
  cornerPoints: { x: number; y: number }[]
}

interface RawDetector {
  detect(picture: ImageBitmapSource): Promise<RawCode[]>
}

interface NativeDetector {
  new (options: { formats: Format[] }): RawDetector
  getSupportedFormats(): Promise<string[]>
}

/** A payment code is shown as QR and as Code 128, so both are read. */
const FORMATS: Format[] = ['qr_code', 'code_128']

function wrap(engine: Engine, raw: RawDetector): Detector {
  return {
    engine,
    async detect(picture) {
      const codes = await raw.detect(picture)
      return codes.map((code) => ({ text: code.rawValue, format: code.format, corners: [...code.cornerPoints] }))
    },
  }
}

/** The native detector is absent on Windows, Linux, iOS and Firefox, and on phones without Google Play services it reports no formats. */
async function nativeDetector(): Promise<Detector | null> {
  const native = (globalThis as { BarcodeDetector?: NativeDetector }).BarcodeDetector
  if (!native) return null
  try {
    const known = await native.getSupportedFormats()
    if (!known.includes('qr_code')) return null
    return wrap('native', new native({ formats: FORMATS.filter((format) => known.includes(format)) }))
  } catch {
    return null
  }
}

async function wasmDetector(): Promise<Detector> {
  const { BarcodeDetector } = await import('./zxing')
  return wrap('wasm', new BarcodeDetector({ formats: FORMATS }) as unknown as RawDetector)
}

let opened: Promise<Detector> | null = null

/** One detector a page. A failed load (network) is not remembered, so the next call tries again. */
export function openDetector(): Promise<Detector> {
  opened ??= (async () => (await nativeDetector()) ?? (await wasmDetector()))()
  opened.catch(() => {
    opened = null
  })
  return opened
}
