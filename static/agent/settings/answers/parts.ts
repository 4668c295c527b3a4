// What a shop answers by itself, what it lets through, and what it looks at afterwards.
import type { Part } from '../parts'

export const answerParts: readonly Part[] = []
