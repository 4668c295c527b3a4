"""fsck of stock: the books of each SKU close (F20, F22)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.commerce.inventory import store
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database


async def closes(db: Database) -> AsyncIterator[Finding]:
    async for row in store.every(db):
        if row.sold + row.reserved + row.available != row.total:
            found = f"{row.sold} + {row.reserved} + {row.available}"
            yield Finding(check="F20", object_id=row.id, expected=str(row.total), found=found)
        listed = sum(entry.pieces for entry in row.entries)
        if listed != row.reserved or len({entry.order_id for entry in row.entries}) != len(row.entries):
            yield Finding(check="F20", object_id=row.id, expected=f"entries for {row.reserved}", found=str(listed))


async def not_negative(db: Database) -> AsyncIterator[Finding]:
    async for sku_id, figures in store.negative(db):
        yield Finding(check="F22", object_id=sku_id, expected="nothing below 0", found=figures)


CHECKS: tuple[Check, ...] = (
    Check(id="F20", text="sold + reserved + available = total, and reservations add up to reserved", run=closes),
    Check(id="F22", text="no stock figure is negative", run=not_negative),
)
