// Carries one file to the shop's store and tells how far it is; `fetch` cannot tell that of what leaves.
import type { Body, SayKind } from '@kit/im/types'
import { ApiError } from '@kit/api/http'
import { language, say } from '@kit/i18n'
import { api } from '@kit/staff/staff'

interface Stored {
  id: string
  mime?: string
  size?: number
  w?: number
  h?: number
  ms?: number
}

/** `requestId` is kept over retries: the same upload again gives the same file. */
export function upload(shopId: string, file: File, kind: SayKind, requestId: string, going: (done: number) => void): Promise<Body> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', `/api/v1/shop/${shopId}/files?${new URLSearchParams({ request_id: requestId, kind, name: file.name.slice(0, 200) })}`)
    request.setRequestHeader('Content-Type', file.type || 'application/octet-stream')
    request.setRequestHeader('Accept-Language', language())
    request.setRequestHeader('X-CSRF-Token', api.csrf)
    request.responseType = 'json'
    request.upload.onprogress = (event) => going(event.lengthComputable ? event.loaded / event.total : 0)
    request.onerror = () => reject(new ApiError('client.offline', say('kit.error.offline'), 0, true))
    request.onload = () => {
      const answer = request.response as (Stored & { code?: string; detail?: string }) | null
      if (request.status >= 300 || !answer) {
        return reject(new ApiError(answer?.code ?? `http.${request.status}`, answer?.detail ?? say('kit.error.server'), request.status, request.status >= 500))
      }
      const { id, mime, size, w, h, ms } = answer
      resolve({ file: id, name: file.name.slice(0, 200), mime: mime ?? file.type, size: size ?? file.size, ...(w && h ? { w, h } : {}), ...(ms ? { ms } : {}) })
    }
    request.send(file)
  })
}
