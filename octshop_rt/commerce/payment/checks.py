"""fsck of payments: refunds within what was paid, notices settled, sums as asked, one payment a subject (F30-F37)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import Struct

from octshop_rt.commerce.payment import store
from octshop_rt.commerce.payment.model import (
    SURPLUS,
    AttemptState,
    NoticeState,
    PaymentState,
    Refund,
    RefundState,
)
from octshop_rt.core import outbox
from octshop_rt.core.clock import MINUTE, Millis
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Database

IN_HAND_MS = MINUTE


class Owed(Struct, frozen=True):
    """One part of one payment, as its owner must know it."""

    payment_id: str
    subject: str
    amount_fen: Fen
    shop_id: str
    paid: bool


async def is_paid(db: Database, payment_id: str) -> bool:
    """For the checks of domains that are paid."""
    payment = await store.payment(db, payment_id)
    return payment is not None and payment.state is PaymentState.PAID


async def paid_here_at(db: Database, payment_id: str) -> Millis | None:
    """When this house took the success in, however long after its payer; None if it is not paid."""
    payment = await store.payment(db, payment_id)
    if payment is None or payment.state is not PaymentState.PAID:
        return None
    return max((change.at for change in payment.history if change.to == PaymentState.PAID), default=0)


async def is_unfinished(db: Database, payment_id: str) -> bool:
    """Whether the channel may still end it either way."""
    payment = await store.payment(db, payment_id)
    return payment is not None and payment.state is PaymentState.PAYING


async def parts_for(db: Database, prefix: str) -> AsyncIterator[Owed]:
    """Every part of every payment for subjects that begin so. For the checks of their owners."""
    async for payment in store.every_payment(db):
        for part in payment.parts:
            if part.subject.startswith(prefix):
                paid = payment.state is PaymentState.PAID
                yield Owed(payment.id, part.subject, part.amount_fen, part.scope.shop_id, paid)


async def asked_fen(db: Database, payment_id: str, subject: str) -> Fen | None:
    """What a payment asks for `subject`; None if it does not."""
    payment = await store.payment(db, payment_id)
    parts = () if payment is None else payment.parts
    return next((part.amount_fen for part in parts if part.subject == subject), None)


class GivenBack(Struct, frozen=True):
    """One refund, as whoever asked for it must know it."""

    refund_id: str
    key: str
    payment_id: str
    subject: str
    amount_fen: Fen
    state: RefundState


async def refund_named(db: Database, payment_id: str, key: str) -> GivenBack | None:
    """The refund that one wish became."""
    one = await store.refund_by_key(db, payment_id, key)
    return None if one is None else _given_back(one)


async def refunds_keyed(db: Database, prefix: str) -> AsyncIterator[GivenBack]:
    """Every refund whose wish is named so. For the checks of those who ask."""
    async for payment in store.every_payment(db):
        for one in await store.refunds_of(db, payment.id):
            if one.key.startswith(prefix):
                yield _given_back(one)


def _given_back(one: Refund) -> GivenBack:
    return GivenBack(one.id, one.key, one.payment_id, one.subject, one.amount_fen, one.state)


async def goes_back(db: Database, payment_id: str, subject: str, amount_fen: Fen) -> bool:
    """Whether so much of a part was given back, or an event on its way will do so."""

    async def went_back() -> bool:
        refunds = await store.refunds_of(db, payment_id)
        return sum(one.amount_fen for one in refunds if one.subject == subject) >= amount_fen

    # An event that ends between two looks has left its refund.
    return await went_back() or await outbox.under_way(db, "RefundDue", "payment_id", payment_id) or await went_back()


async def refunds_within_payment(db: Database) -> AsyncIterator[Finding]:
    """F30, per part and per attempt."""
    async for payment in store.every_payment(db):
        refunds = await store.refunds_of(db, payment.id)
        for part in payment.parts:
            given_fen = sum(one.amount_fen for one in refunds if one.subject == part.subject)
            paid_fen = part.amount_fen if payment.state is PaymentState.PAID else 0
            if given_fen > paid_fen:
                yield Finding(check="F30", object_id=payment.id, expected=f"≤ {paid_fen}", found=str(given_fen))
        known = {part.subject for part in payment.parts} | {SURPLUS}
        for one in refunds:
            if one.subject not in known:
                yield Finding(check="F30", object_id=one.id, expected="a part of its payment", found=one.subject)


async def surpluses_go_back(db: Database) -> AsyncIterator[Finding]:
    """F30, for successes that bought nothing: each has exactly one refund, of the whole."""
    async for attempt in store.every_attempt(db):
        if not attempt.surplus:
            continue
        refunds = [one for one in await store.refunds_of(db, attempt.payment_id) if one.attempt_id == attempt.id]
        given_fen = sum(one.amount_fen for one in refunds if one.subject == SURPLUS)
        if given_fen != attempt.paid_fen:
            yield Finding(check="F30", object_id=attempt.id, expected=f"{attempt.paid_fen} back", found=str(given_fen))


async def notices_settled(db: Database) -> AsyncIterator[Finding]:
    """F31. A notice of the last minute may still be in hand; later the channel's repetition must have settled it."""
    lately = await db.time() - IN_HAND_MS
    async for row in store.notices_in(db, NoticeState.RECEIVED):
        if row.received_at > lately:
            continue
        yield Finding(check="F31", object_id=row.id, expected="done or parked", found=row.state)


