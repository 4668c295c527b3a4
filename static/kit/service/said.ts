// What this browser's person has chosen under automatic answers: the log does not hold it, so the page remembers.
import { reactive } from 'vue'

interface Said {
  picked: string[]
  vote: '' | 'yes' | 'no'
}

const KEY = 'octshop.answers'
const MOST = 60
const all = reactive(new Map<string, Said>(kept()))

function kept(): [string, Said][] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '[]') as [string, Said][]
  } catch {
    return []
  }
}

function change(answer: string, part: Partial<Said>): void {
  all.set(answer, { ...(all.get(answer) ?? { picked: [], vote: '' }), ...part })
  localStorage.setItem(KEY, JSON.stringify([...all].slice(-MOST)))
}

/** Whose choices they are has left. */
export function forgetSaid(): void {
  all.clear()
  localStorage.removeItem(KEY)
}

export function picked(answer: string, option?: string): string[] {
  const before = all.get(answer)?.picked ?? []
  if (option && !before.includes(option)) change(answer, { picked: [...before, option] })
  return all.get(answer)?.picked ?? []
}

export function voted(answer: string, vote?: 'yes' | 'no'): Said['vote'] {
  if (vote) change(answer, { vote })
  return all.get(answer)?.vote ?? ''
}
