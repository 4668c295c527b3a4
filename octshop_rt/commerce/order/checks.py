"""fsck of orders: states, sums, requests, deadlines, payments (F10-F14p); stock (F21), coupons (F133) against them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import Struct

from octshop_rt.commerce.catalog.model import Fulfilment
from octshop_rt.commerce.inventory.service import InventoryService
from octshop_rt.commerce.marketing.checks import OnOrder, on_order, on_orders
from octshop_rt.commerce.marketing.model import CouponState
from octshop_rt.commerce.order import rules, store
from octshop_rt.commerce.order.model import AftersaleState, Order, PaymentState
from octshop_rt.commerce.payment.checks import Owed, goes_back, is_paid, parts_for
from octshop_rt.core import outbox
from octshop_rt.core.clock import HOUR, MINUTE
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Database

LATE_MS = HOUR
FOLLOWS_WITHIN_MS = MINUTE


async def replay(db: Database) -> AsyncIterator[Finding]:
    async for order in store.every(db):
        stored = (order.payment_state, order.fulfilment_state, order.aftersale_state)
        try:
            told = rules.replayed(order)
        except ValueError as fault:
            yield Finding(check="F10", object_id=order.id, expected="declared steps", found=str(fault))
            continue
        if told != stored:
            yield Finding(check="F10", object_id=order.id, expected=", ".join(told), found=", ".join(stored))
        seen = rules.state_of(order.payment_state, order.fulfilment_state, order.aftersale_state)
        if seen is not order.state:
            yield Finding(check="F10", object_id=order.id, expected=seen, found=order.state)


async def totals(db: Database) -> AsyncIterator[Finding]:
    async for order in store.every(db):
        lines_fen = sum(line.payable_fen for line in order.lines) + order.freight_fen
        sums_fen = order.goods_fen - order.discount_fen + order.freight_fen
        if not lines_fen == sums_fen == order.payable_fen:
            found = f"lines {lines_fen}, sums {sums_fen}"
            yield Finding(check="F11", object_id=order.id, expected=str(order.payable_fen), found=found)
        for line in order.lines:
            allocated_fen = sum(one.amount_fen for one in line.allocations)
            list_fen = line.unit_price_fen * line.quantity
            if line.list_fen != list_fen or list_fen - allocated_fen != line.payable_fen:
                yield Finding(
                    check="F11", object_id=line.id, expected=str(list_fen - allocated_fen), found=str(line.payable_fen)
                )


async def requests(db: Database) -> AsyncIterator[Finding]:
    async for group in store.every_group(db):
        orders = await store.by_ids(db, group.buyer_id, group.order_ids)
        if len(orders) != len(group.order_ids) or any(order.group_id != group.id for order in orders):
            found = ", ".join(order.id for order in orders)
            yield Finding(check="F12", object_id=group.id, expected=", ".join(group.order_ids), found=found)
        if sum(order.payable_fen for order in orders) != group.payable_fen:
            found = str(sum(order.payable_fen for order in orders))
            yield Finding(check="F12", object_id=group.id, expected=str(group.payable_fen), found=found)
    async for order in store.every(db):
        if not await store.group_names(db, order):
            yield Finding(check="F12", object_id=order.id, expected=f"group {order.group_id}", found="none names it")


async def overdue(db: Database) -> AsyncIterator[Finding]:
    async for order in store.overdue(db, await db.time() - LATE_MS):
        yield Finding(check="F13", object_id=order.id, expected=f"closed after {order.pay_until}", found="unpaid")


async def paid(db: Database) -> AsyncIterator[Finding]:
    async for order in store.every(db):
        is_paid = order.payment_state is PaymentState.PAID
        has_payment = order.payment_id is not None and (order.payment_id != "" or order.payable_fen == 0)
        if is_paid != has_payment or is_paid != (order.paid_at is not None):
            found = f"{order.payment_state}, payment {order.payment_id}, paid at {order.paid_at}"
            yield Finding(check="F14", object_id=order.id, expected="paid exactly with a payment", found=found)


async def payment_behind(db: Database) -> AsyncIterator[Finding]:
    async for order in store.every(db):
        if order.payment_id and not await is_paid(db, order.payment_id):
            yield Finding(check="F14p", object_id=order.id, expected=f"{order.payment_id} paid", found="it is not")


async def payments_have_orders(db: Database) -> AsyncIterator[Finding]:
    """F14p, the other way: what was paid for an order made it paid, or goes back."""
    async for part in parts_for(db, rules.subject_of("")):
        if await _serves(db, part) or await outbox.under_way(db, "PaymentSucceeded", "payment_id", part.payment_id):
            continue
        # Whatever was under way has ended by now, and left what is looked for.
        if await _serves(db, part) or await goes_back(db, part.payment_id, part.subject, part.amount_fen):
            continue
        expected = f"{part.subject} paid by it, or {part.amount_fen} back"
        yield Finding(check="F14p", object_id=part.payment_id, expected=expected, found="neither")


async def _serves(db: Database, part: Owed) -> bool:
    order = await store.one(db, rules.order_of(part.subject) or "")
    if order is None:
        return False
    return not part.paid or (order.payment_id, order.payable_fen) == (part.payment_id, part.amount_fen)


async def refunded(db: Database) -> AsyncIterator[Finding]:
    """F15: an order is refunded, as a whole or in part, exactly as its sum and its lines say."""
    async for order in store.every(db):
        if order.aftersale_state not in {AftersaleState.REFUNDED, AftersaleState.PARTLY_REFUNDED}:
            continue
        wanted = AftersaleState.REFUNDED if _all_back(order) else AftersaleState.PARTLY_REFUNDED
        if order.aftersale_state is not wanted:
            uses = [(line.uses_done, line.uses_refunded, line.uses_total) for line in order.lines]
            found = f"{order.aftersale_state}: {order.refunded_fen} of {order.payable_fen} fen, uses {uses}"
            yield Finding(check="F15", object_id=order.id, expected=wanted, found=found)


def _all_back(order: Order) -> bool:
    return rules.all_back(order.lines, order.refunded_fen, order.payable_fen)


async def stock(db: Database) -> AsyncIterator[Finding]:
    """Stock follows an order's end by event: ends of the last minute may still be on their way."""
    lately = await db.time() - FOLLOWS_WITHIN_MS
    sold = await store.pieces_paid(db)
    reserved: dict[tuple[str, str], int] = {}
    async for order in store.unpaid(db):
        reserved |= {(want.sku_id, order.id): want.pieces for want in rules.wants_of(order)}
    async for row in InventoryService(db).every():
        on_its_way = 0
        for entry in row.entries:
            wanted = reserved.pop((row.id, entry.order_id), 0)
            order = None if wanted else await store.one(db, entry.order_id)
            if order is not None and (order.paid_at or order.closed_at or 0) > lately:
                wanted = entry.pieces
                on_its_way += entry.pieces if order.paid_at else 0
            if wanted != entry.pieces:
                found = f"{entry.pieces} for {entry.order_id}"
                yield Finding(check="F21", object_id=row.id, expected=f"{wanted} reserved", found=found)
        if row.sold + on_its_way != sold.get(row.id, 0):
            yield Finding(check="F21", object_id=row.id, expected=f"{sold.get(row.id, 0)} sold", found=str(row.sold))
    for (sku_id, order_id), pieces in reserved.items():
        yield Finding(check="F21", object_id=sku_id, expected=f"{pieces} reserved for {order_id}", found="0")


