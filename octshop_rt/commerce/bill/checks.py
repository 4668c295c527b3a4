"""fsck of bills: each counts exactly when its payment does, for the same sum; what was returned went back (F35)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.commerce.bill import rules, store
from octshop_rt.commerce.bill.model import BillState
from octshop_rt.commerce.payment import checks as payment_checks
from octshop_rt.core.clock import MINUTE
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database

FOLLOWS_WITHIN_MS = MINUTE


async def follows_payment(db: Database) -> AsyncIterator[Finding]:
    """A bill follows its payment by event: those of the last minute may still be on their way."""
    lately = await db.time() - FOLLOWS_WITHIN_MS
    async for bill in store.every(db):
        paid_here_at = await payment_checks.paid_here_at(db, bill.payment_id)
        paid = paid_here_at is not None
        if paid != (bill.state is not BillState.OPEN) and (paid_here_at or 0) <= lately:
            found = f"bill {bill.state}, payment {'paid' if paid else 'not paid'}"
            yield Finding(check="F35", object_id=bill.id, expected="bill and payment agree", found=found)
        if bill.unwanted_at is not None and bill.state is BillState.PAID:
            yield Finding(check="F35", object_id=bill.id, expected="given back: its cashier reversed it", found="paid")
        if bill.aside_at is not None and bill.unwanted_at is None:
            yield Finding(check="F35", object_id=bill.id, expected="reversed before it was set aside", found="wanted")


async def same_sum(db: Database) -> AsyncIterator[Finding]:
    """Both ways: a bill has a payment that asks for its sum, and what is paid for a bill has that bill."""
    async for bill in store.every(db):
        asked_fen = await payment_checks.asked_fen(db, bill.payment_id, bill.subject)
        if asked_fen != bill.amount_fen:
            found = f"asked {asked_fen}"
            yield Finding(check="F35", object_id=bill.id, expected=f"{bill.amount_fen} asked", found=found)
    async for part in payment_checks.parts_for(db, rules.PREFIX):
        bill = await store.by_id(db, rules.bill_of(part.subject) or "")
        if bill is None or (bill.payment_id, bill.shop_id) != (part.payment_id, part.shop_id):
            found = "none" if bill is None else f"one of {bill.shop_id} with {bill.payment_id}"
            yield Finding(check="F35", object_id=part.payment_id, expected=f"{part.subject} of its own", found=found)


async def returned_goes_back(db: Database) -> AsyncIterator[Finding]:
    """A returned bill's money is on its way back, whole."""
    async for bill in store.every(db):
        if bill.state is not BillState.RETURNED:
            continue
        if not await payment_checks.goes_back(db, bill.payment_id, bill.subject, bill.amount_fen):
            yield Finding(check="F35", object_id=bill.id, expected=f"{bill.amount_fen} given back", found="it was not")


async def one_charge_a_till(db: Database) -> AsyncIterator[Finding]:
    """Of charges that may still be paid, a till has one, and it is the one that holds it; but for those set aside."""
    async for bill in store.every(db):
        if bill.state is not BillState.OPEN or bill.aside_at is not None:
            continue
        hold = await store.hold(db, bill.till_id)
        # Looked at in this order: a charge that ends between the two looks may have handed the till on.
        if (hold is None or hold.bill_id != bill.id) and await payment_checks.is_unfinished(db, bill.payment_id):
            found = "by nothing" if hold is None else f"by {hold.bill_id}"
            yield Finding(check="F35", object_id=bill.id, expected=f"{bill.till_id} held by it", found=found)


CHECKS: tuple[Check, ...] = (
    Check(id="F35", text="a bill is settled exactly when its payment is paid", run=follows_payment),
    Check(id="F35s", text="a bill and its payment name each other and the same sum", run=same_sum),
    Check(id="F35t", text="a till has one open charge at most, which holds it", run=one_charge_a_till),
    Check(id="F35r", text="a returned bill was given back whole", run=returned_goes_back),
)
