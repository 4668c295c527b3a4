// The cashier's work: ask once, follow the payment live, and when nobody knows, find out before anything else.
import { computed, onScopeDispose, ref, shallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { ApiError, newRequestId, sentence } from '@kit/api/http'
import { spoken } from '@kit/money/money'
import { isMuted, play } from '@kit/notify/sound'
import { speak } from '@kit/notify/speak'
import type { ImClient } from '@kit/im/client'
import { isCertain } from '@kit/staff/certain'
import { Till, type Takings } from './api'
import { drop, keep, kept, type Open } from './open'
import { IDLE, isOpen, REVERSE_AFTER_MS, step, type Ask, type Charge, type ChargeState, type Happening, type Method, type Phase } from './pay'

/** With the socket up, notices tell; asking is the net below. With it down, asking is all there is. */
const ASK_ONLINE_MS = 8_000
const ASK_ALONE_MS = 2_500
/** Nothing left to reverse. */
const OVER = new Set<ChargeState>(['failed', 'closed', 'reversed'])

export function useCashier(shopId: string, tillId: string, im: ImClient) {
  const { t, locale } = useI18n()
  const till = new Till(shopId, tillId)
  const phase = shallowRef<Phase>(IDLE)
  const takings = shallowRef<Takings | null>(null)
  const takingsFault = ref('')
  /** What the last query or reversal could not do; the payment's own state stays as it is. */
  const trouble = ref('')
  const busy = ref<'' | 'query' | 'reverse' | 'close'>('')
  const now = ref(Date.now())
  const online = ref(im.connection.phase === 'online')
  let open: Open | null = null
  let asking = false

  function happen(what: Happening): void {
    const before = phase.value
    const after = step(before, what)
    if (after === before) return
    phase.value = after
    if (after.kind !== before.kind) arrived(after)
    if (!isOpen(after)) {
      open = null
      drop(tillId)
    }
  }

  function arrived(at: Phase): void {
    trouble.value = ''
    if (at.kind === 'paid') {
      play('paid')
      if (!isMuted()) speak(t('voice.paid', { amount: spoken(at.charge.amount_fen, locale.value) }), locale.value)
      void loadTakings()
    } else if (at.kind === 'failed' || at.kind === 'refused') play('refused')
    else if (at.kind === 'unknown') play('attention')
    else if (at.kind === 'reversed') {
      play('used')
      void loadTakings()
    } else if (at.kind === 'closed') play('used')
  }

  function told(charge: Charge): void {
    if (open && open.charge_id === null) {
      open.charge_id = charge.id
      keep(tillId, open)
    }
    happen({ kind: 'told', charge, now: Date.now() })
  }

  /** Starts a collection. A second press finds the first one open and does nothing. */
  async function collect(amountFen: number, method: Method, authCode?: string): Promise<void> {
    if (isOpen(phase.value) || amountFen <= 0) return
    const ask: Ask = { request_id: newRequestId(), amount_fen: amountFen, method, at: Date.now(), ...(authCode ? { auth_code: authCode } : {}) }
    happen({ kind: 'asked', ask })
    // Known to be cut off before anything is sent: nobody can have been charged.
    if (!navigator.onLine) return happen({ kind: 'refused', reason: t('act.offline'), code: 'client.offline' })
    open = { ask, charge_id: null, reverse_id: newRequestId() }
    keep(tillId, open)
    try {
      told(await till.charge(ask))
    } catch (fault) {
      happen(isCertain(fault) ? { kind: 'refused', reason: fault.detail, code: fault.code } : { kind: 'lost', now: Date.now() })
    }
  }

  /** One look at the books; quiet, for the timer and for notices. */
  async function look(): Promise<void> {
    const id = open?.charge_id
    if (!id || asking || !isOpen(phase.value)) return
    asking = true
    try {
      told(await till.look(id))
    } catch (fault) {
      // The connection dot tells it; the next look may work.
      if (!(fault instanceof ApiError)) throw fault
    } finally {
      asking = false
    }
  }

  /** Runs one of the buttons. A first send without an answer is sent again as it was: that tells what became of it. */
  async function act(name: 'query' | 'reverse' | 'close', work: (id: string) => Promise<Charge>): Promise<void> {
    if (busy.value || !open) return
    const mine = open
    busy.value = name
    trouble.value = ''
    try {
      if (mine.charge_id === null) {
        const charge = await resend(mine)
        // Whoever pressed "reverse" wants the money back even when it turns out to be paid.
        if (!charge || name !== 'reverse' || OVER.has(charge.state)) return
      }
      if (mine.charge_id !== null) told(await work(mine.charge_id))
    } catch (fault) {
      trouble.value = isCertain(fault, true) ? fault.detail : t('act.no_answer')
    } finally {
      busy.value = ''
    }
  }

  async function resend(mine: Open): Promise<Charge | null> {
    try {
      const charge = await till.charge(mine.ask)
      mine.charge_id = charge.id
      keep(tillId, mine)
      if (busy.value !== 'reverse' || OVER.has(charge.state)) told(charge)
      return charge
    } catch (fault) {
      if (!isCertain(fault, true)) throw fault
      happen({ kind: 'refused', reason: fault.detail, code: fault.code })
      return null
    }
  }

  const query = (): Promise<void> => act('query', (id) => till.query(id))
  const reverse = (): Promise<void> => act('reverse', (id) => till.reverse(id, open?.reverse_id ?? newRequestId()))
  const close = (): Promise<void> => act('close', (id) => till.close(id, open?.reverse_id ?? newRequestId()))

  function next(): void {
    happen({ kind: 'next' })
  }

  async function loadTakings(): Promise<void> {
    try {
      takings.value = await till.takings()
      takingsFault.value = ''
    } catch (fault) {
      takingsFault.value = sentence(fault)
    }
  }

  let lastLook = 0
  let expired = ''
  const timer = window.setInterval(() => {
    now.value = Date.now()
    const at = phase.value
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
  const held = computed(() => isOpen(phase.value))
  return { phase, takings, takingsFault, trouble, busy, now, online, held, reverseIn, collect, query, reverse, close, next, loadTakings }
}
