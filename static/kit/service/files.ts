// Files of the buyer's chat: read with the buyer's cookie, or with a guest's token, which no <img> can show; and sent.
import { onScopeDispose, ref, watch, type Ref } from 'vue'
import { ApiError, newRequestId, type Api } from '@kit/api/http'
import { language, say } from '@kit/i18n'
import type { Body, SayKind } from '@kit/im/types'

export const fileUrl = (id: string, small = false): string => `/api/v1/buyer/files/${id}${small ? '/thumbnail' : ''}`

/** An address at which the page may show the file; empty while it is fetched. */
export function useFile(api: () => Api, id: () => string, small = false): { url: Ref<string>; broken: Ref<boolean>; load: () => Promise<void> } {
  const url = ref('')
  const broken = ref(false)
  let own = ''
  const drop = (): void => {
    if (own) URL.revokeObjectURL(own)
    own = ''
  }

  async function load(): Promise<void> {
    broken.value = false
    const { bearer } = api()
    if (!bearer) return void (url.value = fileUrl(id(), small))
    try {
      const answer = await fetch(fileUrl(id(), small), { headers: { Authorization: `Bearer ${bearer}` }, credentials: 'omit' })
      if (!answer.ok) throw new Error(String(answer.status))
      drop()
      url.value = own = URL.createObjectURL(await answer.blob())
    } catch {
      broken.value = true
    }
  }

  onScopeDispose(drop)
  return { url, broken, load }
}

/** Shown at once where it is seen at once. */
export function useShown(api: () => Api, id: () => string, small = false): ReturnType<typeof useFile> {
  const file = useFile(api, id, small)
  watch(id, () => void file.load(), { immediate: true })
  return file
}

interface Stored {
  id: string
  mime?: string
  size?: number
  w?: number
  h?: number
  ms?: number
}

/** Carries one file and tells how far it is. `requestId` is kept over retries: the same upload gives the same file. */
export function upload(api: Api, file: File, kind: SayKind, requestId: string, going: (done: number) => void): Promise<Body> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    const name = file.name.slice(0, 200)
    request.open('POST', `/api/v1/buyer/files?${new URLSearchParams({ request_id: requestId, kind, name })}`)
    request.setRequestHeader('Content-Type', file.type || 'application/octet-stream')
    request.setRequestHeader('Accept-Language', language())
    if (api.bearer) request.setRequestHeader('Authorization', `Bearer ${api.bearer}`)
    else request.setRequestHeader('X-CSRF-Token', api.csrf)
    request.responseType = 'json'
    request.upload.onprogress = (event) => going(event.lengthComputable ? event.loaded / event.total : 0)
    request.onerror = () => reject(new ApiError('client.offline', say('kit.error.offline'), 0, true))
    request.onload = () => {
      const answer = request.response as (Stored & { code?: string; detail?: string }) | null
      if (request.status >= 300 || !answer)
        return reject(new ApiError(answer?.code ?? `http.${request.status}`, answer?.detail ?? say('kit.error.server'), request.status, request.status >= 500))
      const { id, mime, size, w, h, ms } = answer
      resolve({ file: id, name, mime: mime ?? file.type, size: size ?? file.size, ...(w && h ? { w, h } : {}), ...(ms ? { ms } : {}) })
    }
    request.send(file)
  })
}

const PICTURES = /^image\/(png|jpe?g|webp|gif|bmp|heic|heif|avif)$/
const MOST_AT_ONCE = 9

export interface Upload {
  id: string
  file: File
  kind: SayKind
  preview: string
  done: number
  reason: string
}

/** Pictures and files on their way; each is said the moment it is stored. */
export function useUploads(api: () => Api, said: (kind: SayKind, body: Body) => Promise<unknown>) {
  const list = ref<Upload[]>([])

  async function go(one: Upload): Promise<void> {
    one.reason = ''
    one.done = 0
    try {
      const body = await upload(api(), one.file, one.kind, one.id, (done) => (one.done = done))
      await said(one.kind, body)
      drop(one)
    } catch (fault) {
      one.reason = fault instanceof ApiError ? fault.detail : say('kit.error.broken')
    }
  }

  function add(files: Iterable<File>): void {
    for (const file of [...files].slice(0, MOST_AT_ONCE - list.value.length)) {
      const picture = PICTURES.test(file.type)
      const kind: SayKind = picture ? 'image' : file.type.startsWith('video/') ? 'video' : 'file'
      list.value.push({ id: newRequestId(), file, kind, preview: picture ? URL.createObjectURL(file) : '', done: 0, reason: '' })
      const one = list.value.at(-1)
      if (one) void go(one)
    }
  }

  function drop(one: Upload): void {
    list.value = list.value.filter((other) => other.id !== one.id)
    if (one.preview) URL.revokeObjectURL(one.preview)
  }

  return { list, add, again: go, drop }
}
