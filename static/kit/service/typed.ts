// Words typed and not yet sent lie on this device under the name of who typed them: the next person here does not read
// them, and once it is known that who typed them has left, they go.
import { ref, type Ref } from 'vue'
import { sweep } from '@kit/auth/traces'

/** Whoever has not said who they are. When they do, what they typed goes with them. */
const NOBODY = 'guest'
/** Keys of earlier versions, in nobody's or in an unclear name. */
const OLD = ['octshop.draft.', 'octshop.leave.', 'octshop.rating.draft', 'octshop.typed.widget.']

export class Typed {
  /** Until it is known who is here: who was here last. */
  readonly who: Ref<string>

  constructor(private readonly scope: string) {
    sweep(OLD)
    this.who = ref(localStorage.getItem(`${scope}.who`) ?? NOBODY)
  }

  /** Where the words of whoever is here lie. */
  key(what: string): string {
    return `${this.scope}.${this.who.value}.${what}`
  }

  /** How many keys of whoever is here begin with one of these. */
  count(begins: readonly string[]): number {
    return Object.keys(localStorage).filter((key) => begins.some((one) => key.startsWith(this.key(one)))).length
  }

  is(person = ''): void {
    const before = this.who.value
    const now = person || NOBODY
    if (now === before) return
    if (before === NOBODY) this.hand(now)
    // Whoever was here before has made room for another.
    if (person) sweep([`${this.scope}.`], `${this.scope}.${now}.`)
    localStorage.setItem(`${this.scope}.who`, now)
    this.who.value = now
  }

  /** This person has left the device. */
  forget(person: string): void {
    if (this.who.value === person) this.is()
    sweep([`${this.scope}.${person}.`])
  }

  private hand(to: string): void {
    const theirs = `${this.scope}.${NOBODY}.`
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(theirs)) continue
      localStorage.setItem(`${this.scope}.${to}.${key.slice(theirs.length)}`, localStorage.getItem(key) ?? '')
      localStorage.removeItem(key)
    }
  }
}
