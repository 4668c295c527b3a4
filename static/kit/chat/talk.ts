// What a buyer does with lines that were said: quotes one, takes one back, puts one right.
import { ref, shallowReactive, shallowRef, type Ref, type ShallowRef } from 'vue'
import { sentence } from '@kit/api/http'
import type { ImClient } from '@kit/im/client'
import { ImError, type Body } from '@kit/im/types'
import { say } from '@kit/i18n'
import type { Courier } from './courier'
import type { Act } from './LineMenu.vue'
import { rewrite, takeBack } from './taking'

/** As long as the server lets a buyer take words back, and put them right. */
const BACK_MS = 120_000
const EDIT_MS = 900_000

/** As much of a line as these acts need. */
export interface Told {
  key: string
  /** Number in this conversation; 0: it has none here. */
  s: number
  m: string
  who: string
  k: string
  b: Body
  ts: number
  state: string
  recalled: boolean
  /** A file that is still on its way. */
  going?: boolean
}

export interface Talk {
  quoting: ShallowRef<Told | null>
  editing: ShallowRef<Told | null>
  /** Words one has just taken back, to be written anew. */
  taken: Map<string, string>
  fault: Ref<string>
  actsOf: (line: Told) => Act[]
  act: (act: Act, line: Told) => Promise<void>
  rewrite: (line: Told, text: string) => Promise<boolean>
}

export function useTalk(im: ImClient, c: () => string, courier: Courier): Talk {
  const quoting = shallowRef<Told | null>(null)
  const editing = shallowRef<Told | null>(null)
  const taken = shallowReactive(new Map<string, string>())
  const fault = ref('')

  function actsOf(line: Told): Act[] {
    if (line.going) return line.state === 'failed' ? ['resend', 'discard'] : ['discard']
    if (line.state === 'failed') return [...(line.k === 'text' ? ['copy' as const] : []), 'resend', 'discard']
    if (!line.s || line.recalled) return []
    const age = im.now() - line.ts
    const own = line.who === 'me'
    return [
      ...(line.k === 'text' ? ['copy' as const] : []),
      'quote',
      ...(own && line.k === 'text' && age < EDIT_MS ? ['edit' as const] : []),
      ...(own && age < BACK_MS ? ['recall' as const] : []),
    ]
  }

  async function run(work: () => Promise<unknown>): Promise<boolean> {
    fault.value = ''
    try {
      await work()
      return true
    } catch (failed) {
      fault.value = failed instanceof ImError ? failed.detail || say('kit.error.offline') : sentence(failed)
      return false
    }
  }

  async function act(what: Act, line: Told): Promise<void> {
    if (what === 'copy') await run(() => navigator.clipboard.writeText(line.b.text ?? ''))
    else if (what === 'quote') {
      editing.value = null
      quoting.value = line
    } else if (what === 'edit') {
      quoting.value = null
      editing.value = line
    } else if (what === 'recall') {
      if (await run(() => takeBack(im, c(), line.s))) {
        if (line.k === 'text') taken.set(line.key, line.b.text ?? '')
        if (quoting.value?.s === line.s) quoting.value = null
      }
    } else if (what === 'resend') {
      if (line.going) courier.again(line.m)
      else await im.resend(line.m)
    } else if (line.going) courier.drop(line.m)
    else await im.discard(line.m)
  }

  return { quoting, editing, taken, fault, actsOf, act, rewrite: (line, text) => run(() => rewrite(im, c(), line, text)) }
}
