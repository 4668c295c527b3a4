// Files on their way into a conversation: dropped, pasted or chosen, uploaded at once, sent when the agent presses Enter.
import { computed, reactive, type ComputedRef } from 'vue'
import type { Body } from '@kit/im/types'
import { ApiError, newRequestId } from '@kit/api/http'
import { carry } from '@kit/chat/carry'
import { kindOf, type FileKind } from '@kit/chat/files'
import { ready } from '@kit/chat/ready'
import { say } from '@kit/i18n'
import { session } from '@kit/staff/staff'
import { shopFiles } from './doors'

export interface Attached {
  id: string
  file: File
  /** For pictures, shown while it loads. */
  preview: string
  kind: FileKind
  state: 'uploading' | 'ready' | 'failed'
  /** 0…1 */
  done: number
  reason: string
  body: Body
}

const MOST_AT_ONCE = 9

const all = reactive(new Map<string, Attached[]>())
// Whose they are has left.
session.onLeft.push(() => {
  for (const one of [...all.values()].flat()) if (one.preview) URL.revokeObjectURL(one.preview)
  all.clear()
})

export const countUploads = (): number => [...all.values()].flat().length

export function useUploads(c: () => string, shopId: () => string): {
  list: ComputedRef<Attached[]>
  add: (files: Iterable<File>) => void
  again: (one: Attached) => void
  remove: (one: Attached) => void
  /** Takes what is ready for sending. */
  take: () => { kind: FileKind; body: Body }[]
  waiting: ComputedRef<boolean>
} {
  const list = computed(() => all.get(c()) ?? [])

  async function start(one: Attached, shop: string): Promise<void> {
    one.state = 'uploading'
    one.done = 0
    one.reason = ''
    try {
      const fit = await ready(one.file)
      one.kind = fit.kind
      one.body = await carry(shopFiles(shop), { ...fit, requestId: one.id }, (done) => (one.done = done))
      one.state = 'ready'
    } catch (fault) {
      one.state = 'failed'
      one.reason = fault instanceof ApiError ? fault.detail : say('kit.error.broken')
    }
  }

  function add(files: Iterable<File>): void {
    const mine = all.get(c()) ?? reactive([])
    all.set(c(), mine)
    for (const file of [...files].slice(0, MOST_AT_ONCE - mine.length)) {
      const kind = kindOf(file)
      const preview = kind === 'image' ? URL.createObjectURL(file) : ''
      mine.push({ id: newRequestId(), file, preview, kind, state: 'uploading', done: 0, reason: '', body: {} })
      const one = mine.at(-1)
      if (one) void start(one, shopId())
    }
  }

  function remove(one: Attached): void {
    const mine = all.get(c()) ?? []
    const at = mine.findIndex((other) => other.id === one.id)
    if (at >= 0) mine.splice(at, 1)
    if (one.preview) URL.revokeObjectURL(one.preview)
  }

  function take(): { kind: FileKind; body: Body }[] {
    const ready = list.value.filter((one) => one.state === 'ready')
    ready.forEach(remove)
    return ready.map(({ kind, body }) => ({ kind, body: { ...body } }))
  }

  return { list, add, again: (one) => void start(one, shopId()), remove, take, waiting: computed(() => list.value.some((one) => one.state === 'uploading')) }
}
