// Notices on this device for whoever is signed in, or for the guest this browser is. Loaded where they are on or shown.
import { watch } from 'vue'
import { DeviceNotices } from '@kit/push/notices'
import { guestId, renewals, speaking } from './im'
import { session } from './session'

const person = (): string => session.me.value?.person.id ?? guestId()

export const notices = new DeviceNotices('/shop/', { api: speaking, person, guest: () => !session.me.value })
// A guest who begins anew goes by another id, which nothing else here would tell.
watch([session.known, person, renewals], ([known]) => known && void notices.resume(), { immediate: true })
