// The desk's settings as a form needs them: what the shop has set (null: nothing), over what lies beneath.
import { shallowRef, type ShallowRef } from 'vue'
import type { components } from '@kit/api/schema'
import { useForm, type Faults, type Form } from '../kit/form'
import { useSettingsShop } from '../shop'

type Schema = components['schemas']
export type DeskSettings = Schema['DeskSettings']
export type Layers = Schema['Layers']
export type Field = Exclude<keyof DeskSettings, 'versions'>
/** Own values; null uses what lies beneath. */
export type Own<F extends Field> = { [K in F]: DeskSettings[K] | null }

export interface LayerForm<T extends object> extends Form<T> {
  /** What holds where the shop (or the platform itself) sets nothing. */
  beneath: ShallowRef<DeskSettings | null>
  /** Which of it are the platform's values. */
  above: ShallowRef<readonly string[]>
}

/** A form over some fields of the settings; `read` and `write` turn them into what people type and back. */
export function useLayers<F extends Field, T extends object>(plan: {
  key: string
  fields: readonly F[]
  read: (own: Own<F>, beneath: DeskSettings) => T
  write: (now: T) => Own<F>
  check?: (now: T) => Faults
}): LayerForm<T> {
  const shop = useSettingsShop()
  const beneath = shallowRef<DeskSettings | null>(null)
  const above = shallowRef<readonly string[]>([])
  let held: Own<F>

  async function load(): Promise<T> {
    const layers = await shop.api.get<Layers>(shop.desk('settings/layers'))
    beneath.value = layers.beneath
    above.value = layers.above
    held = Object.fromEntries(plan.fields.map((name) => [name, layers.own[name] ?? null])) as Own<F>
    return plan.read(held, layers.beneath)
  }
  async function save(now: T): Promise<T> {
    const wanted = plan.write(now)
    // Only what differs: a colleague may be setting something else at the same time.
    const patch = Object.fromEntries(plan.fields.filter((name) => JSON.stringify(wanted[name]) !== JSON.stringify(held[name])).map((name) => [name, wanted[name]]))
    await shop.api.put(shop.desk('settings'), patch)
    return load()
  }
  return { ...useForm<T>({ key: `${shop.id.value} ${plan.key}`, load, save, ...(plan.check ? { check: plan.check } : {}) }), beneath, above }
}
