// Routing rules as the page holds them, and as a sentence.
import type { DeskSettings } from './layers'

export type Rule = DeskSettings['rules'][number]
/** `key` tells rows apart while they are moved; it is never sent. */
export type RuleRow = Rule & { key: number }

export const pages = ['shop', 'product', 'order', 'aftersale', 'activity'] as const
/** Levels the shop's buyers have: by the orders they made there. */
export const levels = [{ level: 1, orders: 1 }, { level: 2, orders: 3 }, { level: 3, orders: 10 }, { level: 4, orders: 30 }] as const
export const priorities = [0, 1, 3, 6, 9] as const
/** Rows of a draft come back with keys of an earlier page: those made here are later. */
let keys = Date.now()

export function rowOf(rule: Partial<Rule>): RuleRow {
  return { key: ++keys, page: rule.page ?? null, thing_id: rule.thing_id ?? null, level: rule.level ?? null, group_id: rule.group_id ?? null, skills: [...(rule.skills ?? [])], priority: rule.priority ?? 0 }
}
export function ruleOf({ key: _, ...rule }: RuleRow): Rule {
  return { ...rule, thing_id: rule.page === 'product' ? rule.thing_id : null }
}
/** A rule without a condition fits everybody: those below it are never reached. */
export const catchesAll = (row: RuleRow): boolean => row.page === null && row.level === null
/** It asks for nothing of whoever serves. */
export const doesNothing = (row: RuleRow): boolean => row.group_id === null && !row.skills.length && !row.priority
