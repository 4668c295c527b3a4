// The buyer's session, one for all pages of this tab.
import { computed } from 'vue'
import { buyerSession } from '@kit/auth/session'

export const session = buyerSession()
export const api = session.api
export const signedIn = computed(() => session.me.value !== null)
