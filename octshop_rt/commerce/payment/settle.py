"""What a success or an end does: attempt, payment, books and event in one transaction. A success is never dropped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog

from octshop_rt.commerce.ledger.service import Ledger
from octshop_rt.commerce.payment import postings, rules, store
from octshop_rt.commerce.payment.channel import Channel, Proof
from octshop_rt.commerce.payment.model import (
    SURPLUS,
    Attempt,
    AttemptState,
    Change,
    Fact,
    NoChannelAccount,
    Payment,
    PaymentState,
)
from octshop_rt.commerce.payment.rules import Verdict
from octshop_rt.core.bus import Bus, Notice, notify
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.errors import NotFound
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import PaymentSucceeded, RefundDue

log = structlog.get_logger(__name__)

DEFAULT_ACCOUNT = "default"


class Accounts:
    """Channel accounts by id: a merchant's own under its merchant id, the platform's under `default`."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels = dict(channels)

    def of(self, account_id: str) -> Channel:
        """NoChannelAccount if it is not configured (any more)."""
        channel = self._channels.get(account_id)
        if channel is None:
            raise NoChannelAccount
        return channel

    def taking_for(self, merchant_ids: set[str]) -> Channel:
        """The account that takes money for these merchants: one merchant's own, else the platform's."""
        if len(merchant_ids) == 1 and (own := self._channels.get(next(iter(merchant_ids)))) is not None:
            return own
        return self.of(DEFAULT_ACCOUNT)


