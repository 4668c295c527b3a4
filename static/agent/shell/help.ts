// Somebody asked for the keys, by "?" or by the button in the rail.
import { ref } from 'vue'

export const helpShown = ref(false)
export const askHelp = (): void => void (helpShown.value = true)