async def coupons(db: Database) -> AsyncIterator[Finding]:
    """The coupon an order names is held while it is unpaid, used once it is paid, and on no other order."""
    async for order in store.every(db):
        if order.coupon is None or _agrees(order, await on_order(db, order.buyer_id, order.id)):
            continue
        fresh = await store.one(db, order.id) or order  # it may have moved while this looked
        found = await on_order(db, order.buyer_id, order.id)
        if not _agrees(fresh, found):
            state = f"{found.coupon_id} {found.state}" if found else "none"
            expected = f"{order.coupon.id} as a {fresh.payment_state} order has it"
            yield Finding(check="F133", object_id=order.id, expected=expected, found=state)
    async for one in on_orders(db):
        held_by = await store.one(db, one.order_id)
        if held_by is None or held_by.coupon is None or held_by.coupon.id != one.coupon_id:
            if await on_order(db, one.buyer_id, one.order_id) != one:
                continue
            yield Finding(check="F133", object_id=one.coupon_id, expected=f"named by {one.order_id}", found="it is not")


def _agrees(order: Order, found: OnOrder | None) -> bool:
    assert order.coupon is not None, "only orders with coupons are asked about"
    if order.payment_state is PaymentState.CLOSED:
        return found is None
    wanted = CouponState.HELD if order.payment_state is PaymentState.UNPAID else CouponState.USED
    if found is None:  # it goes back when the whole order does, by event
        return order.aftersale_state is AftersaleState.REFUNDED and _all_back(order)
    return (found.coupon_id, found.state) == (order.coupon.id, wanted)


