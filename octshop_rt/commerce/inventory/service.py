"""Stock for other domains: reserve inside a checkout, commit or release afterwards, take again for late money."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

from octshop_rt.commerce.inventory import store
from octshop_rt.commerce.inventory.model import OutOfStock, Stock, Want
from octshop_rt.commerce.inventory.turnstile import Turnstile
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction


class InventoryService:
    """Stock of SKUs. Wants come merged and sorted (`model.merged`)."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._turnstile = Turnstile()

    def in_turn(self, wants: Sequence[Want]) -> AbstractAsyncContextManager[None]:
        """Wait here before a transaction that writes the stock of these SKUs."""
        return self._turnstile.through([want.sku_id for want in wants])

    async def of(self, sku_ids: Sequence[str]) -> dict[str, Stock]:
        """Stock by SKU."""
        return {row.id: row for row in await store.of(self._db, sku_ids)}

    async def sold(self, product_ids: Sequence[str]) -> dict[str, int]:
        """Pieces sold by product."""
        sums: dict[str, int] = dict.fromkeys(product_ids, 0)
        for row in await store.of_products(self._db, product_ids):
            sums[row.product_id] += row.sold
        return sums

    async def glance(self, wants: Sequence[Want]) -> None:
        """OutOfStock if it is plain before any work begins. The reservation itself decides."""
        _refuse(wants, await store.of(self._db, [want.sku_id for want in wants]))

    async def reserve(self, tx: Transaction, order_id: str, wants: Sequence[Want]) -> None:
        """Set all wants aside for the order, or OutOfStock, which the caller's transaction must not survive."""
        for want in wants:
            if not await store.reserve(tx, want.sku_id, order_id, want.pieces):
                raise await self._refusal(tx, want)

    async def release(self, order_id: str, wants: Sequence[Want]) -> int:
        """Give the order's reservations back; how many SKUs, 0 when all were settled before.

        Release and commit run outside any transaction, one update per SKU: there the server lets writers of one
        document wait for each other, in a transaction it aborts them. Doing them again changes nothing.
        """
        return sum([await store.release(self._db, want.sku_id, order_id, want.pieces) for want in wants])

    async def commit(self, order_id: str, wants: Sequence[Want]) -> int:
        """Turn the order's reservations into sales; how many SKUs, 0 when all were settled before."""
        return sum([await store.commit(self._db, want.sku_id, order_id, want.pieces) for want in wants])

    async def can_take_again(self, tx: Transaction, order_id: str, wants: Sequence[Want]) -> bool:
        """Whether a closed order's goods can still be had: reserved for it as yet, or available again."""
        rows = {row.id: row for row in await store.of(tx, [want.sku_id for want in wants])}
        return all(
            want.sku_id in rows
            and (
                any(entry.order_id == order_id for entry in rows[want.sku_id].entries)
                or rows[want.sku_id].available >= want.pieces
            )
            for want in wants
        )

    async def take_again(self, tx: Transaction, order_id: str, wants: Sequence[Want]) -> None:
        """Sell a closed order's goods after all. OutOfStock, which the caller's transaction must not survive."""
        for want in wants:
            reserved = await store.commit(tx, want.sku_id, order_id, want.pieces)
            if not reserved and not await store.sell(tx, want.sku_id, want.pieces):
                raise await self._refusal(tx, want)

    async def add(self, row: Stock) -> None:
        """Enter the stock of a new SKU; a known SKU changes nothing."""
        if not await store.of(self._db, [row.id]):
            try:
                await store.add(self._db, row)
            except DuplicateKey:
                return

    async def adjust(self, sku_id: str, change: int) -> None:
        """Goods in or out. OutOfStock when more would leave than are available."""
        if not await store.adjust(self._db, sku_id, change):
            raise await self._refusal(self._db, Want(sku_id=sku_id, pieces=abs(change)))

    async def every(self) -> AsyncIterator[Stock]:
        """All stock, streamed, for fsck."""
        async for row in store.every(self._db):
            yield row

    async def _refusal(self, at: Database | Transaction, want: Want) -> OutOfStock:
        rows = await store.of(at, [want.sku_id])
        return OutOfStock(left=rows[0].available if rows else 0, sku_id=want.sku_id)


def _refuse(wants: Sequence[Want], rows: Sequence[Stock]) -> None:
    left = {row.id: row.available for row in rows}
    for want in wants:
        if left.get(want.sku_id, 0) < want.pieces:
            raise OutOfStock(left=left.get(want.sku_id, 0), sku_id=want.sku_id)
