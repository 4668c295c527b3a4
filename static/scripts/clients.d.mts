// Types of clients.mjs for vite.config.ts.
export const root: string
export const clients: readonly string[]
export const budgets: Readonly<Record<string, { js: number; css: number; first: readonly string[] }>>
export function filesBelow(folder: string): Generator<string>
