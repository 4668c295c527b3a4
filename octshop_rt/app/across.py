"""fsck across the wings: what one says of another is true there too. Only here, because only app knows them all.

An event on its way is no violation: where the outbox still holds it, the object is looked at in the next run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.commerce.aftersale.checks import held_back
from octshop_rt.commerce.ledger import postings
from octshop_rt.commerce.ledger.checks import booked, booked_as
from octshop_rt.commerce.ledger.model import PostingKind
from octshop_rt.commerce.member.checks import became
from octshop_rt.commerce.order.checks import PaidForUse, paid_for_use, sold
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import under_way
from octshop_rt.im.conversation.checks import other_buyers
from octshop_rt.verify.checks import SetAside, counted, issued, redeemed, set_aside, set_aside_now, was_redeemed


async def write_offs_are_booked(db: Database) -> AsyncIterator[Finding]:
    """F44: each redemption has moved its share from unredeemed to the shop, and each such posting its redemption."""
    async for redemption_id, shop_id, amount_fen in redeemed(db):
        if amount_fen == 0:
            continue
        posting = postings.voucher_used(redemption_id=redemption_id, shop_id=shop_id, amount_fen=amount_fen, at=0)
        found = await booked_as(db, posting)
        if not found or await under_way(db, "VoucherUsed", "redemption_id", redemption_id):
            continue
        expected = f"{amount_fen} booked for {shop_id}"
        yield Finding(check="F44", object_id=redemption_id, expected=expected, found=found)
    async for ref in booked(db, PostingKind.WRITE_OFF):
        if not await was_redeemed(db, ref.partition(":")[2]):
            yield Finding(check="F44", object_id=ref, expected="a redemption", found="none")


async def paid_orders_have_their_vouchers(db: Database) -> AsyncIterator[Finding]:
    """F53: a paid in-store line has vouchers for exactly its uses and its money; both count the same uses as done."""
    async for line in paid_for_use(db):
        have = await counted(db, line.order_id, line.line_id)
        if (have.uses_total, have.paid_fen) != (line.uses_total, line.paid_fen):
            if not await under_way(db, "OrderPaid", "order_id", line.order_id):
                yield _finding(
                    line, f"{line.uses_total} uses for {line.paid_fen}", f"{have.uses_total} for {have.paid_fen}"
                )
        elif have.uses_used != line.uses_done and not await under_way(db, "VoucherUsed", "order_id", line.order_id):
            yield _finding(line, f"{have.uses_used} uses done", str(line.uses_done))


async def vouchers_were_sold(db: Database) -> AsyncIterator[Finding]:
    """F54: each voucher comes from a line of a paid order, of the same shop, and belongs to whoever bought it."""
    async for one in issued(db):
        sale = await sold(db, one.order_id, one.line_id)
        if sale is None or (sale.buyer_id, sale.shop_id) != (one.buyer_id, one.shop_id):
            expected = f"line {one.line_id} of order {one.order_id} paid, by {one.buyer_id} at {one.shop_id}"
            found = "no such sale" if sale is None else f"by {sale.buyer_id} at {sale.shop_id}"
            yield Finding(check="F54", object_id=one.voucher_id, expected=expected, found=found)


async def frozen_uses_have_cases(db: Database) -> AsyncIterator[Finding]:
    """F124: uses are set aside for exactly the open after-sale cases, paid back for exactly those that gave money, and
    with what was redeemed they make what is taken, to the fen.
    """
    async for seen in set_aside(db):
        if await _unheld(db, seen):
            again = await set_aside_now(db, seen.voucher_id)
            if again is not None and (wrong := await _unheld(db, again)):
                found = f"{again.frozen} frozen, {again.refunded} refunded, {again.taken_fen} fen taken"
                yield Finding(check="F124", object_id=again.voucher_id, expected=wrong, found=found)


async def _unheld(db: Database, seen: SetAside) -> str:
    told = await held_back(db, seen.order_id, seen.voucher_id)
    taken_fen = told.amount_fen + seen.redeemed_fen
    if (told.frozen, told.refunded, taken_fen) == (seen.frozen, seen.refunded, seen.taken_fen):
        return ""
    return f"{told.frozen} frozen, {told.refunded} refunded, {taken_fen} fen taken"


async def one_buyer_speaks(db: Database) -> AsyncIterator[Finding]:
    """F78: who speaks as the buyer of a conversation is its buyer, or the member its guest has become."""
    async for c, guest_id, author in other_buyers(db):
        if await became(db, guest_id) != author:
            yield Finding(check="F78", object_id=c, expected=f"{guest_id}, or who that guest became", found=author)


CHECKS: tuple[Check, ...] = (
    Check(id="F78", text="only a conversation's buyer speaks as its buyer", run=one_buyer_speaks),
    Check(id="F44w", text="write-offs and the books tell the same", run=write_offs_are_booked),
    Check(
        id="F53",
        text="paid in-store orders have their vouchers, and count the same uses",
        run=paid_orders_have_their_vouchers,
    ),
    Check(id="F124", text="uses are frozen and paid back for after-sale cases alone", run=frozen_uses_have_cases),
    Check(id="F54", text="every voucher was sold to its holder by a paid order of its shop", run=vouchers_were_sold),
)


def _finding(line: PaidForUse, expected: str, found: str) -> Finding:
    return Finding(check="F53", object_id=line.line_id, expected=expected, found=found)
