"""fsck across the wings: what one says of another is true there too. Only here, because only app knows them all.

An event on its way is no violation: where the outbox still holds it, the object is looked at in the next run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.commerce.ledger.checks import booked, booked_fen
from octshop_rt.commerce.ledger.model import PostingKind
from octshop_rt.commerce.order.checks import PaidForUse, paid_for_use
from octshop_rt.core import outbox
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database
from octshop_rt.verify.checks import counted, redeemed, was_redeemed


async def write_offs_are_booked(db: Database) -> AsyncIterator[Finding]:
    """F44: each redemption has moved its share from unredeemed to the shop, and each such posting its redemption."""
    async for redemption_id, amount_fen in redeemed(db):
        if amount_fen == 0:
            continue
        moved_fen = await booked_fen(db, f"writeoff:{redemption_id}")
        if moved_fen == amount_fen or await _under_way(db, "VoucherUsed", "redemption_id", redemption_id):
            continue
        found = "not in the books" if moved_fen is None else str(moved_fen)
        yield Finding(check="F44", object_id=redemption_id, expected=f"{amount_fen} booked", found=found)
    async for ref in booked(db, PostingKind.WRITE_OFF):
        if not await was_redeemed(db, ref.partition(":")[2]):
            yield Finding(check="F44", object_id=ref, expected="a redemption", found="none")


async def paid_orders_have_their_vouchers(db: Database) -> AsyncIterator[Finding]:
    """F53: a paid in-store line has vouchers for exactly its uses and its money; both count the same uses as done."""
    async for line in paid_for_use(db):
        have = await counted(db, line.order_id, line.line_id)
        if (have.uses_total, have.paid_fen) != (line.uses_total, line.paid_fen):
            if not await _under_way(db, "OrderPaid", "order_id", line.order_id):
                yield _finding(
                    line, f"{line.uses_total} uses for {line.paid_fen}", f"{have.uses_total} for {have.paid_fen}"
                )
        elif have.uses_used != line.uses_done and not await _under_way(db, "VoucherUsed", "order_id", line.order_id):
            yield _finding(line, f"{have.uses_used} uses done", str(line.uses_done))


CHECKS: tuple[Check, ...] = (
    Check(id="F44w", text="write-offs and the books tell the same", run=write_offs_are_booked),
    Check(
        id="F53",
        text="paid in-store orders have their vouchers, and count the same uses",
        run=paid_orders_have_their_vouchers,
    ),
)


def _finding(line: PaidForUse, expected: str, found: str) -> Finding:
    return Finding(check="F53", object_id=line.line_id, expected=expected, found=found)


async def _under_way(db: Database, kind: str, field: str, value: str) -> bool:
    waiting = {"state": {"$in": ["waiting", "parked"]}, "type": kind, f"body.{field}": value}
    return await outbox.ROWS.one(db, waiting) is not None
