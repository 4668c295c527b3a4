"""Rows of after-sale cases. Every question of people carries the buyer or the shop in its filter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from octshop_rt.commerce.aftersale.model import LIFE, OPEN, Case, CaseState, Step
from octshop_rt.core.mongo import Collection, Place, Transaction, index

CASES = Collection(
    "care",
    "aftersale_cases",
    Case,
    indexes=[
        index("buyer_id", "request_id", unique=True),
        index("buyer_id", "-_id"),
        index("shop_id", "-_id"),
        index("shop_id", "state", "-_id"),
        index("shop_id", "buyer_id", "-_id"),
        index("order_id", "-_id"),
    ],
    shard_key=("buyer_id",),
)


async def by_request(at: Place, buyer_id: str, request_id: str) -> Case | None:
    return await CASES.one(at, {"buyer_id": buyer_id, "request_id": request_id})


async def add(tx: Transaction, row: Case) -> None:
    """The claim on a request id, and so the first write. DuplicateKey if it was made before."""
    await CASES.insert(tx, row)


async def one(at: Place, case_id: str) -> Case | None:
    """For handlers of events; people's doors ask with their own id in the filter."""
    return await CASES.one(at, {"_id": case_id})


async def of_buyer(at: Place, buyer_id: str, case_id: str) -> Case | None:
    return await CASES.one(at, {"_id": case_id, "buyer_id": buyer_id})


async def at_shop(at: Place, shop_id: str, case_id: str) -> Case | None:
    return await CASES.one(at, {"_id": case_id, "shop_id": shop_id})


async def open_of_order(at: Place, order_id: str) -> Case | None:
    return await CASES.one(at, {"order_id": order_id, "state": {"$in": sorted(OPEN)}})


async def page_of_buyer(at: Place, buyer_id: str, order_id: str | None, before: str | None, limit: int) -> list[Case]:
    """Newest first."""
    query: dict[str, Any] = {"buyer_id": buyer_id}
    if order_id is not None:
        query["order_id"] = order_id
    if before is not None:
        query["_id"] = {"$lt": before}
    return await CASES.many(at, query, sort=[("_id", -1)], limit=limit)


async def page_of_shop(
    at: Place,
    shop_id: str,
    *,
    states: Sequence[CaseState],
    buyer_id: str | None,
    before: str | None,
    limit: int,
) -> list[Case]:
    """Newest first; no states: all."""
    query: dict[str, Any] = {"shop_id": shop_id}
    if states:
        query["state"] = {"$in": sorted(states)}
    if buyer_id is not None:
        query["buyer_id"] = buyer_id
    if before is not None:
        query["_id"] = {"$lt": before}
    return await CASES.many(at, query, sort=[("_id", -1)], limit=limit)


async def count_at_shop(at: Place, shop_id: str, states: Sequence[CaseState]) -> int:
    return await CASES.count(at, {"shop_id": shop_id, "state": {"$in": sorted(states)}})


async def move(tx: Transaction, case: Case, step: Step, **sets: Any) -> Case | None:
    """Take a case one step on; None if that may not follow where it stands. Nobody else writes the state."""
    query = {
        "_id": case.id,
        "buyer_id": case.buyer_id,
        "state": {"$in": LIFE.sources(CaseState(step.after))},
        "history": {"$size": len(case.history)},
    }
    update = {"$set": {"state": step.after, **sets}, "$push": {"history": msgspec.to_builtins(step)}}
    return await CASES.change(tx, query, update)


async def every(at: Place) -> AsyncIterator[Case]:
    async for row in CASES.scan(at, {}):
        yield row


async def all_of_order(at: Place, order_id: str) -> list[Case]:
    return await CASES.many(at, {"order_id": order_id})
