"""Finding out: sends attempts, asks the channel, closes, reverses, and keeps asking until nothing is left in doubt."""

from __future__ import annotations

import contextlib

import structlog

from octshop_rt.commerce.payment import rules, store
from octshop_rt.commerce.payment.channel import (
    Ask,
    Closed,
    Ended,
    Missing,
    Paid,
    PaidAlready,
    Refused,
    Reversed,
    Unknown,
    Waiting,
)
from octshop_rt.commerce.payment.model import Attempt, AttemptState, Change, Payment, PaymentState
from octshop_rt.commerce.payment.settle import Accounts, Settlement
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.errors import Busy, NotFound
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import OrderClosed, PaymentDoubt, PaymentExpired

log = structlog.get_logger(__name__)

AFTER_EXPIRY = 1_000
"""Rounds from here on belong to payments whose time is up, so that their events do not meet the earlier ones."""
LAST_LOOK = 10_000
"""The round of the one question after a bar-code trade the channel had never heard of."""


class Resolver:
    """The only caller of a channel's payment methods. Nothing here holds a transaction while it waits outside."""

    def __init__(
        self, *, db: Database, clock: Clock, outbox: Outbox, accounts: Accounts, settlement: Settlement
    ) -> None:
        self._db = db
        self._clock = clock
        self._outbox = outbox
        self._accounts = accounts
        self._settlement = settlement

    # --- sending ------------------------------------------------------------------------------------------------------

    async def send(self, attempt_id: str, auth_code: str = "") -> Refused | None:
        """Let a stored attempt leave, once: whoever moves it to `sent` calls the channel. Returns a refusal, if one."""
        now = self._clock.now()
        change = Change(at=now, to="sent", by="service")
        attempt = await store.move_attempt(self._db, attempt_id, AttemptState.SENT, change, sent_at=now)
        if attempt is None:
            return None
        channel = self._accounts.of(attempt.account_id)
        ask = await self._ask_of(attempt)
        if attempt.method == "barcode":
            return await self._heard(attempt, await channel.pay_by_code(ask, auth_code))
        return await self._heard(attempt, await channel.order(ask))

    async def _ask_of(self, attempt: Attempt) -> Ask:
        payment = await self._payment(attempt.payment_id)
        scope = payment.parts[0].scope
        return Ask(
            attempt_id=attempt.id,
            amount_fen=attempt.amount_fen,
            description=payment.description,
            expires_at=payment.expires_at,
            till_id=scope.till_id or "",
            shop_id=scope.shop_id,
        )

    async def _heard(self, attempt: Attempt, answer: Paid | Waiting | Refused | Unknown) -> Refused | None:
        if isinstance(answer, Paid):
            await self._settlement.succeed(attempt.id, answer.proof, source="answer")
        elif isinstance(answer, Waiting):
            sets = {"code_url": answer.code_url} if answer.code_url else {}
            await self._settlement.move(attempt.id, AttemptState.PENDING_USER, by="channel:answer", **sets)
        elif isinstance(answer, Refused):
            reason = answer.reason
            await self._settlement.end(attempt.id, AttemptState.FAILED, reason=reason, by="channel:answer")
            return answer
        else:
            await self._settlement.move(attempt.id, AttemptState.UNKNOWN, by="channel:answer", reason=answer.why)
        return None

    # --- asking -------------------------------------------------------------------------------------------------------

    async def ask(self, attempt: Attempt, *, by: str) -> None:
        """Ask the channel what became of an open attempt and apply the answer."""
        if attempt.state is AttemptState.REVERSING:
            await self._press_reversal(attempt, by=by)
            return
        answer = await self._accounts.of(attempt.account_id).query(attempt.id)
        if isinstance(answer, Paid):
            await self._settlement.succeed(attempt.id, answer.proof, source="query")
        elif isinstance(answer, Ended):
            await self._ended(attempt, answer, by=by)
        elif isinstance(answer, Waiting | Missing):
            await self._still_open(attempt, answer, by=by)

    async def _ended(self, attempt: Attempt, answer: Ended, *, by: str) -> None:
        if answer.how == "PAYERROR":
            await self._settlement.end(attempt.id, AttemptState.FAILED, reason="refused_by_payer", by=by)
        elif answer.how == "REVOKED":
            await self._settlement.end(attempt.id, AttemptState.REVERSED, reason="reversed_by_channel", by=by)
        else:
            payment = await self._payment(attempt.payment_id)
            reason = "expired" if self._clock.now() >= payment.expires_at else "closed_by_channel"
            await self._settlement.end(attempt.id, AttemptState.CLOSED, reason=reason, by=by)

    async def _still_open(self, attempt: Attempt, answer: Waiting | Missing, *, by: str) -> None:
        if attempt.method == "barcode":
            if isinstance(answer, Waiting) and attempt.state is not AttemptState.PENDING_USER:
                await self._settlement.move(attempt.id, AttemptState.PENDING_USER, by=by)
            return
        payment = await self._payment(attempt.payment_id)
        if attempt.code_url is None and self._stalled(attempt) and self._clock.now() < payment.expires_at:
            # The order call was lost: the same number with the same content gives a fresh code for the same trade.
            await self._heard(attempt, await self._accounts.of(attempt.account_id).order(await self._ask_of(attempt)))

    def _stalled(self, attempt: Attempt) -> bool:
        if attempt.state is AttemptState.UNKNOWN:
            return True
        return attempt.sent_at is not None and self._clock.now() >= attempt.sent_at + rules.CALL_MS

    # --- closing and reversing ----------------------------------------------------------------------------------------

    async def close(self, payment_id: str, *, by: str, reason: str) -> Payment:
        """End a payment: its trades at the channel first, itself only when none is left open. May end up paid."""
        for attempt in await store.attempts_of(self._db, payment_id):
            if attempt.open:
                await self._close_attempt(attempt, by=by, reason=reason)
        payment = await self._payment(payment_id)
        attempts = await store.attempts_of(self._db, payment_id)
        if payment.state is PaymentState.PAYING and not any(one.open for one in attempts):
            change = Change(at=self._clock.now(), to="closed", by=by, reason=reason)
            closed = await store.move_payment(self._db, payment_id, PaymentState.CLOSED, change)
            return closed or await self._payment(payment_id)
        return payment

    async def _close_attempt(self, attempt: Attempt, *, by: str, reason: str) -> None:
        if attempt.state is AttemptState.CREATED and await self._never_sent(attempt, AttemptState.CLOSED, by, reason):
            return
        if attempt.method == "barcode":
            await self.reverse(attempt.id, by=by, reason=reason)
            return
        answer = await self._accounts.of(attempt.account_id).close(attempt.id)
        if isinstance(answer, Closed):
            await self._settlement.end(attempt.id, AttemptState.CLOSED, reason=reason, by=by)
        elif isinstance(answer, PaidAlready):
            await self.ask(attempt, by=by)

    async def _never_sent(self, attempt: Attempt, target: AttemptState, by: str, reason: str) -> bool:
        return await self._settlement.end(attempt.id, target, reason=reason, by=by, only_from=AttemptState.CREATED)

    async def reverse(self, attempt_id: str, *, by: str, reason: str) -> None:
        """Void a bar-code trade. From here on only the channel's answer to the reversal counts."""
        attempt = await store.attempt(self._db, attempt_id)
        if attempt is None:
            raise NotFound
        if attempt.state is not AttemptState.REVERSING:
            attempt = await self._settlement.move(attempt_id, AttemptState.REVERSING, by=by, reason=reason)
            if attempt is None:
                return
            await self._again(attempt_id, AFTER_EXPIRY, self._clock.now() + rules.FIRST_QUESTION_MS)
        await self._press_reversal(attempt, by=by)

    async def _press_reversal(self, attempt: Attempt, *, by: str) -> None:
        if not rules.may_reverse(attempt, self._clock.now()):
            return  # too early for the channel; the due question comes back
        channel = self._accounts.of(attempt.account_id)
        answer = await channel.reverse(attempt.id)
        if isinstance(answer, Reversed):
            due_at = self._clock.now() + rules.LAST_LOOK_MS
            await self._settlement.end(
                attempt.id,
                AttemptState.REVERSED,
                reason=attempt.reason or "reversed",
                by=by,
                owed=lambda tx: self._owe(tx, attempt.id, LAST_LOOK, due_at),
            )
        elif isinstance(answer, Refused) or await self._pressed_enough(attempt, answer):
            # Not reversible any more: then what is it? A success now counts.
            told = await channel.query(attempt.id)
            if isinstance(told, Paid):
                await self._settlement.succeed(attempt.id, told.proof, source="query", reversal_refused=True)
            elif isinstance(told, Ended):
                await self._settlement.end(attempt.id, AttemptState.REVERSED, reason="reversed_by_channel", by=by)

    async def _pressed_enough(self, attempt: Attempt, answer: Unknown) -> bool:
        """Whether the channel keeps answering without saying yes or no. One that does not answer is pressed on: the
        reversal may be on its way to it.
        """
        return answer.answered and await store.count_press(self._db, attempt.id) >= rules.MOST_PRESSES

    # --- due events ---------------------------------------------------------------------------------------------------

    async def on_payment_doubt(self, event: PaymentDoubt) -> None:
        """Job. Ask, act on time that has run out, and ask again later if it is still open."""
        attempt = await store.attempt(self._db, event.attempt_id)
        if attempt is None:
            raise NotFound
        by = f"job:doubt:{event.round}"
        if not attempt.open:
            if event.round == LAST_LOOK:
                await self._last_look(attempt)
            return
        # Nobody sent it: the process died in between. Whoever wakes up late finds it ended and stays silent.
        if attempt.state is AttemptState.CREATED and await self._never_sent(
            attempt, AttemptState.FAILED, by, "never_sent"
        ):
            return
        await self._act(attempt, by=by)
        after = await store.attempt(self._db, attempt.id)
        if after is not None and after.open:
            await self._ask_again(after, event.round)

    async def _act(self, attempt: Attempt, *, by: str) -> None:
        await self.ask(attempt, by=by)
        after = await store.attempt(self._db, attempt.id)
        if after is None or not after.open or after.state is AttemptState.REVERSING:
            return
        now = self._clock.now()
        if after.method == "barcode":
            if rules.must_reverse(after, now):  # that was the last question: no gap between it and the reversal
                await self.reverse(after.id, by=by, reason="timeout")
            return
        payment = await self._payment(after.payment_id)
        if now >= payment.expires_at:
            await self._close_attempt(after, by=by, reason="expired")

    async def _ask_again(self, attempt: Attempt, round_no: int) -> None:
        now = self._clock.now()
        due_at = now + rules.question_delay(attempt, round_no % AFTER_EXPIRY)
        if attempt.method == "native":
            payment = await self._payment(attempt.payment_id)
            if now < payment.expires_at <= due_at:
                return  # its expiry asks
        elif attempt.sent_at is not None and now < attempt.sent_at + rules.BARCODE_WAIT_MS:
            due_at = min(due_at, attempt.sent_at + rules.BARCODE_WAIT_MS)
        await self._again(attempt.id, round_no + 1, due_at)

    async def _last_look(self, attempt: Attempt) -> None:
        answer = await self._accounts.of(attempt.account_id).query(attempt.id)
        if isinstance(answer, Paid):
            log.error("a reversed trade is paid", attempt_id=attempt.id)
            await self._settlement.succeed(attempt.id, answer.proof, source="query")
        elif isinstance(answer, Unknown):
            raise Busy  # nobody else asks: the dispatcher comes back

    async def on_payment_expired(self, event: PaymentExpired) -> None:
        """Job. Ask, close at the channel, then here; never here alone."""
        payment = await self._payment(event.payment_id)
        if payment.state is not PaymentState.PAYING:
            return
        for attempt in await store.attempts_of(self._db, payment.id):
            if attempt.open and attempt.state is not AttemptState.CREATED:
                await self.ask(attempt, by="job:expired")
        await self.close(payment.id, by="job:expired", reason="expired")
        for attempt in await store.attempts_of(self._db, payment.id):
            if attempt.open:
                await self._again(attempt.id, AFTER_EXPIRY, self._clock.now() + rules.FIRST_QUESTION_MS)

    async def on_order_closed(self, event: OrderClosed) -> None:
        """Job. A closed order's trades are closed at the channel, so that nobody pays for it any more."""
        for payment in await store.paying_for(self._db, [f"order:{event.order_id}"]):
            await self.close(payment.id, by="job:order_closed", reason=event.reason)

    async def _again(self, attempt_id: str, round_no: int, due_at: Millis) -> None:
        """One question per round, however often its writer is repeated."""
        with contextlib.suppress(DuplicateKey):
            await self._db.transact(lambda tx: self._owe(tx, attempt_id, round_no, due_at))

    async def _owe(self, tx: Transaction, attempt_id: str, round_no: int, due_at: Millis) -> None:
        event = PaymentDoubt(attempt_id=attempt_id, round=round_no)
        await self._outbox.write(tx, event, due_at=due_at, event_id=f"doubt:{attempt_id}:{round_no}")

    async def _payment(self, payment_id: str) -> Payment:
        payment = await store.payment(self._db, payment_id)
        if payment is None:
            raise NotFound
        return payment
