"""Stock follows the order: sold when paid, free again when closed. Jobs, so that hot goods do not conflict."""

from __future__ import annotations

from octshop_rt.commerce.inventory.service import InventoryService
from octshop_rt.commerce.order import rules, store
from octshop_rt.core.mongo import Database
from octshop_rt.events import OrderClosed, OrderPaid


class OrderStock:
    """Handlers of kind job. The reservation inside the stock document makes each of them happen once: whichever
    settles it first leaves nothing for the other, and a repetition finds nothing to do.
    """

    def __init__(self, db: Database, inventory: InventoryService) -> None:
        self._db = db
        self._inventory = inventory

    async def on_order_paid(self, event: OrderPaid) -> None:
        """Reserved becomes sold. A late payment has taken its stock already."""
        order = await store.one(self._db, event.order_id)
        if order is not None:
            await self._inventory.commit(order.id, rules.wants_of(order))

    async def on_order_closed(self, event: OrderClosed) -> None:
        """Reserved becomes available."""
        order = await store.one(self._db, event.order_id)
        if order is not None:
            await self._inventory.release(order.id, rules.wants_of(order))
