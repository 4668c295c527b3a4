"""fsck of payments against the books: every success and refund of a channel is booked, and nothing else is (F44)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.commerce.ledger.checks import booked, booked_fen
from octshop_rt.commerce.ledger.model import PostingKind
from octshop_rt.commerce.payment import store
from octshop_rt.commerce.payment.model import SURPLUS, Attempt, AttemptState, Refund, RefundState
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Database


async def money_is_booked(db: Database) -> AsyncIterator[Finding]:
    """F44: what the channel took and gave stands in the books, with its amount, under its own reference."""
    async for attempt in store.every_attempt(db):
        ref = _ref_of(attempt)
        if ref and (fault := await _differs(db, ref, attempt.paid_fen or 0)):
            yield fault
    async for payment in store.every_payment(db):
        for refund in await store.refunds_of(db, payment.id):
            for ref in _refs_of(refund, of_part=any(part.subject == refund.subject for part in payment.parts)):
                if fault := await _differs(db, ref, refund.amount_fen):
                    yield fault


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


def _refs_of(refund: Refund, *, of_part: bool) -> list[str]:
    refs: list[str] = []
    if of_part and refund.subject != SURPLUS:
        refs.append(f"refund_asked:{refund.id}")
    if refund.state is RefundState.SUCCEEDED:
        refs.append(f"refund_done:{refund.id}")
    return refs


async def _differs(db: Database, ref: str, amount_fen: Fen) -> Finding | None:
    moved_fen = await booked_fen(db, ref)
    if moved_fen == amount_fen:
        return None
    found = "not in the books" if moved_fen is None else str(moved_fen)
    return Finding(check="F44", object_id=ref, expected=str(amount_fen), found=found)
