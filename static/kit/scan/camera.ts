// Opens the back camera and says in one word why it cannot.

export type CameraFault = 'insecure' | 'unsupported' | 'denied' | 'absent' | 'busy' | 'failed'

export class CameraError extends Error {
  constructor(readonly fault: CameraFault, detail = '') {
    super(detail || fault)
  }
}

const FAULTS: Record<string, CameraFault> = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'absent',
  OverconstrainedError: 'absent',
  NotReadableError: 'busy',
  AbortError: 'busy',
}

export async function openCamera(deviceId?: string): Promise<MediaStream> {
  // On plain HTTP (other than localhost) `navigator.mediaDevices` does not exist at all, so this comes first.
  if (!window.isSecureContext) throw new CameraError('insecure')
  // The types promise mediaDevices; old in-app browsers do not keep the promise.
  const devices = navigator.mediaDevices as MediaDevices | undefined
  if (!devices) throw new CameraError('unsupported')
  const where: MediaTrackConstraints = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: { ideal: 'environment' } }
  try {
    return await devices.getUserMedia({ audio: false, video: { ...where, width: { ideal: 1280 }, height: { ideal: 720 } } })
  } catch (error) {
    const name = error instanceof DOMException ? error.name : ''
    throw new CameraError(FAULTS[name] ?? 'failed', error instanceof Error ? error.message : '')
  }
}

export function stopCamera(stream: MediaStream | null): void {
  for (const track of stream?.getTracks() ?? []) track.stop()
}

function videoTrack(stream: MediaStream): MediaStreamTrack | undefined {
  return stream.getVideoTracks()[0]
}

/** Only Chrome on Android offers the lamp. */
export function hasTorch(stream: MediaStream): boolean {
  const track = videoTrack(stream)
  const can = track?.getCapabilities?.() as (MediaTrackCapabilities & { torch?: boolean }) | undefined
  return can?.torch === true
}

export async function setTorch(stream: MediaStream, on: boolean): Promise<boolean> {
  try {
    await videoTrack(stream)?.applyConstraints({ advanced: [{ torch: on } as MediaTrackConstraintSet] })
    return true
  } catch {
    return false
  }
}

export async function listCameras(): Promise<MediaDeviceInfo[]> {
  const devices = navigator.mediaDevices as MediaDevices | undefined
  const all = (await devices?.enumerateDevices()) ?? []
  return all.filter((device) => device.kind === 'videoinput')
}
