// The clerk's work: look at a code, decide, write off, and be sure; one thing at a time.
import { computed, onBeforeUnmount, ref, shallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { newRequestId, sentence, ApiError } from '@kit/api/http'
import { shopDay } from '@kit/i18n/day'
import { play } from '@kit/notify/sound'
import { vibrate } from '@kit/notify/vibrate'
import { yuan } from '@kit/money/money'
import { isCertain } from '@kit/staff/certain'
import type { Post } from '@kit/staff/staff'
import { look, redemptionsOf, writeOff, type Preview, type Redemption } from './api'
import { AGAIN_MS, FLASH_MS, STALE, toneOf, VERDICT_STAYS_MS, type Flow, type Intention, type Tone, type Verdict } from './flow'
import { keep, settle, waitingAt } from './pending'

/** `branchId` is where the clerk stands, null while that does not matter or is not known. */
export function useDesk(post: Post, branchId: () => string | null) {
  const { t, d, locale } = useI18n()
  const flow = shallowRef<Flow>({ kind: 'ready' })
  const verdict = shallowRef<Verdict | null>(null)
  const flash = ref(false)
  const todays = shallowRef<Redemption[]>([])
  let goesAway = 0
  let again = 0

  function judge(tone: Tone, title: string, detail: string, facts: Verdict['facts'] = [], redemption?: Redemption): void {
    verdict.value = { tone, title, detail, facts, at: Date.now(), ...(redemption ? { redemption } : {}) }
    window.clearTimeout(goesAway)
    goesAway = window.setTimeout(dismiss, VERDICT_STAYS_MS)
    play(tone === 'ok' ? 'success' : tone === 'used' ? 'used' : tone === 'queued' ? 'attention' : 'refused')
    vibrate(tone === 'ok' ? 'success' : tone === 'used' ? 'used' : 'refused')
  }

  function dismiss(): void {
    window.clearTimeout(goesAway)
    verdict.value = null
    flash.value = false
  }

  function factsOf(preview: Preview, left = preview.uses_left): Verdict['facts'] {
    return [
      { label: t('fact.what'), value: [preview.title, preview.spec].filter(Boolean).join(' · ') },
      { label: t('fact.left'), value: t('fact.left_of', { left, total: preview.uses_total }) },
      { label: t('fact.whose'), value: preview.buyer_masked },
    ]
  }

  /** The server's sentence, with who and when where it told them as data. */
  function refuse(fault: unknown, preview?: Preview): void {
    if (!(fault instanceof ApiError)) return judge('bad', t('verdict.failed'), sentence(fault))
    const tone = toneOf(fault.code, fault.retry)
    const title = STALE.test(fault.code) ? t('verdict.stale') : tone === 'used' ? t('verdict.used') : tone === 'queued' ? t('verdict.later') : t('verdict.refused')
    judge(tone, title, fault.detail, preview ? factsOf(preview, tone === 'used' ? 0 : preview.uses_left) : [])
  }

  async function meet(text: string): Promise<void> {
    if (flow.value.kind !== 'ready' || !text) return
    dismiss()
    flow.value = { kind: 'looking', text }
    try {
      const scan = await look(post.shop_id, text)
      if (scan.voucher) {
        play('beep')
        flow.value = { kind: 'preview', text, preview: scan.voucher, ...(scan.scan_token ? { scan_token: scan.scan_token } : {}) }
        return
      }
      flow.value = { kind: 'ready' }
      judge('bad', t('verdict.not_voucher'), scan.kind === 'payment_code' ? t('verdict.is_payment_code') : t('verdict.unknown_code'))
    } catch (fault) {
      // Looking changes nothing, so every failure here is a plain one.
      flow.value = { kind: 'ready' }
      refuse(fault)
    }
  }

  function confirm(uses: number): void {
    if (flow.value.kind !== 'preview') return
    if (!navigator.onLine) {
      // Known to be cut off before anything is sent: nothing can have happened.
      const { preview } = flow.value
      flow.value = { kind: 'ready' }
      return judge('queued', t('verdict.offline'), t('kit.error.offline'), factsOf(preview))
    }
    const { kind: _, ...rest } = flow.value
    const intention: Intention = { ...rest, request_id: newRequestId(), uses, branch_id: branchId(), at: Date.now() }
    keep(post.shop_id, intention)
    void write(intention, 0)
  }

  async function write(intention: Intention, tries: number): Promise<void> {
    window.clearTimeout(again)
    flow.value = { kind: 'writing', intention }
    try {
      succeed(intention, await writeOff(post.shop_id, intention, intention.branch_id))
    } catch (fault) {
      if (isCertain(fault, tries > 0)) {
        settle(intention.request_id)
        flow.value = { kind: 'ready' }
        refuse(fault, intention.preview)
        return
      }
      if (tries === 0) {
        play('attention')
        vibrate('used')
      }
      flow.value = { kind: 'unsure', intention, tries: tries + 1 }
      const rest = AGAIN_MS[tries]
      if (rest !== undefined) again = window.setTimeout(() => void write(intention, tries + 1), rest)
    }
  }

  function succeed(intention: Intention, done: Redemption): void {
    settle(intention.request_id)
    flow.value = { kind: 'ready' }
    judge('ok', t('verdict.ok'), t('verdict.ok_uses', { n: done.uses }), [
      ...factsOf(intention.preview, done.uses_left),
      { label: t('fact.worth'), value: yuan(done.amount_fen) },
    ], done)
    flash.value = true
    window.setTimeout(() => (flash.value = false), FLASH_MS)
    if (!todays.value.some((one) => one.id === done.id)) todays.value = [done, ...todays.value]
  }

  function askAgain(): void {
    if (flow.value.kind === 'unsure') void write(flow.value.intention, flow.value.tries)
  }

  function cancel(): void {
    if (flow.value.kind === 'preview') flow.value = { kind: 'ready' }
  }

  async function loadToday(): Promise<void> {
    try {
      todays.value = (await redemptionsOf(post.shop_id, shopDay(), null)).items
    } catch {
      // The list on the side is a comfort; the history page says what went wrong.
    }
  }

  const waiting = waitingAt(post.shop_id)
  if (waiting) flow.value = { kind: 'unsure', intention: waiting, tries: AGAIN_MS.length }
  void loadToday()
  onBeforeUnmount(() => {
    window.clearTimeout(goesAway)
    window.clearTimeout(again)
  })

  const usesToday = computed(() => todays.value.reduce((sum, one) => sum + one.uses, 0))
  return { flow, verdict, flash, todays, usesToday, meet, confirm, cancel, askAgain, dismiss, judge, refuse, d, locale }
}
