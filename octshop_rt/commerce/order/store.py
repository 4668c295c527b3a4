"""Rows of orders and of the checkouts that made them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from octshop_rt.commerce.order.model import Order, OrderGroup, OrderLine, State, Transition
from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Database, Transaction, index

GROUPS = Collection(
    "trading",
    "order_groups",
    OrderGroup,
    indexes=[index("buyer_id", "request_id", unique=True)],
    shard_key=("buyer_id",),
)
ORDERS = Collection(
    "trading",
    "orders",
    Order,
    indexes=[
        index("buyer_id", "-_id"),
        index("buyer_id", "state", "-_id"),
        index("shop_id", "-_id"),
        index("shop_id", "buyer_id", "-_id"),
        index("payment_state", "pay_until"),
    ],
    shard_key=("buyer_id",),
)


class Move(Struct, frozen=True, kw_only=True):
    """One step of an order: the axes afterwards, fields that go with it, and the row of its history."""

    axes: Mapping[str, str]
    also: Mapping[str, Any] = {}
    steps: tuple[Transition, ...]


async def group_by_request(at: Database | Transaction, buyer_id: str, request_id: str) -> OrderGroup | None:
    return await GROUPS.one(at, {"buyer_id": buyer_id, "request_id": request_id})


async def add_group(at: Transaction, row: OrderGroup) -> None:
    """The claim on a request id, and so the first write of a checkout. DuplicateKey if it was made before."""
    await GROUPS.insert(at, row)


async def add_orders(at: Transaction, rows: Sequence[Order]) -> None:
    await ORDERS.insert_many(at, rows)


async def by_ids(at: Database | Transaction, buyer_id: str, order_ids: Sequence[str]) -> list[Order]:
    """Those of `order_ids` that are this buyer's, by birth."""
    return await ORDERS.many(at, {"buyer_id": buyer_id, "_id": {"$in": list(order_ids)}}, sort=[("_id", 1)])


async def one(at: Database | Transaction, order_id: str) -> Order | None:
    """For handlers of events; people's doors ask with their own id in the filter."""
    return await ORDERS.one(at, {"_id": order_id})


async def of_buyer(
    at: Database | Transaction, buyer_id: str, states: Sequence[State], before: str | None, limit: int
) -> list[Order]:
    """Newest first; no states: all."""
    query: dict[str, Any] = {"buyer_id": buyer_id}
    if states:
        query["state"] = {"$in": list(states)}
    if before is not None:
        query["_id"] = {"$lt": before}
    return await ORDERS.many(at, query, sort=[("_id", -1)], limit=limit)


async def of_shop(
    at: Database | Transaction, shop_id: str, buyer_id: str | None, before: str | None, limit: int
) -> list[Order]:
    """Newest first; with `buyer_id` that buyer's only."""
    query: dict[str, Any] = {"shop_id": shop_id}
    if buyer_id is not None:
        query["buyer_id"] = buyer_id
    if before is not None:
        query["_id"] = {"$lt": before}
    return await ORDERS.many(at, query, sort=[("_id", -1)], limit=limit)


async def count_of_buyer_at_shop(at: Database | Transaction, shop_id: str, buyer_id: str) -> int:
    return await ORDERS.count(at, {"shop_id": shop_id, "buyer_id": buyer_id})


async def count_unpaid(at: Database | Transaction, buyer_id: str) -> int:
    return await ORDERS.count(at, {"buyer_id": buyer_id, "state": State.UNPAID})


async def move(at: Transaction, order: Order, change: Move) -> bool:
    """Take `order` one step further, if its axes are still as read. Nobody else writes them."""
    query = {
        "_id": order.id,
        "buyer_id": order.buyer_id,
        "payment_state": order.payment_state,
        "fulfilment_state": order.fulfilment_state,
        "aftersale_state": order.aftersale_state,
    }
    update = {
        "$set": {**change.axes, **change.also},
        "$push": {"history": {"$each": msgspec.to_builtins(change.steps)}},
    }
    return await ORDERS.update(at, query, update) == 1


async def count_uses(at: Transaction, order: Order, lines: Sequence[OrderLine]) -> bool:
    """Write how many uses of each line are done, if they are still as read."""
    query: dict[str, Any] = {"_id": order.id, "buyer_id": order.buyer_id}
    query |= {f"lines.{i}.uses_done": line.uses_done for i, line in enumerate(order.lines)}
    done = {f"lines.{i}.uses_done": line.uses_done for i, line in enumerate(lines)}
    return await ORDERS.update(at, query, {"$set": done}) == 1


async def every(at: Database | Transaction) -> AsyncIterator[Order]:
    async for row in ORDERS.scan(at, {}):
        yield row


async def every_group(at: Database | Transaction) -> AsyncIterator[OrderGroup]:
    async for row in GROUPS.scan(at, {}):
        yield row


async def group_names(at: Database | Transaction, order: Order) -> bool:
    """Whether the order's group is there and names it."""
    return await GROUPS.one(at, {"_id": order.group_id, "buyer_id": order.buyer_id, "order_ids": order.id}) is not None


async def unpaid(at: Database | Transaction) -> AsyncIterator[Order]:
    async for row in ORDERS.scan(at, {"payment_state": "unpaid"}):
        yield row


async def pieces_paid(at: Database | Transaction) -> dict[str, int]:
    """Pieces of each SKU in paid orders."""
    pipeline = [
        {"$match": {"payment_state": "paid"}},
        {"$unwind": "$lines"},
        {"$group": {"_id": "$lines.sku_id", "pieces": {"$sum": "$lines.quantity"}}},
    ]
    return {str(doc["_id"]): int(doc["pieces"]) for doc in await ORDERS.aggregate(at, pipeline)}


async def overdue(at: Database | Transaction, before: Millis) -> AsyncIterator[Order]:
    """Unpaid orders whose time to pay was over before `before`."""
    async for row in ORDERS.scan(at, {"payment_state": "unpaid", "pay_until": {"$lt": before}}):
        yield row
