// Faults nobody caught: told to the person in words, and kept in the console for whoever looks after the shop.
import type { App } from 'vue'
import { ApiError } from '@kit/api/http'

type Show = (fault: unknown) => void

/** An ApiError that a page let fly is shown as its sentence; anything else is a fault of ours and also logged. */
export function watchFaults(app: App, show: Show): void {
  app.config.errorHandler = (fault, _instance, where) => {
    show(fault)
    if (!(fault instanceof ApiError)) console.error(`fault in ${where}`, fault)
  }
  window.addEventListener('unhandledrejection', (event) => {
    if (event.reason instanceof ApiError) {
      show(event.reason)
      event.preventDefault()
    }
  })
}
