"""Stock documents. Every change is one conditional update whose filter holds the whole decision."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from octshop_rt.commerce.inventory.model import Stock
from octshop_rt.core.mongo import Collection, Database, Transaction, index

STOCK = Collection("mall", "stock", Stock, indexes=[index("product_id")], shard_key=("_id",))


async def of(at: Database | Transaction, sku_ids: Sequence[str]) -> list[Stock]:
    return await STOCK.many(at, {"_id": {"$in": list(sku_ids)}})


async def of_products(at: Database | Transaction, product_ids: Sequence[str]) -> list[Stock]:
    return await STOCK.many(at, {"product_id": {"$in": list(product_ids)}})


async def add(at: Database | Transaction, row: Stock) -> None:
    await STOCK.insert(at, row)


async def reserve(at: Database | Transaction, sku_id: str, order_id: str, pieces: int) -> bool:
    """Set `pieces` aside for an order that has none yet; False changes nothing."""
    query = {"_id": sku_id, "available": {"$gte": pieces}, "entries.order_id": {"$ne": order_id}}
    return (
        await STOCK.update(
            at,
            query,
            {
                "$inc": {"available": -pieces, "reserved": pieces},
                "$push": {"entries": {"order_id": order_id, "pieces": pieces}},
            },
        )
        == 1
    )


async def release(at: Database | Transaction, sku_id: str, order_id: str, pieces: int) -> bool:
    """Give an order's reservation back, once."""
    return await _settle(at, sku_id, order_id, pieces, {"available": pieces, "reserved": -pieces})


async def commit(at: Database | Transaction, sku_id: str, order_id: str, pieces: int) -> bool:
    """Turn an order's reservation into a sale, once."""
    return await _settle(at, sku_id, order_id, pieces, {"sold": pieces, "reserved": -pieces})


async def sell(at: Database | Transaction, sku_id: str, pieces: int) -> bool:
    """Sell without a reservation: an order that is paid after it was closed. Guarded by that order's own state."""
    query = {"_id": sku_id, "available": {"$gte": pieces}}
    return await STOCK.update(at, query, {"$inc": {"available": -pieces, "sold": pieces}}) == 1


async def adjust(at: Database | Transaction, sku_id: str, change: int) -> bool:
    """Goods in (or out, as far as they are available)."""
    query = {"_id": sku_id, "available": {"$gte": -change}}
    return await STOCK.update(at, query, {"$inc": {"available": change, "total": change}}) == 1


async def every(at: Database | Transaction) -> AsyncIterator[Stock]:
    async for row in STOCK.scan(at, {}):
        yield row


async def negative(at: Database | Transaction) -> AsyncIterator[tuple[str, str]]:
    """SKUs with a figure below 0, read raw: such a row would not decode."""
    names = ("total", "reserved", "sold", "available")
    pipeline = [
        {"$match": {"$or": [{name: {"$lt": 0}} for name in names]}},
        {"$project": dict.fromkeys(names, 1)},
    ]
    for doc in await STOCK.aggregate(at, pipeline):
        yield str(doc["_id"]), ", ".join(f"{name} {doc[name]}" for name in names)


async def _settle(at: Database | Transaction, sku_id: str, order_id: str, pieces: int, inc: dict[str, Any]) -> bool:
    query = {"_id": sku_id, "entries": {"$elemMatch": {"order_id": order_id, "pieces": pieces}}}
    return await STOCK.update(at, query, {"$inc": inc, "$pull": {"entries": {"order_id": order_id}}}) == 1
