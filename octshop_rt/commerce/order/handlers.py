"""What orders do when the house tells them something: money came, time is up, a voucher was used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from octshop_rt.commerce.inventory.service import InventoryService
from octshop_rt.commerce.marketing.coupons import Coupons
from octshop_rt.commerce.order import rules, store
from octshop_rt.commerce.order.closing import close, pay
from octshop_rt.commerce.order.model import SYSTEM, Order, PaymentState, Transition
from octshop_rt.commerce.order.store import Move
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import Busy
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import OrderUnpaid, PaymentPart, PaymentSucceeded, RefundDue, VoucherUsed

HasPaid = Callable[[Transaction, str, Fen], Awaitable[bool]]
"""Payment's answer to (subject, amount): has this been paid for, whether or not its order has heard of it?"""


class OrderHandlers:
    """Effects on orders. Each runs once per event, in the transaction it is given; Busy makes the dispatcher retry."""

    def __init__(
        self, clock: Clock, outbox: Outbox, inventory: InventoryService, coupons: Coupons, has_paid: HasPaid
    ) -> None:
        self._clock = clock
        self._outbox = outbox
        self._inventory = inventory
        self._coupons = coupons
        self._has_paid = has_paid

    async def on_payment_succeeded(self, tx: Transaction, event: PaymentSucceeded) -> None:
        """Money is never dropped: each part makes its order stand, or is given back whole.

        A closed order stands again if it ran out of time and its goods can still be had (X6), and its coupon too: the
        price was agreed with it, and one used elsewhere meanwhile cannot pay twice. One its buyer cancelled stays
        cancelled (X7); one that is paid already has no use for a second payment; a wrong amount pays nothing.
        """
        for part in event.parts:
            order_id = rules.order_of(part.subject)
            if order_id is None:
                continue
            order = await store.one(tx, order_id)
            if order is not None and order.payment_id == event.payment_id:
                continue
            refusal = await self._refusal(tx, order, part)
            if order is None or refusal is not None:
                await self._give_back(tx, event, part, refusal or "unknown order")
            else:
                await pay(
                    tx,
                    order,
                    self._inventory,
                    self._coupons,
                    self._outbox,
                    payment_id=event.payment_id,
                    paid_at=event.paid_at,
                )

    async def on_order_unpaid(self, tx: Transaction, event: OrderUnpaid) -> None:
        """Time is up: close what is still unpaid. A paid or closed order is left alone.

        Money that came in time stays in time: while its event is under way, this one waits for it.
        """
        order = await store.one(tx, event.order_id)
        if order is None or order.payment_state is not PaymentState.UNPAID:
            return
        if await self._has_paid(tx, rules.subject_of(order.id), order.payable_fen):
            raise Busy
        closing = close(order, at=self._clock.now(), by=SYSTEM, close_reason="timeout")
        await closing.run(tx, self._coupons, self._outbox)

    async def on_voucher_used(self, tx: Transaction, event: VoucherUsed) -> None:
        """Count the uses; the first makes the order partly used, the last one done."""
        order = await store.one(tx, event.order_id)
        assert order is not None, "a voucher's order is never deleted"
        lines, target = rules.after_use(order, event.line_id, event.uses)
        if not await store.count_uses(tx, order, lines):
            raise Busy
        if target is order.fulfilment_state:
            return
        move = Move(
            axes={
                "fulfilment_state": target,
                "state": rules.state_of(order.payment_state, target, order.aftersale_state),
            },
            steps=(
                Transition(
                    at=event.used_at,
                    by=event.clerk_id,
                    axis="fulfilment",
                    before=order.fulfilment_state,
                    after=target,
                    reason=f"redemption {event.redemption_id}",
                ),
            ),
        )
        if not await store.move(tx, order, move):
            raise Busy

    async def _refusal(self, tx: Transaction, order: Order | None, part: PaymentPart) -> str | None:
        """Why the money cannot make the order stand, or None."""
        if order is None:
            return "unknown order"
        if part.amount_fen != order.payable_fen:
            return f"paid {part.amount_fen} for {order.payable_fen}"
        if order.payment_state is PaymentState.PAID:
            return "paid twice"
        if order.payment_state is PaymentState.CLOSED and order.close_reason == "buyer":
            return "cancelled by the buyer"
        if order.payment_state is PaymentState.UNPAID:
            return None
        wants = rules.wants_of(order)
        to_be_had = await self._inventory.can_take_again(tx, order.id, wants)
        if not to_be_had:
            return "closed and sold out meanwhile"
        if order.coupon is None or await self._coupons.can_take_again(tx, order.buyer_id, order.coupon.id):
            return None
        return "closed and its coupon used meanwhile"

    async def _give_back(self, tx: Transaction, event: PaymentSucceeded, part: PaymentPart, reason: str) -> None:
        refund = RefundDue(
            refund_key=f"{event.payment_id}:{event.attempt_id}:{part.subject}",
            payment_id=event.payment_id,
            attempt_id=event.attempt_id,
            subject=part.subject,
            amount_fen=part.amount_fen,
            reason=reason,
        )
        await self._outbox.write(tx, refund)
