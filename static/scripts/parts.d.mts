// Types of parts.mjs for vite.config.ts.
import type { Rolldown } from 'vite'
export function parts(output: Rolldown.RolldownOutput['output']): Map<string, string>
