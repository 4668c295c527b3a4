// Draws only what is on screen of a long list: thousands of rows cost what fifty do, and what is seen stays where it is.
import { computed, onBeforeUnmount, onMounted, ref, shallowRef, watch, type Ref } from 'vue'

export interface VirtualList {
  /** Rows from…to (not included) are to be drawn, `top` pixels down in a box of `total` pixels. */
  from: Readonly<Ref<number>>
  to: Readonly<Ref<number>>
  top: Readonly<Ref<number>>
  total: Readonly<Ref<number>>
  /** Within a few pixels of the end; such a view follows what is added. */
  atEnd: Ref<boolean>
  /** For `:ref` of each drawn row: its real height replaces the guess. */
  row: (key: string) => (el: unknown) => void
  toEnd: () => void
  /** Brings a row into sight; nothing moves when it is. */
  show: (index: number, where?: 'nearest' | 'middle') => void
}

export interface VirtualOptions {
  view: Readonly<Ref<HTMLElement | null>>
  keys: () => readonly string[]
  /** A first guess, for rows not drawn yet. */
  guess: (index: number) => number
  /** Pixels above the first row inside the view. */
  above?: () => number
  /** Begins at the end and follows it (a chat), or begins at the top (a list). */
  follow?: boolean
  /** Rows all have the guessed height. */
  fixed?: boolean
}

const BEYOND_PX = 500
const END_PX = 60

export function useVirtual(options: VirtualOptions): VirtualList {
  const { view, keys, guess, follow = false, fixed = false } = options
  const scroll = ref(0)
  const tall = ref(800)
  const atEnd = ref(follow)
  const heights = new Map<string, number>()
  const measured = shallowRef(0)
  const names = new WeakMap<Element, string>()
  const drawn = new Map<string, Element>()

  /** Where each row begins; one more than rows. */
  const starts = computed(() => {
    void measured.value
    const list = keys()
    const sums = new Float64Array(list.length + 1)
    for (let i = 0, sum = 0; i < list.length; i += 1) sums[i + 1] = sum += (fixed ? undefined : heights.get(list[i] ?? '')) ?? guess(i)
    return sums
  })
  const total = computed(() => starts.value.at(-1) ?? 0)
  const above = (): number => options.above?.() ?? 0

  /** The row that covers this many pixels from the first. */
  function at(y: number): number {
    const sums = starts.value
    let low = 0
    let high = Math.max(0, sums.length - 2)
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((sums[middle] ?? 0) <= y) low = middle
      else high = middle - 1
    }
    return low
  }

  const from = computed(() => at(scroll.value - above() - BEYOND_PX))
  const to = computed(() => Math.min(keys().length, at(scroll.value - above() + tall.value + BEYOND_PX) + 1))
  const top = computed(() => starts.value[from.value] ?? 0)

  // What the eye rests on: the first row in sight and how far it is scrolled off. It stays when rows above change.
  let rest = { key: '', off: 0 }

  function look(): void {
    const box = view.value
    if (!box) return
    scroll.value = box.scrollTop
    tall.value = box.clientHeight
    atEnd.value = follow && box.scrollHeight - box.scrollTop - box.clientHeight < END_PX
    const index = at(box.scrollTop - above())
    rest = { key: keys()[index] ?? '', off: box.scrollTop - above() - (starts.value[index] ?? 0) }
  }

  function toEnd(): void {
    const box = view.value
    if (!box) return
    box.scrollTop = box.scrollHeight
    atEnd.value = true
    scroll.value = box.scrollTop
  }

  function show(index: number, where: 'nearest' | 'middle' = 'nearest'): void {
    const box = view.value
    if (!box || index < 0) return
    const begin = (starts.value[index] ?? 0) + above()
    const end = (starts.value[index + 1] ?? begin) + above()
    if (begin >= box.scrollTop && end <= box.scrollTop + box.clientHeight) return
    if (where === 'middle') box.scrollTop = begin - (box.clientHeight - (end - begin)) / 2
    else box.scrollTop = begin < box.scrollTop ? begin : end - box.clientHeight
    look()
  }

  function settle(): void {
    const box = view.value
    if (!box) return
    if (follow && atEnd.value) return toEnd()
    if (!follow) return
    const index = keys().indexOf(rest.key)
    if (index < 0) return
    const wanted = (starts.value[index] ?? 0) + above() + rest.off
    if (Math.abs(wanted - box.scrollTop) > 0.5) box.scrollTop = wanted
    scroll.value = box.scrollTop
  }
  watch(starts, settle, { flush: 'post' })

  const sizes = new ResizeObserver((changes) => {
    let news = false
    for (const { target } of changes) {
      const key = names.get(target)
      const height = target.getBoundingClientRect().height
      if (key === undefined || !target.isConnected || heights.get(key) === height) continue
      heights.set(key, height)
      news = true
    }
    if (news) measured.value += 1
  })

  const holders = new Map<string, (el: unknown) => void>()
  function row(key: string): (el: unknown) => void {
    let hold = holders.get(key)
    if (!hold) {
      hold = (el) => {
        const node = el instanceof Element ? el : ((el as { $el?: Element } | null)?.$el ?? null)
        const before = drawn.get(key)
        if (before === node) return
        if (before) sizes.unobserve(before)
        if (!node) {
          drawn.delete(key)
          holders.delete(key)
          return
        }
        drawn.set(key, node)
        names.set(node, key)
        sizes.observe(node)
      }
      holders.set(key, hold)
    }
    return hold
  }

  const frame = new ResizeObserver(() => {
    if (follow && atEnd.value) toEnd()
    look()
  })
  let heard: HTMLElement | null = null
  function listen(box: HTMLElement | null): void {
    heard?.removeEventListener('scroll', look)
    if (heard) frame.unobserve(heard)
    heard = box
    box?.addEventListener('scroll', look, { passive: true })
    if (box) frame.observe(box)
  }
  onMounted(() => watch(view, listen, { immediate: true, flush: 'post' }))
  onBeforeUnmount(() => {
    listen(null)
    sizes.disconnect()
    frame.disconnect()
  })
  return { from, to, top, total, atEnd, row, toEnd, show }
}