class Settlement:
    """Applies what the channel proved. Everything here may run twice, at once, and on two nodes."""

    def __init__(
        self, *, db: Database, clock: Clock, outbox: Outbox, ledger: Ledger, bus: Bus, accounts: Accounts
    ) -> None:
        self._db = db
        self._clock = clock
        self._outbox = outbox
        self._ledger = ledger
        self._bus = bus
        self._accounts = accounts

    async def succeed(self, attempt_id: str, proof: Proof, *, source: str, reversal_refused: bool = False) -> Verdict:
        """Take a proven success in. NotFound if the number is not ours."""
        verdict = Verdict.SAME
        for _ in range(3):
            try:
                verdict, payment = await self._db.transact(
                    lambda tx: self._succeed(tx, attempt_id, proof, source, reversal_refused=reversal_refused)
                )
            except DuplicateKey:
                continue  # another payment took a subject, or this fact, meanwhile: judge again
            break
        else:
            raise RuntimeError(f"{attempt_id}: three lost races in a row")
        log.info("channel success", attempt_id=attempt_id, verdict=verdict.value, source=source)
        if verdict in {Verdict.MISMATCH, Verdict.FOREIGN}:
            log.error("channel success is not as asked", attempt_id=attempt_id, verdict=verdict.value, source=source)
        if verdict is not Verdict.SAME:
            await self.tell(payment)
        return verdict

    async def _succeed(
        self, tx: Transaction, attempt_id: str, proof: Proof, source: str, *, reversal_refused: bool
    ) -> tuple[Verdict, Payment]:
        attempt, payment = await self._both(tx, attempt_id)
        subjects = [part.subject for part in payment.parts]
        taken = await store.paid_by_others(tx, subjects, payment.id)
        verdict = rules.judge(payment, attempt, proof, taken=taken, reversal_refused=reversal_refused)
        if verdict in {Verdict.SAME, Verdict.FOREIGN, Verdict.WAIT}:
            return verdict, payment
        now = self._clock.now()
        known = await store.fact(tx, _fact_id(attempt, proof))
        if known is not None and known.attempt_id != attempt.id:
            return Verdict.FOREIGN, payment
        await store.add_fact(
            tx, Fact(id=_fact_id(attempt, proof), attempt_id=attempt.id, learned_at=now, source=source)
        )
        held = verdict is Verdict.MISMATCH
        moved = await store.move_attempt(
            tx,
            attempt.id,
            AttemptState.INTEGRITY_HOLD if held else AttemptState.SUCCEEDED,
            Change(at=now, to="integrity_hold" if held else "succeeded", by=f"channel:{source}", reason=verdict),
            transaction_id=proof.transaction_id,
            paid_fen=proof.amount_fen,
            settled_at=now,
            surplus=verdict is Verdict.SURPLUS,
            reason="amount_mismatch" if held else "",
        )
        if moved is None:
            return Verdict.SAME, payment
        owner = self._accounts.of(attempt.account_id).owner
        if held and proof.amount_fen > 0:
            await self._ledger.post(tx, postings.mismatch(payment, attempt, owner, proof.amount_fen, proof.paid_at))
        if verdict is Verdict.SURPLUS:
            await self._ledger.post(tx, postings.surplus(payment, attempt, owner, proof.paid_at))
            await self._outbox.write(tx, _give_back(payment, attempt))
        if verdict is Verdict.WINS:
            return verdict, await self._win(tx, payment, attempt, owner, proof, now)
        return verdict, await self._close_idle(tx, payment, attempt.id, reason=verdict)

    async def _win(
        self, tx: Transaction, payment: Payment, attempt: Attempt, owner: str, proof: Proof, now: Millis
    ) -> Payment:
        await store.mark_paid(tx, [part.subject for part in payment.parts], payment.id)
        change = Change(at=now, to="paid", by=f"attempt:{attempt.id}")
        paid = await store.move_payment(
            tx, payment.id, PaymentState.PAID, change, paid_at=proof.paid_at, paid_attempt_id=attempt.id
        )
        assert paid is not None, "judged unpaid in this very transaction"
        await self._ledger.post(tx, postings.won(payment, attempt, owner, proof.paid_at))
        await self._outbox.write(
            tx,
            PaymentSucceeded(
                payment_id=payment.id,
                attempt_id=attempt.id,
                buyer_id=payment.buyer_id,
                channel=attempt.channel,
                amount_fen=payment.amount_fen,
                parts=payment.parts,
                paid_at=proof.paid_at,
            ),
        )
        return paid

    async def end(
        self,
        attempt_id: str,
        target: AttemptState,
        *,
        reason: str,
        by: str,
        only_from: AttemptState | None = None,
        owed: Callable[[Transaction], Awaitable[None]] | None = None,
    ) -> bool:
        """End an attempt unpaid, and its payment with the last open attempt. False: it stands otherwise.

        `owed` writes, in the same transaction, what is to follow.
        """

        async def work(tx: Transaction) -> Payment | None:
            attempt, payment = await self._both(tx, attempt_id)
            if only_from is not None and attempt.state is not only_from:
                return None
            now = self._clock.now()
            change = Change(at=now, to=target, by=by, reason=reason)
            if await store.move_attempt(tx, attempt_id, target, change, settled_at=now, reason=reason) is None:
                return None
            if owed is not None:
                await owed(tx)
            return await self._close_idle(tx, payment, attempt_id, reason=reason)

        ended = await self._db.transact(work)
        if ended is None:
            return False
        log.info("attempt ended", attempt_id=attempt_id, state=target.value, reason=reason, by=by)
        await self.tell(ended)
        return True

    async def _close_idle(self, tx: Transaction, payment: Payment, attempt_id: str, *, reason: str) -> Payment:
        """Close an unpaid payment once none of its attempts is open."""
        if payment.state is not PaymentState.PAYING:
            return payment
        others = await store.attempts_of(tx, payment.id)
        if any(one.open for one in others if one.id != attempt_id):
            await store.touch_payment(tx, payment.id)  # two that end side by side must see each other
            return payment
        change = Change(at=self._clock.now(), to="closed", by=f"attempt:{attempt_id}", reason=reason)
        return await store.move_payment(tx, payment.id, PaymentState.CLOSED, change) or payment

    async def move(
        self, attempt_id: str, target: AttemptState, *, by: str, reason: str = "", **sets: object
    ) -> Attempt | None:
        """Move an open attempt to another open state; the attempt as it is then, None if it may not."""
        change = Change(at=self._clock.now(), to=target, by=by, reason=reason)
        moved = await store.move_attempt(self._db, attempt_id, target, change, reason=reason, **sets)
        if moved is None:
            return None
        payment = await store.payment(self._db, moved.payment_id)
        if payment is not None:
            await self.tell(payment)
        return moved

    async def tell(self, payment: Payment) -> None:
        """Hint to the till that something changed; the truth is fetched."""
        if payment.till_id is None:
            return
        charge_id = payment.parts[0].subject.partition(":")[2]
        news = {"charge_id": charge_id, "payment_id": payment.id}
        await notify(self._bus, Notice(topic="till", id=payment.till_id, rev=self._clock.now(), d=news))

    async def _both(self, tx: Transaction, attempt_id: str) -> tuple[Attempt, Payment]:
        attempt = await store.attempt(tx, attempt_id)
        if attempt is None:
            raise NotFound
        payment = await store.payment(tx, attempt.payment_id)
        assert payment is not None, "an attempt is stored with its payment"
        return attempt, payment


def _fact_id(attempt: Attempt, proof: Proof) -> str:
    return f"{attempt.channel}:{attempt.account_id}:{proof.transaction_id}:payment"


def _give_back(payment: Payment, attempt: Attempt) -> RefundDue:
    return RefundDue(
        refund_key=f"{SURPLUS}:{attempt.id}",
        payment_id=payment.id,
        attempt_id=attempt.id,
        subject=SURPLUS,
        amount_fen=attempt.amount_fen,
        reason="重复支付，自动退回",
    )
