// Keeps the screen on while a page is at work; asks again whenever the page comes back to the front.

export function keepAwake(): () => void {
  let lock: WakeLockSentinel | null = null
  let wanted = true

  const ask = async (): Promise<void> => {
    if (!wanted || document.visibilityState !== 'visible' || !('wakeLock' in navigator)) return
    try {
      lock = await navigator.wakeLock.request('screen')
      if (!wanted) await lock.release()
    } catch {
      // Low battery or a policy: the screen then goes off as usual, nothing else is lost.
      lock = null
    }
  }
  const again = (): void => void ask()

  document.addEventListener('visibilitychange', again)
  void ask()
  return () => {
    wanted = false
    document.removeEventListener('visibilitychange', again)
    void lock?.release()
  }
}
