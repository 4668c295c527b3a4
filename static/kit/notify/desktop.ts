// Catches the eye from another window: desktop notification (once the person allowed it), a number in the title and on the tab's icon.

export type NotifyState = 'unsupported' | 'ask' | 'allowed' | 'blocked'

export function notifyState(): NotifyState {
  if (!('Notification' in window) || !window.isSecureContext) return 'unsupported'
  return Notification.permission === 'granted' ? 'allowed' : Notification.permission === 'denied' ? 'blocked' : 'ask'
}

/** Call only from a click. */
export async function allowNotify(): Promise<NotifyState> {
  if (notifyState() === 'ask') await Notification.requestPermission()
  return notifyState()
}

export function notify(note: { title: string; body: string; tag: string; onClick?: () => void }): void {
  if (notifyState() !== 'allowed') return
  try {
    const shown = new Notification(note.title, { body: note.body, tag: note.tag })
    shown.onclick = () => {
      window.focus()
      note.onClick?.()
      shown.close()
    }
  } catch {
    // Chrome on Android only lets service workers notify.
  }
}

let plainTitle = ''
let shownCount = -1

/** `(3) …` in the title and a red 3 on the tab's icon; 0 takes both away. */
export function badge(count: number, title: string): void {
  if (title !== plainTitle || count !== shownCount) document.title = count > 0 ? `(${count > 99 ? '99+' : count}) ${title}` : title
  plainTitle = title
  if (count === shownCount) return
  shownCount = count
  const link = iconLink()
  link.dataset.plain ??= link.href
  if (count === 0) link.href = link.dataset.plain
  else link.href = badgeSvg(count)
}

function iconLink(): HTMLLinkElement {
  const found = document.querySelector<HTMLLinkElement>('link[rel~="icon"]')
  if (found) return found
  const made = document.createElement('link')
  made.rel = 'icon'
  made.href = 'data:,'
  document.head.append(made)
  return made
}

function badgeSvg(count: number): string {
  const text = count > 9 ? '9+' : String(count)
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1a5fd0"/>'
    + '<path d="M7 9h18v11H14l-5 4v-4H7z" fill="#fff"/><circle cx="22" cy="22" r="10" fill="#c21530"/>'
    + `<text x="22" y="26.5" font-family="sans-serif" font-size="13" font-weight="700" text-anchor="middle" fill="#fff">${text}</text></svg>`
  return `data:image/svg+xml,${encodeURIComponent(svg)}`
}
