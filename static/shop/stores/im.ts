// The buyer's chat, connected while someone is signed in.
import { effectScope, watch } from 'vue'
import { deviceId } from '@kit/auth/device'
import { language } from '@kit/i18n'
import { ImClient } from '@kit/im/client'
import { liveIm } from '@kit/im/live'
import { session } from './session'

export const im = new ImClient({ ticket: () => session.ticket(), device: deviceId(), app: 'shop', side: 'buyer', lang: language })

const scope = effectScope(true)
export const chat = scope.run(() => {
  watch(
    () => session.me.value?.person.id,
    (person) => {
      im.stop()
      if (person) im.start(person)
    },
    { immediate: true },
  )
  const live = liveIm(im)
  // A socket that was put out for good may mean that the session has ended elsewhere: ask.
  watch(
    () => live.connection.value.phase,
    (phase) => phase === 'stopped' && void session.refresh().catch(() => undefined),
  )
  return live
})!
