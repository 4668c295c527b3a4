// One form of the settings: what the server has, what stands in the fields, what is wrong with it. What is typed and not
// saved survives a reload, and a save never takes away what was typed meanwhile.
import { computed, inject, onMounted, onScopeDispose, provide, ref, shallowRef, toRaw, watch, type ComputedRef, type InjectionKey, type Ref } from 'vue'
import { sentence } from '@kit/api/http'
import { usePerson } from '../shop'
import { dropDraft, keepDraft, readDraft } from './drafts'

/** Field name → what is wrong with it, as a sentence. */
export type Faults = Readonly<Record<string, string>>

export interface FormPlan<T extends object> {
  /** Names its draft; the shop belongs into it. */
  key: string
  load: () => Promise<T>
  /** Sends it; `changed` holds only the fields that differ. Gives back what holds now. */
  save: (now: T, changed: Partial<T>) => Promise<T>
  check?: (now: T) => Faults
  /** Asked before a save that loses something; false leaves everything as it is. */
  agree?: (now: T) => Promise<boolean>
}

export interface Form<T extends object> {
  /** What stands in the fields; null until it is loaded. Change its fields, or put another object. */
  now: Ref<T | null>
  was: Ref<T | null>
  dirty: ComputedRef<boolean>
  /** What is wrong with fields that were left, or with all once saving was tried. */
  faults: ComputedRef<Faults>
  state: Ref<'idle' | 'saving' | 'saved'>
  fault: Ref<string>
  /** Typed before, and not saved then. */
  restored: Ref<boolean>
  load: () => Promise<void>
  left: (field: string) => void
  /** False: something is wrong (`firstWrong` says which field) or the server refused. */
  submit: () => Promise<boolean>
  firstWrong: Ref<string>
  reset: () => void
}

const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** The fields of `now` that differ from `was`. */
export function changes<T extends object>(now: T, was: T): Partial<T> {
  return Object.fromEntries(Object.entries(now).filter(([name, value]) => !same(value, was[name as keyof T]))) as Partial<T>
}

export function useForm<T extends object>(plan: FormPlan<T>): Form<T> {
  const key = `${usePerson()()} ${plan.key}`
  const now = ref(null) as Ref<T | null>
  const was = shallowRef(null) as Ref<T | null>
  const state = ref<'idle' | 'saving' | 'saved'>('idle')
  const fault = ref('')
  const restored = ref(false)
  const tried = ref(false)
  const seen = ref(new Set<string>())
  const firstWrong = ref('')
  const all = computed(() => (now.value && plan.check ? plan.check(now.value) : {}))
  const dirty = computed(() => now.value !== null && was.value !== null && !same(now.value, was.value))
  const faults = computed(() => Object.fromEntries(Object.entries(all.value).filter(([name]) => tried.value || seen.value.has(name))))
  let gone = false

  async function load(): Promise<void> {
    fault.value = ''
    try {
      const found = await plan.load()
      if (gone) return
      was.value = found
      const draft = readDraft<Partial<T>>(key)
      now.value = { ...copy(found), ...draft }
      restored.value = dirty.value
    } catch (error) {
      fault.value = sentence(error)
    }
  }

  async function submit(): Promise<boolean> {
    if (!now.value || !was.value || state.value === 'saving') return false
    if (!dirty.value) return true
    tried.value = true
    firstWrong.value = ''
    const wrong = Object.keys(all.value)[0]
    if (wrong !== undefined) {
      firstWrong.value = wrong
      return false
    }
    const sent = copy(toRaw(now.value))
    if (plan.agree && !(await plan.agree(sent))) return false
    state.value = 'saving'
    fault.value = ''
    try {
      const kept = await plan.save(sent, changes(sent, was.value))
      // A field typed into while the answer was on its way keeps what was typed.
      const typed = changes(now.value, sent)
      was.value = kept
      now.value = { ...copy(kept), ...typed }
      state.value = 'saved'
      tried.value = restored.value = false
      seen.value = new Set()
      return true
    } catch (error) {
      state.value = 'idle'
      fault.value = sentence(error)
      return false
    }
  }

  function reset(): void {
    if (was.value) now.value = copy(was.value)
    tried.value = restored.value = false
    seen.value = new Set()
    fault.value = ''
    state.value = 'idle'
  }

  watch(now, (value) => {
    if (!value || !was.value) return
    const changed = changes(value, was.value)
    if (Object.keys(changed).length) keepDraft(key, changed)
    else dropDraft(key)
    if (dirty.value && state.value === 'saved') state.value = 'idle'
  }, { deep: true })
  onMounted(load)
  onScopeDispose(() => (gone = true))
  return { now, was, dirty, faults, state, fault, restored, load, left: (field) => seen.value.add(field), submit, firstWrong, reset }
}

/** What parts of a form need of it, whatever it holds. */
export interface AnyForm extends Omit<Form<object>, 'now' | 'was'> {
  /** Fields whose value, where the shop sets none, is the platform's and not the product's. */
  above?: Ref<readonly string[]>
}
const KEY: InjectionKey<AnyForm> = Symbol('form')
export const provideForm = (form: AnyForm): void => provide(KEY, form)
export const useFormOf = (): AnyForm | null => inject(KEY, null)
