// Nobody leaves a part with unsaved input unasked: another part, another section, another shop.
import { ref, type Ref } from 'vue'
import { onBeforeRouteLeave, onBeforeRouteUpdate, type RouteLocationNormalized } from 'vue-router'
import type { AnyForm } from './form'

export type Choice = 'save' | 'drop' | 'stay'

export interface Leaving {
  asking: Ref<boolean>
  choose: (choice: Choice) => void
}

export function useLeaving(form: AnyForm): Leaving {
  const asking = ref(false)
  let answer: ((choice: Choice) => void) | null = null

  async function guard(to: RouteLocationNormalized, from: RouteLocationNormalized): Promise<boolean> {
    if (!form.dirty.value || (to.path === from.path && to.query['shop'] === from.query['shop'])) return true
    asking.value = true
    const choice = await new Promise<Choice>((resolve) => (answer = resolve))
    asking.value = false
    if (choice === 'save') return form.submit()
    if (choice === 'drop') form.reset()
    return choice === 'drop'
  }
  onBeforeRouteLeave(guard)
  onBeforeRouteUpdate(guard)
  return {
    asking,
    choose: (choice) => {
      answer?.(choice)
      answer = null
    },
  }
}
