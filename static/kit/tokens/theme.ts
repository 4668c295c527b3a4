// Light, dark or as the device says; kept on this device, applied to all three style systems at once.
import { ref } from 'vue'

export type Theme = 'auto' | 'light' | 'dark'
const KEY = 'octshop.theme'
const system = window.matchMedia('(prefers-color-scheme: dark)')

function stored(): Theme {
  const value = localStorage.getItem(KEY)
  return value === 'light' || value === 'dark' ? value : 'auto'
}

/** What the person chose. */
export const theme = ref<Theme>(stored())
/** What is shown now. */
export const dark = ref(false)

function apply(): void {
  dark.value = theme.value === 'dark' || (theme.value === 'auto' && system.matches)
  const html = document.documentElement
  html.dataset['theme'] = dark.value ? 'dark' : 'light'
  html.classList.toggle('dark', dark.value)
  html.classList.toggle('van-theme-dark', dark.value)
  document.querySelector('meta[name=theme-color]')?.setAttribute('content', dark.value ? '#16191d' : '#ffffff')
}

export function setTheme(next: Theme): void {
  theme.value = next
  localStorage.setItem(KEY, next)
  apply()
}

/** Call once before the page mounts. */
export function startTheme(): void {
  system.addEventListener('change', apply)
  apply()
}
