"""fsck of bills: a bill counts exactly when its payment does (F35)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.commerce.bill import store
from octshop_rt.commerce.bill.model import BillState
from octshop_rt.commerce.payment import checks as payment_checks
from octshop_rt.core.clock import MINUTE, Clock
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database

FOLLOWS_WITHIN_MS = MINUTE


async def follows_payment(db: Database) -> AsyncIterator[Finding]:
    """A bill follows its payment by event: those of the last minute may still be on their way."""
    lately = Clock().now() - FOLLOWS_WITHIN_MS
    async for bill in store.every(db):
        paid_here_at = await payment_checks.paid_here_at(db, bill.payment_id)
        paid = paid_here_at is not None
        if paid != (bill.state is not BillState.OPEN) and (paid_here_at or 0) <= lately:
            found = f"bill {bill.state}, payment {'paid' if paid else 'not paid'}"
            yield Finding(check="F35", object_id=bill.id, expected="bill and payment agree", found=found)
        if bill.unwanted_at is not None and bill.state is BillState.PAID:
            yield Finding(check="F35", object_id=bill.id, expected="given back: its cashier reversed it", found="paid")


CHECKS: tuple[Check, ...] = (
    Check(id="F35", text="a bill is settled exactly when its payment is paid", run=follows_payment),
)
