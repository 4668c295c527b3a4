// The chat client as Vue pages see it: refs that follow the client's events, however much changes at once, one time.
import { computed, onScopeDispose, shallowRef, triggerRef, type ComputedRef, type ShallowRef } from 'vue'
import type { ImClient } from './client'
import type { Connection, Conversation, Unsent } from './types'

export interface LiveIm {
  connection: ShallowRef<Connection>
  /** Newest activity first. */
  list: ComputedRef<Conversation[]>
  unread: ComputedRef<number>
}

function beats(listen: (beat: () => void) => () => void): ShallowRef<number> {
  const count = shallowRef(0)
  let due = false
  const off = listen(() => {
    if (due) return
    due = true
    queueMicrotask(() => {
      due = false
      count.value += 1
    })
  })
  onScopeDispose(off)
  return count
}

export function liveIm(client: ImClient): LiveIm {
  const connection = shallowRef<Connection>({ ...client.connection })
  onScopeDispose(client.on('connection', (state) => (connection.value = { ...state })))
  const beat = beats((ring) => client.on('conversation', ring))
  const list = computed(() => (beat.value, client.list().map((conversation) => ({ ...conversation }))))
  return { connection, list, unread: computed(() => list.value.reduce((sum, conversation) => sum + conversation.unread, 0)) }
}

/** One conversation and what of it is still on its way. */
export function liveConversation(
  client: ImClient,
  c: () => string,
): { conversation: ComputedRef<Conversation | null>; unsent: ComputedRef<Unsent[]> } {
  const beat = beats((ring) => client.on('conversation', (changed) => (changed === '' || changed === c()) && ring()))
  const conversation = computed(() => {
    const found = (beat.value, client.conversation(c()))
    return found ? { ...found } : null
  })
  return { conversation, unsent: computed(() => (beat.value, client.unsentOf(c()).map((unsent) => ({ ...unsent })))) }
}

/** For lists that must redraw although nothing new was said ("2 min ago"). */
export function everyMinute(): ShallowRef<number> {
  const now = shallowRef(Date.now())
  const timer = window.setInterval(() => {
    now.value = Date.now()
    triggerRef(now)
  }, 30_000)
  onScopeDispose(() => window.clearInterval(timer))
  return now
}
