"""Hints to the buyer's pages that an order has changed; the truth is fetched by GET."""

from __future__ import annotations

from octshop_rt.core.bus import NO_REV, Bus, Notice, notify
from octshop_rt.core.clock import Clock
from octshop_rt.events import AftersaleMoved, OrderClosed, OrderPaid, VoucherIssued, VoucherUsed


class OrderNotices:
    """Handlers of kind hint."""

    def __init__(self, clock: Clock, bus: Bus) -> None:
        self._clock = clock
        self._bus = bus

    async def on_order_paid(self, event: OrderPaid) -> None:
        """The pay page goes on."""
        await self._tell(event.order_id, "paid")

    async def on_order_closed(self, event: OrderClosed) -> None:
        """The pay page stops."""
        await self._tell(event.order_id, "closed")

    async def on_voucher_issued(self, event: VoucherIssued) -> None:
        """The code can be shown."""
        await self._tell(event.order_id, "voucher")

    async def on_voucher_used(self, event: VoucherUsed) -> None:
        """The order has gone on."""
        await self._tell(event.order_id, "used")

    async def on_aftersale_moved(self, event: AftersaleMoved) -> None:
        """The order, its case and its vouchers show something else now."""
        await self._tell(event.order_id, "aftersale")
        for voucher_id in event.voucher_ids:
            d = {"what": "aftersale"}
            await notify(self._bus, Notice(topic="voucher", id=voucher_id, rev=NO_REV, d=d))

    async def _tell(self, order_id: str, what: str) -> None:
        await notify(self._bus, Notice(topic="order", id=order_id, rev=self._clock.now(), d={"what": what}))