class Sold(Struct, frozen=True):
    """A line of a paid order: to whom, and where it may be used."""

    buyer_id: str
    shop_id: str


async def sold(db: Database, order_id: str, line_id: str) -> Sold | None:
    """Whether this line was sold. For the checks of vouchers against orders."""
    order = await store.one(db, order_id)
    if order is None or order.payment_state is not PaymentState.PAID or order.fulfilment is not Fulfilment.IN_STORE:
        return None
    return Sold(order.buyer_id, order.shop_id) if any(line.id == line_id for line in order.lines) else None


class PaidForUse(Struct, frozen=True):
    """A paid line that its buyer uses in the store."""

    order_id: str
    line_id: str
    uses_total: int
    uses_done: int
    paid_fen: Fen


async def paid_for_use(db: Database) -> AsyncIterator[PaidForUse]:
    """Every such line. For the checks of orders against vouchers."""
    async for order in store.every(db):
        if order.payment_state is PaymentState.PAID and order.fulfilment is Fulfilment.IN_STORE:
            for line in order.lines:
                yield PaidForUse(order.id, line.id, line.uses_total, line.uses_done, line.payable_fen)


class AskedBack(Struct, frozen=True):
    """What an order says of its after-sale cases."""

    order_id: str
    open: bool
    refunded_fen: Fen
    uses_refunded: dict[str, int]  # by line, where there are any


async def asked_back(db: Database) -> AsyncIterator[AskedBack]:
    """Every order. For the checks of cases against orders."""
    async for order in store.every(db):
        yield _asked_back(order)


async def asked_back_now(db: Database, order_id: str) -> AskedBack | None:
    """The same of one order, for a second look; None if there is none."""
    order = await store.one(db, order_id)
    return None if order is None else _asked_back(order)


def _asked_back(order: Order) -> AskedBack:
    uses = {line.id: line.uses_refunded for line in order.lines if line.uses_refunded}
    return AskedBack(order.id, order.aftersale_state is AftersaleState.OPEN, order.refunded_fen, uses)


CHECKS: tuple[Check, ...] = (
    Check(id="F10", text="an order's history, replayed along the tables, gives its states", run=replay),
    Check(id="F11", text="lines, sums and payable of an order close", run=totals),
    Check(id="F12", text="a checkout request and its orders name each other", run=requests),
    Check(id="F13", text="no order stays unpaid an hour past its time", run=overdue),
    Check(id="F21", text="unpaid orders and reservations match, paid orders and pieces sold match", run=stock),
    Check(id="F133", text="an order's coupon is held while unpaid, used when paid, on no other order", run=coupons),
    Check(id="F14", text="an order is paid exactly when it has a payment", run=paid),
    Check(id="F14p", text="the payment behind a paid order is itself paid", run=payment_behind),
    Check(id="F15", text="a refunded order has all its money back and no use, done or left", run=refunded),
    Check(id="F14o", text="what was paid for an order made it paid or goes back", run=payments_have_orders),
)
