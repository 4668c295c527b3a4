// What was typed into the settings and not saved; survives a reload, forgotten after a week.
const KEY = 'octshop.agent.settings'
const KEEP_MS = 7 * 86_400_000

interface Kept {
  at: number
  value: unknown
}

function all(): Record<string, Kept> {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Record<string, Kept>
    return Object.fromEntries(Object.entries(kept).filter(([, one]) => Date.now() - one.at < KEEP_MS))
  } catch {
    return {}
  }
}

function write(kept: Record<string, Kept>): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(kept))
  } catch {
    // A full store loses drafts at a reload only.
  }
}

export function readDraft<T>(key: string): T | undefined {
  return all()[key]?.value as T | undefined
}

export function keepDraft(key: string, value: unknown): void {
  write({ ...all(), [key]: { at: Date.now(), value } })
}

/** Whoever leaves this device leaves nothing here. */
export function dropDraftsOf(person: string): void {
  write(Object.fromEntries(Object.entries(all()).filter(([key]) => !key.startsWith(`${person} `))))
}

export function dropDraft(key: string): void {
  const { [key]: found, ...rest } = all()
  if (found) write(rest)
}
