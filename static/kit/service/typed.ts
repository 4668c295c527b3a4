// Words typed and not yet sent lie on this device under the name of who typed them: the next person here does not read them.
import { ref, type Ref } from 'vue'

/** Whoever has not said who they are. When they do, what they typed goes with them. */
const NOBODY = 'guest'

export class Typed {
  /** Until it is known who is here: who was here last. */
  readonly who: Ref<string>

  constructor(private readonly scope: string) {
    this.who = ref(localStorage.getItem(`${scope}.who`) ?? NOBODY)
  }

  /** Where the words of whoever is here lie. */
  key(what: string): string {
    return `${this.scope}.${this.who.value}.${what}`
  }

  is(person = ''): void {
    const before = this.who.value
    const now = person || NOBODY
    if (now === before) return
    if (before === NOBODY) this.hand(now)
    localStorage.setItem(`${this.scope}.who`, now)
    this.who.value = now
  }

  private hand(to: string): void {
    const theirs = `${this.scope}.${NOBODY}.`
    for (const key of Array.from({ length: localStorage.length }, (_, n) => localStorage.key(n) ?? '')) {
      if (!key.startsWith(theirs)) continue
      localStorage.setItem(`${this.scope}.${to}.${key.slice(theirs.length)}`, localStorage.getItem(key) ?? '')
      localStorage.removeItem(key)
    }
  }
}
