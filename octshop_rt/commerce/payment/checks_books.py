"""fsck of payments against the books: every success and refund of a channel is booked, and nothing else is (F44)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.commerce.ledger.checks import booked, booked_as
from octshop_rt.commerce.ledger.model import Posting, PostingKind
from octshop_rt.commerce.payment import postings, store
from octshop_rt.commerce.payment.model import SURPLUS, Attempt, AttemptState, Payment, Refund, RefundState
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database

ANY = "any"


async def money_is_booked(db: Database) -> AsyncIterator[Finding]:
    """F44: what the channel took and gave stands in the books under its own reference, to the fen, for the shop whose
    it is: the posting is made anew and compared leg by leg.
    """
    async for payment in store.every_payment(db):
        attempts = {one.id: one for one in await store.attempts_of(db, payment.id)}
        wanted = [one for attempt in attempts.values() if (one := _received(payment, attempt)) is not None]
        for refund in await store.refunds_of(db, payment.id):
            wanted += _given(payment, refund)
        for posting in wanted:
            if found := await booked_as(db, posting):
                expected = ", ".join(f"{one.side} {one.account} {one.amount_fen}" for one in posting.entries)
                yield Finding(check="F44", object_id=posting.ref, expected=expected, found=found)


async def bookings_have_causes(db: Database) -> AsyncIterator[Finding]:
    """F44, the other way: a payment's posting has its attempt, a refund's posting its refund."""
    async for ref in booked(db, PostingKind.PAYMENT, PostingKind.SURPLUS, PostingKind.SUSPENSE):
        attempt = await store.attempt(db, ref.partition(":")[2])
        if attempt is None or _ref_of(attempt) != ref:
            found = "no attempt" if attempt is None else attempt.state
            yield Finding(check="F44", object_id=ref, expected="an attempt that succeeded so", found=found)
    async for ref in booked(db, PostingKind.REFUND_ASKED, PostingKind.REFUND_DONE):
        refund = await store.refund(db, ref.partition(":")[2])
        if refund is None or (ref.startswith("refund_done:") and refund.state is not RefundState.SUCCEEDED):
            found = "no refund" if refund is None else refund.state
            yield Finding(check="F44", object_id=ref, expected="a refund that came so far", found=found)


CHECKS: tuple[Check, ...] = (
    Check(id="F44p", text="what channels took and gave back is in the books", run=money_is_booked),
    Check(id="F44c", text="postings of payments and refunds have their causes", run=bookings_have_causes),
)


def _ref_of(attempt: Attempt) -> str:
    if attempt.state is AttemptState.INTEGRITY_HOLD:
        return f"suspense:{attempt.id}"
    if attempt.state is not AttemptState.SUCCEEDED:
        return ""
    return f"{'surplus' if attempt.surplus else 'payment'}:{attempt.id}"


def _received(payment: Payment, attempt: Attempt) -> Posting | None:
    """What the books must say of an attempt. Whose number it was paid at does not matter here."""
    if attempt.state is AttemptState.INTEGRITY_HOLD:
        paid_fen = attempt.paid_fen or 0
        return postings.mismatch(payment, attempt, ANY, paid_fen, 0) if paid_fen else None
    if attempt.state is not AttemptState.SUCCEEDED:
        return None
    return (postings.surplus if attempt.surplus else postings.won)(payment, attempt, ANY, 0)


def _given(payment: Payment, refund: Refund) -> list[Posting]:
    found: list[Posting] = []
    part = postings.part_named(payment.parts, refund.subject)
    if part is not None and refund.subject != SURPLUS:
        found.append(postings.refund_asked(part, refund, 0))
    if refund.state is RefundState.SUCCEEDED:
        found.append(postings.refund_done(refund, payment.channel, ANY, 0))
    return found
