"""Rows of bills, and the takings of a till."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from octshop_rt.commerce.bill.model import BILL_LIFE, Bill, BillState, TillHold
from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Place, Transaction, index

BILLS = Collection(
    "trading",
    "bills",
    Bill,
    indexes=[
        index("till_id", "request_id", unique=True),
        index("till_id", "state", "paid_day", "-paid_at"),
    ],
    shard_key=("till_id",),
)
HOLDS = Collection("trading", "till_holds", TillHold, shard_key=("_id",))


async def add(tx: Transaction, row: Bill) -> None:
    await BILLS.insert(tx, row)


async def hold(at: Place, till_id: str) -> TillHold | None:
    return await HOLDS.one(at, {"_id": till_id})


async def take_till(tx: Transaction, row: TillHold, *, after: TillHold | None) -> None:
    """Let `row` follow what held the till until now. Of two transactions that do so side by side one conflicts, or
    meets DuplicateKey, and judges again.
    """
    if after is None:
        await HOLDS.insert(tx, row)
    else:
        await HOLDS.update(tx, {"_id": row.id}, {"$set": {"bill_id": row.bill_id, "payment_id": row.payment_id}})


async def at_till(at: Place, till_id: str, bill_id: str) -> Bill | None:
    return await BILLS.one(at, {"_id": bill_id, "till_id": till_id})


async def by_id(at: Place, bill_id: str) -> Bill | None:
    return await BILLS.one(at, {"_id": bill_id})


async def by_request(at: Place, till_id: str, request_id: str) -> Bill | None:
    return await BILLS.one(at, {"till_id": till_id, "request_id": request_id})


async def move(tx: Transaction, bill_id: str, target: BillState, **sets: Any) -> Bill | None:
    """The bill after the move, None if `target` may not follow its state."""
    query = {"_id": bill_id, "state": {"$in": BILL_LIFE.sources(target)}}
    return await BILLS.change(tx, query, {"$set": {"state": target, **sets}})


async def unwant(at: Place, bill_id: str, by: str, now: Millis) -> Bill | None:
    """Note that an unpaid bill is not to be paid any more; the first wish stands. None: it is settled already."""
    query = {"_id": bill_id, "state": BillState.OPEN}
    noted = await BILLS.change(at, {**query, "unwanted_at": None}, {"$set": {"unwanted_at": now, "unwanted_by": by}})
    return noted or await BILLS.one(at, query)


async def set_aside(at: Place, bill_id: str, by: str, now: Millis) -> Bill | None:
    """Let the till go on without the outcome of an unwanted bill. None: it is settled, wanted, or set aside already."""
    query = {"_id": bill_id, "state": BillState.OPEN, "unwanted_at": {"$ne": None}, "aside_at": None}
    return await BILLS.change(at, query, {"$set": {"aside_at": now, "aside_by": by}})


async def by_ids(at: Place, till_id: str, bill_ids: Sequence[str]) -> list[Bill]:
    return await BILLS.many(at, {"_id": {"$in": list(bill_ids)}, "till_id": till_id})


async def sums(at: Place, till_id: str, day: str) -> list[tuple[str, int, int]]:
    """(channel, fen, count) of a day's paid bills."""
    rows = await BILLS.aggregate(
        at,
        [
            {"$match": {"till_id": till_id, "state": BillState.PAID, "paid_day": day}},
            {"$group": {"_id": "$channel", "total_fen": {"$sum": "$amount_fen"}, "count": {"$sum": 1}}},
            {"$sort": {"_id": 1}},
        ],
    )
    return [(row["_id"], row["total_fen"], row["count"]) for row in rows]


async def newest_paid(at: Place, till_id: str, day: str, limit: int) -> list[Bill]:
    """Those that counted on that day, given back since or not."""
    query = {"till_id": till_id, "state": {"$in": [BillState.PAID, BillState.RETURNED]}, "paid_day": day}
    return await BILLS.many(at, query, sort=[("paid_at", -1)], limit=limit)


async def every(at: Place) -> AsyncIterator[Bill]:
    async for row in BILLS.scan(at, {}):
        yield row
