// What is typed and not yet sent, by conversation; survives a reload, forgotten after two weeks.
import { reactive } from 'vue'

const KEY = 'octshop.agent.drafts'
const KEEP_MS = 14 * 86_400_000

interface Kept {
  text: string
  at: number
}

function read(): Record<string, Kept> {
  try {
    const all = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Record<string, Kept>
    return Object.fromEntries(Object.entries(all).filter(([, one]) => one.text && Date.now() - one.at < KEEP_MS))
  } catch {
    return {}
  }
}

const drafts = reactive(read())

export function draftOf(c: string): string {
  return drafts[c]?.text ?? ''
}

export function setDraft(c: string, text: string): void {
  if (text) drafts[c] = { text, at: Date.now() }
  else delete drafts[c]
  // At once: a reload or a crash may come with the next key.
  localStorage.setItem(KEY, JSON.stringify(drafts))
}
