// This browser's stable install id and a name a person recognises in the device list.

const KEY = 'octshop.device'

export function deviceId(): string {
  let id = localStorage.getItem(KEY)
  if (!id) {
    id = Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, '0')).join('')
    localStorage.setItem(KEY, id)
  }
  return id
}

export function deviceName(): string {
  const agent = navigator.userAgent
  const system = /iPhone|iPad/.exec(agent)?.[0] ?? /Android|Windows|Mac OS X|Linux/.exec(agent)?.[0] ?? ''
  const browser = /MicroMessenger/.test(agent) ? 'WeChat' : /Edg|Firefox|Chrome|Safari/.exec(agent)?.[0]?.replace('Edg', 'Edge')
  return [browser ?? 'Browser', system.replace('Mac OS X', 'macOS')].filter(Boolean).join(' · ').slice(0, 60)
}
