// The cashier's work: ask once, follow the payment live, and when nobody knows, find out before anything else. What the
// server says is open at this till holds it, whichever tab or device began it.
import { computed, onScopeDispose, ref, shallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { ApiError, newRequestId, sentence } from '@kit/api/http'
import { spoken } from '@kit/money/money'
import { isMuted, play } from '@kit/notify/sound'
import { speak } from '@kit/notify/speak'
import type { ImClient } from '@kit/im/client'
import { isCertain } from '@kit/staff/certain'
import type { AskedCharge } from '@kit/api/types'
import { Till, type Takings } from './api'
import { drop, keep, kept, type Open } from './open'
import { IDLE, isOpen, isTillHeld, REVERSE_AFTER_MS, step, type Ask, type Charge, type Happening, type Method, type Phase } from './pay'

/** With the socket up, notices tell; asking is the net below. With it down, asking is all there is. */
const ASK_ONLINE_MS = 8_000
const ASK_ALONE_MS = 2_500
/** The same for what others begin at this till, while nothing is under way here. */
const TAKINGS_ONLINE_MS = 60_000
const TAKINGS_ALONE_MS = 10_000

type Act = 'query' | 'reverse' | 'close' | 'aside'

export function useCashier(shopId: string, tillId: string, im: ImClient) {
  const { t, locale } = useI18n()
  const till = new Till(shopId, tillId)
  const phase = shallowRef<Phase>(IDLE)
  const takings = shallowRef<Takings | null>(null)
  const takingsFault = ref('')
  /** What the last query or reversal could not do; the payment's own state stays as it is. */
  const trouble = ref('')
  const busy = ref<'' | Act>('')
  const now = ref(Date.now())
  const online = ref(im.connection.phase === 'online')
  let open: Open | null = null
  let asking = false
  /** Ended before our eyes: takings that were read earlier may still call them open. */
  const over = new Set<string>()

  function happen(what: Happening): void {
    const before = phase.value
    const after = step(before, what)
    if (after === before) return
    phase.value = after
    if (!isOpen(after)) {
      if ('charge' in after && after.charge) over.add(after.charge.id)
      open = null
      drop(tillId)
    }
    if (after.kind !== before.kind) arrived(after)
  }

  function arrived(at: Phase): void {
    trouble.value = ''
    if (at.kind === 'idle') return void loadTakings()
    if (at.kind === 'paid') {
      play('paid')
      if (!isMuted()) speak(t('voice.paid', { amount: spoken(at.charge.amount_fen, locale.value) }), locale.value)
    } else if (at.kind === 'failed' || at.kind === 'refused') play('refused')
    else if (at.kind === 'unknown') play('attention')
    else if (at.kind === 'reversed' || at.kind === 'closed') play('used')
    if (!isOpen(at)) void loadTakings()
  }

  function told(charge: Charge): void {
    if (open && open.charge_id === null) {
      open.charge_id = charge.id
      keep(tillId, open)
    }
    if (charge.aside) over.add(charge.id)
    happen({ kind: 'told', charge, now: Date.now() })
  }

  /** Starts a collection. A second press finds the first one open and does nothing. */
  async function collect(amountFen: number, method: Method, authCode?: string): Promise<void> {
    if (held.value || amountFen <= 0) return
    const ask: Ask = { request_id: newRequestId(), amount_fen: amountFen, method, at: Date.now() }
    happen({ kind: 'asked', ask })
    // Known to be cut off before anything is sent: nobody can have been charged.
    if (!navigator.onLine) return happen({ kind: 'refused', reason: t('act.offline'), code: 'client.offline' })
    open = { ask, charge_id: null }
    keep(tillId, open)
    try {
      told(await till.charge(ask, authCode))
    } catch (fault) {
      happen(isCertain(fault) ? { kind: 'refused', reason: fault.detail, code: fault.code } : { kind: 'lost', now: Date.now() })
    }
  }

  /** What the server says of a request whose answer was lost. The charge, if it came; it is shown by the caller. */
  function learned(mine: Open, asked: AskedCharge): Charge | null {
    if (asked.standing === 'void') happen({ kind: 'refused', reason: t('end.called_off'), code: 'client.called_off' })
    if (!asked.charge) return null
    mine.charge_id = asked.charge.id
    if (open === mine) keep(tillId, mine)
    return asked.charge
  }

  /** One look at the books; quiet, for the timer and for notices. */
  async function look(): Promise<void> {
    const mine = open
    if (!mine || asking || !isOpen(phase.value) || phase.value.kind === 'sending') return
    asking = true
    try {
      const charge = mine.charge_id === null ? learned(mine, await till.asked(mine.ask.request_id)) : await till.look(mine.charge_id)
      if (charge) told(charge)
    } catch (fault) {
      // The connection dot tells it; the next look may work.
      if (!(fault instanceof ApiError)) throw fault
    } finally {
      asking = false
    }
  }

  /** Runs one of the buttons. None of them can charge: what never arrived is asked about, or called off, by its id. */
  async function act(name: Act, work: (mine: Open) => Promise<Charge | null>): Promise<void> {
    if (busy.value || !open) return
    busy.value = name
    trouble.value = ''
    try {
      const charge = await work(open)
      if (charge) told(charge)
    } catch (fault) {
      // A refusal of the till's own ("not yours to give back") is one whatever was sent before.
      const ours = fault instanceof ApiError && fault.code.startsWith('bill.')
      trouble.value = ours || isCertain(fault, true) ? sentence(fault) : t('act.no_answer')
    } finally {
      busy.value = ''
    }
  }

  const query = (): Promise<void> =>
    act('query', async (mine) => {
      if (mine.charge_id !== null) return till.query(mine.charge_id)
      const asked = await till.asked(mine.ask.request_id)
      if (asked.standing === 'absent') trouble.value = t('act.absent')
      const charge = learned(mine, asked)
      return charge && (charge.state === 'unknown' || charge.state === 'paying') ? till.query(charge.id) : charge
    })
  const reverse = (): Promise<void> =>
    act('reverse', async (mine) => (mine.charge_id !== null ? till.reverse(mine.charge_id) : learned(mine, await till.callOff(mine.ask.request_id))))
  const close = (): Promise<void> =>
    act('close', async (mine) => {
      if (mine.charge_id === null) return null
      const charge = await till.close(mine.charge_id)
      // The channel did not confirm it: the code still takes money.
      if (charge.state === 'waiting') trouble.value = t('act.not_closed')
      return charge
    })

  const setAside = (): Promise<void> => act('aside', async (mine) => (mine.charge_id === null ? null : till.setAside(mine.charge_id)))

  function next(): void {
    const unseen = isTillHeld(phase.value)
    happen({ kind: 'next' })
    takeUp()
    // The server named a charge that this page had not heard of.
    if (unseen && phase.value.kind === 'idle') void loadTakings()
  }

  /** Charges of this till the server calls open, but for the one on the panel. */
  const unfinished = computed<Charge[]>(() => {
    const at = phase.value
    const shown = 'charge' in at ? at.charge?.id : undefined
    return (takings.value?.open ?? []).filter((one) => one.id !== shown && !over.has(one.id))
  })

  /** An idle till takes up what is open at it: the buyer may be paying for it, or may have paid. */
  function takeUp(): void {
    const [first] = unfinished.value
    if (phase.value.kind !== 'idle' || !first) return
    happen({ kind: 'found', charge: first, now: Date.now() })
    const at = phase.value as Phase
    if (isOpen(at) && 'ask' in at) {
      open = { ask: at.ask, charge_id: first.id }
      lastLook = 0
    }
  }

  async function loadTakings(): Promise<void> {
    lastTakings = Date.now()
    try {
      takings.value = await till.takings()
      takingsFault.value = ''
      takeUp()
    } catch (fault) {
      takingsFault.value = sentence(fault)
    }
  }

  /** Gives a paid sale back whole. Throws what went wrong, for the sheet that asked. */
  async function giveBack(chargeId: string): Promise<Charge> {
    const charge = await till.reverse(chargeId)
    void loadTakings()
    return charge
  }

  let lastLook = 0
  let lastTakings = 0
  let expired = ''
  const timer = window.setInterval(() => {
    now.value = Date.now()
    const at = phase.value
    if (now.value - lastTakings > (online.value && takings.value ? TAKINGS_ONLINE_MS : TAKINGS_ALONE_MS)) void loadTakings()
    if (!isOpen(at) || at.kind === 'sending') return
    if (at.kind === 'waiting' && at.charge.expires_at && now.value > at.charge.expires_at && expired !== at.charge.id) {
      // Paid in the last second or not at all: the channel knows.
      expired = at.charge.id
      void query()
    }
    if (now.value - lastLook < (online.value ? ASK_ONLINE_MS : ASK_ALONE_MS)) return
    lastLook = now.value
    void look()
  }, 500)
  const offConnection = im.on('connection', (state) => (online.value = state.phase === 'online'))
  const unwatch = im.watch('till', [tillId], () => {
    void look()
    void loadTakings()
  })
  onScopeDispose(() => {
    window.clearInterval(timer)
    offConnection()
    unwatch()
  })

  open = kept(tillId)
  if (open) {
    phase.value = { kind: 'unknown', ask: open.ask, charge: null, since: Date.now() }
    void query()
  }
  void loadTakings()

  /** Seconds until a reversal is allowed; 0 when it is. */
  const reverseIn = computed(() => {
    const at = phase.value
    if (at.kind !== 'paying') return 0
    return Math.max(0, Math.ceil((at.ask.at + REVERSE_AFTER_MS - now.value) / 1000))
  })
  /** Until the server has said what is open here, nobody knows whether the last customer was charged. */
  const ready = computed(() => takings.value !== null)
  const held = computed(() => !ready.value || isOpen(phase.value) || (phase.value.kind === 'idle' && unfinished.value.length > 0))
  return { phase, takings, takingsFault, trouble, busy, now, online, ready, held, unfinished, reverseIn, collect, query, reverse, close, setAside, next, giveBack, loadTakings }
}
