// Shakes the phone where it can (Android; iOS has no such thing).

const PATTERNS = { success: [60], used: [90, 70, 90], refused: [260, 80, 260], tap: [12] } as const

export function vibrate(kind: keyof typeof PATTERNS): void {
  // Asking without a gesture before is refused with a console warning.
  if (!navigator.userActivation?.hasBeenActive) return
  navigator.vibrate?.([...PATTERNS[kind]])
}
