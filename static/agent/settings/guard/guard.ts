// What the guard's parts name: the shapes of its rules, and the words for lengths of time.
import type { components } from '@kit/api/schema'

type Schemas = components['schemas']
export type Rules = Schemas['RulesView']
export type Word = Schemas['WordView']
export type Level = Word['level']
export type Sides = Word['sides']
export type Block = Schemas['BlockView']
export type Flag = Schemas['FlagView']
export type Action = Schemas['SpamRules']['links']

export const levels: readonly Level[] = ['mask', 'refuse', 'flag']
export const sides: readonly Sides[] = ['both', 'buyer', 'staff']
export const actions: readonly NonNullable<Action>[] = ['allow', 'flag', 'mask', 'refuse']
/** 0: until somebody lifts it. */
export const lengths: readonly number[] = [1, 24, 168, 720, 0]
export const MOST_AT_ONCE = 500
export const LONGEST = 40

/** Words of a paste: one a line, or divided by commas, semicolons or tabs. */
export const apart = (text: string): string[] => [...new Set(text.split(/[\n\r\t,，;；、]+/).map((one) => one.trim()).filter(Boolean))]