async def one_transaction_per_attempt(db: Database) -> AsyncIterator[Finding]:
    """F32, both ways: each success has its fact, and no two successes share a transaction."""
    seen: dict[str, str] = {}
    async for attempt in store.every_attempt(db):
        if attempt.transaction_id is None:
            continue
        key = f"{attempt.channel}:{attempt.account_id}:{attempt.transaction_id}:payment"
        fact = await store.fact(db, key)
        if fact is None or fact.attempt_id != attempt.id:
            found = "none" if fact is None else fact.attempt_id
            yield Finding(check="F32", object_id=attempt.id, expected=f"fact {key}", found=found)
        if key in seen:
            yield Finding(check="F32", object_id=attempt.id, expected="a transaction of its own", found=seen[key])
        seen[key] = attempt.id


async def sums_as_asked(db: Database) -> AsyncIterator[Finding]:
    """F33: what succeeded is what was asked; a paid payment has exactly one winner and its parts make its sum."""
    async for attempt in store.every_attempt(db):
        if attempt.state is AttemptState.SUCCEEDED and (attempt.paid_fen, attempt.currency) != (
            attempt.amount_fen,
            "CNY",
        ):
            found = f"{attempt.paid_fen} {attempt.currency}"
            yield Finding(check="F33", object_id=attempt.id, expected=f"{attempt.amount_fen} CNY", found=found)
    async for payment in store.every_payment(db):
        parts_fen = sum(part.amount_fen for part in payment.parts)
        if parts_fen != payment.amount_fen:
            yield Finding(check="F33", object_id=payment.id, expected=str(payment.amount_fen), found=str(parts_fen))
        attempts = await store.attempts_of(db, payment.id)
        winners = [one.id for one in attempts if one.state is AttemptState.SUCCEEDED and not one.surplus]
        expected = [payment.paid_attempt_id] if payment.state is PaymentState.PAID else []
        if winners != expected:
            yield Finding(check="F33", object_id=payment.id, expected=f"winner {expected}", found=str(winners))


async def ended_with_its_attempts(db: Database) -> AsyncIterator[Finding]:
    """F34: no payment is closed while an attempt of it may still succeed unasked."""
    async for payment in store.every_payment(db):
        if payment.state is not PaymentState.CLOSED:
            continue
        for attempt in await store.attempts_of(db, payment.id):
            if attempt.open:
                yield Finding(check="F34", object_id=attempt.id, expected="ended", found=attempt.state)


async def subjects_are_paid_once(db: Database) -> AsyncIterator[Finding]:
    """F36, both ways: what was paid for is marked with the one payment that paid for it."""
    async for payment in store.every_payment(db):
        if payment.state is not PaymentState.PAID:
            continue
        for part in payment.parts:
            mark = await store.paid_subject(db, part.subject)
            if mark is None or mark.payment_id != payment.id:
                found = "none" if mark is None else mark.payment_id
                yield Finding(check="F36", object_id=part.subject, expected=f"paid by {payment.id}", found=found)
    async for mark in store.every_paid_subject(db):
        payment = await store.payment(db, mark.payment_id)
        parts = () if payment is None or payment.state is not PaymentState.PAID else payment.parts
        if mark.id not in {part.subject for part in parts}:
            yield Finding(check="F36", object_id=mark.id, expected=f"paid by {mark.payment_id}", found="it is not")


async def open_trades_are_asked_about(db: Database) -> AsyncIterator[Finding]:
    """F37: somebody will ask the channel about every trade that is open. One settled meanwhile is no violation."""
    async for attempt in store.every_attempt(db):
        if not attempt.open or await outbox.asked_under(db, f"doubt:{attempt.id}:"):
            continue
        if await outbox.under_way(db, "PaymentExpired", "payment_id", attempt.payment_id):
            continue
        now = await store.attempt(db, attempt.id)
        if now is not None and now.open:
            yield Finding(check="F37", object_id=attempt.id, expected="a question owed", found=f"{now.state}, none")


CHECKS: tuple[Check, ...] = (
    Check(id="F30", text="refunds of a part never exceed what was paid for it", run=refunds_within_payment),
    Check(id="F30s", text="each surplus success is given back whole, once", run=surpluses_go_back),
    Check(id="F31", text="every stored notice is done or parked", run=notices_settled),
    Check(id="F32", text="one channel transaction belongs to one attempt", run=one_transaction_per_attempt),
    Check(id="F33", text="sums are as asked, and a paid payment has one winner", run=sums_as_asked),
    Check(id="F34", text="a closed payment has no open attempt", run=ended_with_its_attempts),
    Check(id="F36", text="what is paid is paid by exactly one payment", run=subjects_are_paid_once),
    Check(id="F37", text="somebody will ask about every open trade", run=open_trades_are_asked_about),
)
