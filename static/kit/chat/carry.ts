// Carries one file to the store and tells how far it is; `fetch` cannot tell that of what leaves.
import type { Body } from '@kit/im/types'
import { ApiError } from '@kit/api/http'
import { language, say } from '@kit/i18n'
import { pathOf, type FileDoor } from './door'
import type { FileKind } from './files'

interface Stored {
  id: string
  mime?: string
  size?: number
  w?: number
  h?: number
  ms?: number
}
type Answer = Stored & { code?: string; detail?: string; retry?: boolean }

/** Nothing moved for so long: the way is cut, though nobody said so. The server may look at a file for twenty seconds. */
const SILENT_MS = 45_000

export interface Upload {
  /** Kept over retries: the same upload again gives the same file. */
  requestId: string
  kind: FileKind
  file: Blob
  name: string
  /** A frame of a film, put beside it. */
  poster?: Blob
}

/** What the entry will say of it. ApiError `client.offline` when the way was cut, AbortError when it was called off. */
export async function carry(door: FileDoor, upload: Upload, going: (done: number) => void, off?: AbortSignal): Promise<Body> {
  const api = door.api()
  let answer: { status: number; body: Answer | null }
  answer = await post(door, upload, going, off)
  if (answer.body?.code === 'auth.csrf' && (await api.onStaleToken())) answer = await post(door, upload, going, off)
  const { status, body } = answer
  if (status >= 300 || !body) {
    throw new ApiError(body?.code ?? `http.${status}`, body?.detail ?? say('kit.error.server'), status, body?.retry ?? status >= 500)
  }
  const { id, mime, size, w, h, ms } = body
  const poster = upload.poster ? await api.put(`${pathOf(door, id)}/poster`, upload.poster).then(() => true, () => false) : false
  return {
    file: id, name: upload.name.slice(0, 200), mime: mime ?? upload.file.type, size: size ?? upload.file.size,
    ...(w && h ? { w, h } : {}), ...(ms ? { ms } : {}), ...(poster ? { poster } : {}),
  }
}

function post(door: FileDoor, upload: Upload, going: (done: number) => void, off?: AbortSignal): Promise<{ status: number; body: Answer | null }> {
  const api = door.api()
  const asked = new URLSearchParams({ request_id: upload.requestId, kind: upload.kind, name: upload.name.slice(0, 200) })
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', api.address(`${door.path}?${asked}`))
    request.setRequestHeader('Content-Type', upload.file.type || 'application/octet-stream')
    for (const [name, value] of Object.entries(api.headers(true))) request.setRequestHeader(name, value)
    request.setRequestHeader('Accept-Language', language())
    request.responseType = 'json'
    const offline = (): void => reject(new ApiError('client.offline', say('kit.error.offline'), 0, true))
    let timer = 0
    const alive = (): void => {
      window.clearTimeout(timer)
      timer = window.setTimeout(() => (offline(), request.abort()), SILENT_MS)
    }
    request.upload.onprogress = (event) => {
      alive()
      going(event.lengthComputable ? event.loaded / event.total : 0)
    }
    request.onloadend = () => window.clearTimeout(timer)
    request.onerror = offline
    request.onabort = () => reject(new DOMException('', 'AbortError'))
    request.onload = () => resolve({ status: request.status, body: request.response as Answer | null })
    off?.addEventListener('abort', () => request.abort())
    if (off?.aborted) return reject(new DOMException('', 'AbortError'))
    alive()
    request.send(upload.file)
  })
}
