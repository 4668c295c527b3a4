// The page's title follows the language.
import { watchEffect } from 'vue'

export function useTitle(title: () => string): void {
  watchEffect(() => {
    document.title = title()
  })
}
