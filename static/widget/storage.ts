// Browsers that keep nothing for frames of other sites throw at localStorage: memory serves for this page.

const kept = new Map<string, string>()
const memory: Storage = {
  get length() {
    return kept.size
  },
  clear: () => kept.clear(),
  getItem: (key) => kept.get(key) ?? null,
  key: (n) => [...kept.keys()][n] ?? null,
  removeItem: (key) => void kept.delete(key),
  setItem: (key, value) => void kept.set(key, String(value)),
}
try {
  localStorage.getItem('octshop.lang')
} catch {
  Object.defineProperty(window, 'localStorage', { value: memory, configurable: true })
}
