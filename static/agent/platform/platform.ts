// An administrator of the platform at this desk: the session of that door, and the settings that lie beneath all shops'.
import { computed } from 'vue'
import { platformSession } from '@kit/auth/session'
import { dropDraftsOf } from '../settings/kit/drafts'
import type { SettingsShop } from '../settings/shop'

export const admin = platformSession()
admin.onLeft.push(dropDraftsOf)

export const platformWide: SettingsShop = {
  id: computed(() => 'platform-wide'),
  post: computed(() => undefined),
  platform: true,
  api: admin.api,
  person: () => admin.me.value?.person.id ?? '',
  may: () => true,
  desk: (path) => (path.startsWith('guard') ? `/platform/${path}` : `/platform/desk/${path}`),
  choose: () => Promise.resolve(),
}
