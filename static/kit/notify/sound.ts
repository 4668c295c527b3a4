// Short tones made on the spot (no audio files): one shape for each meaning, told apart without looking.

export type Tone = 'success' | 'used' | 'refused' | 'beep' | 'paid' | 'attention' | 'message' | 'waiting'

interface Note {
  hz: number
  at: number
  for: number
  wave?: OscillatorType
  gain?: number
}

const TONES: Record<Tone, Note[]> = {
  success: [{ hz: 784, at: 0, for: 0.11 }, { hz: 1175, at: 0.11, for: 0.22 }],
  used: [{ hz: 523, at: 0, for: 0.16, wave: 'triangle' }, { hz: 523, at: 0.24, for: 0.16, wave: 'triangle' }],
  refused: [{ hz: 196, at: 0, for: 0.42, wave: 'square', gain: 0.35 }, { hz: 185, at: 0, for: 0.42, wave: 'square', gain: 0.25 }],
  beep: [{ hz: 1568, at: 0, for: 0.06 }],
  paid: [{ hz: 659, at: 0, for: 0.12 }, { hz: 880, at: 0.12, for: 0.12 }, { hz: 1319, at: 0.24, for: 0.34 }],
  attention: [{ hz: 440, at: 0, for: 0.2, wave: 'triangle' }, { hz: 370, at: 0.26, for: 0.3, wave: 'triangle' }],
  message: [{ hz: 988, at: 0, for: 0.08, gain: 0.5 }, { hz: 1319, at: 0.09, for: 0.16, gain: 0.5 }],
  waiting: [{ hz: 740, at: 0, for: 0.1 }, { hz: 740, at: 0.18, for: 0.1 }, { hz: 988, at: 0.36, for: 0.18 }],
}

const MUTE_KEY = 'oct.sound.mute'

let context: AudioContext | null = null
let muted = localStorage.getItem(MUTE_KEY) === '1'

/** Browsers start sound only inside a gesture: call once, it listens for the first tap or key. */
export function unlockOnGesture(): void {
  const unlock = (): void => {
    context ??= new AudioContext()
    void context.resume()
  }
  document.addEventListener('pointerdown', unlock, { once: true, capture: true })
  document.addEventListener('keydown', unlock, { once: true, capture: true })
}

export function isMuted(): boolean {
  return muted
}

export function setMuted(on: boolean): void {
  muted = on
  localStorage.setItem(MUTE_KEY, on ? '1' : '0')
}

export function play(tone: Tone): void {
  if (muted || context?.state !== 'running') return
  const start = context.currentTime + 0.01
  for (const note of TONES[tone]) {
    const voice = context.createOscillator()
    const loud = context.createGain()
    voice.type = note.wave ?? 'sine'
    voice.frequency.value = note.hz
    const from = start + note.at
    const until = from + note.for
    // Straight on and off would click.
    loud.gain.setValueAtTime(0, from)
    loud.gain.linearRampToValueAtTime((note.gain ?? 1) * 0.6, from + 0.008)
    loud.gain.setValueAtTime((note.gain ?? 1) * 0.6, until - 0.04)
    loud.gain.linearRampToValueAtTime(0, until)
    voice.connect(loud).connect(context.destination)
    voice.start(from)
    voice.stop(until + 0.01)
  }
}
