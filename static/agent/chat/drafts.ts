// What is typed and not yet sent, by conversation; survives a reload, forgotten after two weeks. Answer or note: the
// draft remembers which, so that a note never turns into an answer.
import { reactive } from 'vue'
import { session } from '@kit/staff/staff'

const KEY = 'octshop.agent.drafts'
const KEEP_MS = 14 * 86_400_000

export interface Draft {
  text: string
  note?: boolean
  /** The entry it answers. */
  re?: number
}
interface Kept extends Draft {
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
// Whose they are has left: a page that stays open forgets them, too.
session.onLeft.push(() => Object.keys(drafts).forEach((c) => delete drafts[c]))

export const countDrafts = (): number => Object.keys(drafts).length

export function draftOf(c: string): Draft {
  return drafts[c] ?? { text: '' }
}

export function setDraft(c: string, draft: Draft): void {
  if (draft.text) drafts[c] = { ...draft, at: Date.now() }
  else if (!drafts[c]) return
  else delete drafts[c]
  // At once: a reload or a crash may come with the next key.
  try {
    localStorage.setItem(KEY, JSON.stringify(drafts))
  } catch {
    // A full store loses drafts at a reload only.
  }
}
