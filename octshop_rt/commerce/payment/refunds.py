"""Refunds: one wish is one refund with one number, asked of the channel until its answer is final."""

from __future__ import annotations

import contextlib

import structlog

from octshop_rt.commerce.ledger.service import Ledger
from octshop_rt.commerce.payment import postings, rules, store
from octshop_rt.commerce.payment.channel import Missing, RefundAnswer, RefundAsk, Refused, Unknown
from octshop_rt.commerce.payment.model import (
    SURPLUS,
    Attempt,
    AttemptState,
    Change,
    NotRefundable,
    Payment,
    Refund,
    RefundState,
)
from octshop_rt.commerce.payment.settle import Accounts
from octshop_rt.core.clock import HOUR, SECOND, Clock, Millis
from octshop_rt.core.errors import NotFound
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import RefundDue, RefundFailed, RefundStarted, RefundSucceeded

log = structlog.get_logger(__name__)

FIRST_MS = 5 * SECOND
MOST_MS = HOUR


class Refunds:
    """Gives money back. Σ refunds of a part never exceed what was paid for it."""

    def __init__(
        self, *, db: Database, clock: Clock, ids: Ids, outbox: Outbox, ledger: Ledger, accounts: Accounts
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._outbox = outbox
        self._ledger = ledger
        self._accounts = accounts

    async def on_refund_due(self, tx: Transaction, event: RefundDue) -> None:
        """Effect. Fix the number and book it, before the channel hears of it. NotRefundable parks the event."""
        if await store.refund_by_key(tx, event.payment_id, event.refund_key) is not None:
            return
        payment = await store.payment(tx, event.payment_id)
        if payment is None:
            raise NotFound
        attempt = await store.attempt(tx, event.attempt_id or payment.paid_attempt_id or "")
        if attempt is None:
            raise NotRefundable(left_fen=0)
        await store.touch_payment(tx, payment.id)  # two refunds judged side by side conflict here
        before = await store.refunds_of(tx, payment.id)
        left_fen = (
            rules.surplus_left_fen(attempt, before)
            if event.subject == SURPLUS
            else rules.left_to_refund_fen(payment, event.subject, before)
        )
        if not 0 < event.amount_fen <= left_fen:
            raise NotRefundable(left_fen=left_fen)
        now = self._clock.now()
        refund = Refund(
            id=self._ids.new("R"),
            key=event.refund_key,
            payment_id=payment.id,
            attempt_id=attempt.id,
            account_id=attempt.account_id,
            subject=event.subject,
            amount_fen=event.amount_fen,
            reason=event.reason,
            state=RefundState.CREATED,
            created_at=now,
        )
        await store.add_refund(tx, refund)
        await self._book_asked(tx, payment, attempt, refund, now)
        await self._outbox.write(tx, RefundStarted(refund_id=refund.id), event_id=f"refund:{refund.id}:0")

    async def _book_asked(
        self, tx: Transaction, payment: Payment, attempt: Attempt, refund: Refund, at: Millis
    ) -> None:
        """A part's money leaves its shop's account; a surplus is owed back already; a held sum leaves suspense."""
        part = postings.part_named(payment.parts, refund.subject)
        if part is not None:
            await self._ledger.post(tx, postings.refund_asked(part, refund, at))
        elif attempt.state is AttemptState.INTEGRITY_HOLD:
            await self._ledger.post(tx, postings.held_to_refund(attempt, refund, at))

    async def give_back_held(self, attempt_id: str, *, by: str) -> None:
        """A person decided: the wrong sum of a held attempt goes back to its payer, whole."""
        attempt = await store.attempt(self._db, attempt_id)
        if attempt is None or attempt.state is not AttemptState.INTEGRITY_HOLD or not attempt.paid_fen:
            raise NotRefundable(left_fen=0)
        event = RefundDue(
            refund_key=f"{SURPLUS}:{attempt.id}",
            payment_id=attempt.payment_id,
            attempt_id=attempt.id,
            subject=SURPLUS,
            amount_fen=attempt.paid_fen,
            reason="付款金额不符，退回",
        )
        log.info("held payment goes back", attempt_id=attempt_id, by=by)
        await self._db.transact(lambda tx: self.on_refund_due(tx, event))

    async def on_refund_started(self, event: RefundStarted) -> None:
        """Job. Ask for the refund, or about it, until the answer is final."""
        refund = await store.refund(self._db, event.refund_id)
        if refund is None:
            raise NotFound
        if refund.state in {RefundState.SUCCEEDED, RefundState.FAILED}:
            return
        await self.press(refund)
        after = await store.refund(self._db, refund.id)
        if after is not None and after.state in {RefundState.CREATED, RefundState.PROCESSING}:
            await self._again(after, event)

    async def press(self, refund: Refund) -> None:
        """One call to the channel: the refund itself while nothing proves that it was heard, else the question."""
        channel = self._accounts.of(refund.account_id)
        if refund.state is RefundState.PROCESSING:
            answer = await channel.query_refund(refund.id)
            if not isinstance(answer, Missing):
                await self._heard(refund, answer)
                return
        attempt = await store.attempt(self._db, refund.attempt_id)
        assert attempt is not None, "a refund is stored for an attempt"
        ask = RefundAsk(
            refund_id=refund.id,
            attempt_id=attempt.id,
            refund_fen=refund.amount_fen,
            total_fen=attempt.paid_fen or attempt.amount_fen,
            reason=refund.reason,
        )
        await self._heard(refund, await channel.refund(ask))

    async def _heard(self, refund: Refund, answer: RefundAnswer | Refused | Unknown) -> None:
        if isinstance(answer, Unknown):
            log.info("refund not answered", refund_id=refund.id, why=answer.why)
            return
        if isinstance(answer, Refused):
            await self._failed(refund, answer.code)
        elif answer.amount_fen != refund.amount_fen:
            await self._failed(refund, f"amount {answer.amount_fen}")
        elif answer.word == "failed":
            await self._failed(refund, answer.trouble)
        elif answer.word == "succeeded":
            await self._succeeded(refund, answer)
        elif refund.state is not RefundState.FAILED:  # once failed, a person has it asked about: `press_on`
            change = Change(at=self._clock.now(), to="processing", by="channel")
            await store.move_refund(
                self._db, refund.id, RefundState.PROCESSING, change, channel_refund_id=answer.channel_refund_id
            )

    async def _failed(self, refund: Refund, trouble: str) -> None:
        """A person must act: the money stays booked as owed to the payer, and whoever asked for it is told."""
        log.error("refund failed", refund_id=refund.id, payment_id=refund.payment_id, trouble=trouble)
        change = Change(at=self._clock.now(), to="failed", by="channel", reason=trouble)

        async def work(tx: Transaction) -> None:
            if await store.move_refund(tx, refund.id, RefundState.FAILED, change, trouble=trouble) is None:
                return
            await self._outbox.write(
                tx,
                RefundFailed(
                    refund_id=refund.id,
                    refund_key=refund.key,
                    payment_id=refund.payment_id,
                    subject=refund.subject,
                    amount_fen=refund.amount_fen,
                    trouble=trouble,
                ),
            )

        await self._db.transact(work)

    async def press_on(self, tx: Transaction, payment_id: str, refund_key: str, by: str) -> None:
        """A person has seen to what stood in the way of a failed refund: ask about it again, under the same number,
        since another one might pay twice. NotFound if no such refund has failed.
        """
        refund = await store.refund_by_key(tx, payment_id, refund_key)
        if refund is None or refund.state is not RefundState.FAILED:
            raise NotFound
        change = Change(at=self._clock.now(), to="processing", by=f"person:{by}", reason="asked again")
        again = refund.again + 1
        moved = await store.move_refund(tx, refund.id, RefundState.PROCESSING, change, trouble="", again=again)
        if moved is None:
            raise NotFound
        event = RefundStarted(refund_id=refund.id, again=again)
        await self._outbox.write(tx, event, event_id=f"refund:{refund.id}:again:{again}:0")

    async def _succeeded(self, refund: Refund, answer: RefundAnswer) -> None:
        now = self._clock.now()
        refunded_at = answer.refunded_at if answer.refunded_at is not None else now
        channel = self._accounts.of(refund.account_id)

        async def work(tx: Transaction) -> None:
            change = Change(at=now, to="succeeded", by="channel")
            moved = await store.move_refund(
                tx,
                refund.id,
                RefundState.SUCCEEDED,
                change,
                refunded_at=refunded_at,
                channel_refund_id=answer.channel_refund_id,
            )
            if moved is None:
                return
            await self._ledger.post(tx, postings.refund_done(refund, "wechat", channel.owner, refunded_at))
            await self._outbox.write(
                tx,
                RefundSucceeded(
                    refund_id=refund.id,
                    refund_key=refund.key,
                    payment_id=refund.payment_id,
                    subject=refund.subject,
                    amount_fen=refund.amount_fen,
                    refunded_at=refunded_at,
                ),
            )

        await self._db.transact(work)
        log.info("refunded", refund_id=refund.id, payment_id=refund.payment_id)

    async def _again(self, refund: Refund, after: RefundStarted) -> None:
        round_no = after.round + 1
        due_at = self._clock.now() + min(MOST_MS, FIRST_MS * 2 ** min(round_no - 1, 12))
        spell = f"again:{after.again}:" if after.again else ""

        async def work(tx: Transaction) -> None:
            event = RefundStarted(refund_id=refund.id, round=round_no, again=after.again)
            await self._outbox.write(tx, event, due_at=due_at, event_id=f"refund:{refund.id}:{spell}{round_no}")

        with contextlib.suppress(DuplicateKey):
            await self._db.transact(work)

    async def of_payment(self, payment_id: str) -> list[Refund]:
        """All refunds of a payment."""
        return await store.refunds_of(self._db, payment_id)
