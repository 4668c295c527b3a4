"""The steps of an order's payment: paid, paid late, paid with nothing, closed. Stock follows by event (stock.py)."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.commerce.inventory.service import InventoryService
from octshop_rt.commerce.marketing.coupons import Coupons
from octshop_rt.commerce.order import rules, store
from octshop_rt.commerce.order.model import (
    SYSTEM,
    CloseReason,
    FulfilmentState,
    Order,
    PaymentState,
    Transition,
)
from octshop_rt.commerce.order.store import Move
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import Busy
from octshop_rt.core.mongo import Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import OrderClosed


async def pay(
    tx: Transaction,
    order: Order,
    inventory: InventoryService,
    coupons: Coupons,
    outbox: Outbox,
    *,
    payment_id: str,
    paid_at: Millis,
    by: str = SYSTEM,
) -> None:
    """Take an unpaid or closed order to paid and say so. Busy if it moved meanwhile.

    A closed order takes its stock and its coupon again here; the caller has seen that they can be had.
    """
    late = order.payment_state is PaymentState.CLOSED
    if late:
        await inventory.take_again(tx, order.id, rules.wants_of(order))
        if order.coupon is not None:
            await coupons.take_again(tx, order.buyer_id, order.id, order.coupon.id, at=paid_at)
    if order.coupon is not None:
        await coupons.spend(tx, order.buyer_id, order.id, at=paid_at, by=by)
    move = Move(
        axes={
            "payment_state": PaymentState.PAID,
            "fulfilment_state": FulfilmentState.TO_USE,
            "state": rules.state_of(PaymentState.PAID, FulfilmentState.TO_USE, order.aftersale_state),
        },
        also={"paid_at": paid_at, "payment_id": payment_id, "closed_at": None, "close_reason": None},
        steps=(
            Transition(
                at=paid_at,
                by=by,
                axis="payment",
                before=order.payment_state,
                after=PaymentState.PAID,
                reason="paid late" if late else "paid",
            ),
            Transition(
                at=paid_at,
                by=by,
                axis="fulfilment",
                before=order.fulfilment_state,
                after=FulfilmentState.TO_USE,
                reason="paid",
            ),
        ),
    )
    if not await store.move(tx, order, move):
        raise Busy
    await outbox.write(tx, rules.paid_event(order, payment_id, paid_at))


async def settle_free(
    tx: Transaction, order: Order, inventory: InventoryService, coupons: Coupons, outbox: Outbox
) -> None:
    """An order that costs nothing is paid at once, without a channel (M8)."""
    await pay(tx, order, inventory, coupons, outbox, payment_id="", paid_at=order.created_at, by=order.buyer_id)


class Closing(Struct, frozen=True):
    """A decided end of an unpaid order."""

    order: Order
    move: Move
    reason: CloseReason

    async def run(self, tx: Transaction, coupons: Coupons, outbox: Outbox) -> None:
        """Close, give the coupon back and say so. Busy if the order moved meanwhile."""
        if not await store.move(tx, self.order, self.move):
            raise Busy
        if self.order.coupon is not None:
            step = self.move.steps[-1]
            await coupons.give_back(
                tx, self.order.buyer_id, self.order.id, at=step.at, by=step.by, reason=f"closed: {self.reason}"
            )
        await outbox.write(tx, OrderClosed(order_id=self.order.id, reason=self.reason))


def close(order: Order, *, at: Millis, by: str, close_reason: CloseReason, words: str = "") -> Closing:
    """How an unpaid order ends; `words` is what the person said about it."""
    move = Move(
        axes={
            "payment_state": PaymentState.CLOSED,
            "state": rules.state_of(PaymentState.CLOSED, order.fulfilment_state, order.aftersale_state),
        },
        also={"closed_at": at, "close_reason": close_reason},
        steps=(
            Transition(
                at=at,
                by=by,
                axis="payment",
                before=order.payment_state,
                after=PaymentState.CLOSED,
                reason=f"{close_reason}: {words}" if words else close_reason,
            ),
        ),
    )
    return Closing(order, move, close_reason)
