"""The record of working time: who changed state, was missed, or came back, in rows that are only added."""

from __future__ import annotations

from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Database, index
from octshop_rt.im.desk.model import Shift

SHIFTS = Collection(
    "im",
    "desk_shifts",
    Shift,
    indexes=[index("shop_id", "at"), index("shop_id", "agent_id", "at")],
    shard_key=("shop_id",),
)


async def add(db: Database, row: Shift) -> None:
    await SHIFTS.insert(db, row)


async def between(db: Database, shop_id: str, since: Millis, until: Millis) -> list[Shift]:
    """In [since, until), in order."""
    query = {"shop_id": shop_id, "at": {"$gte": since, "$lt": until}}
    return await SHIFTS.many(db, query, sort=[("at", 1), ("_id", 1)])


async def last_before(db: Database, shop_id: str, agent_id: str, before: Millis, limit: int) -> list[Shift]:
    """The last rows of an agent before a moment, in order."""
    query = {"shop_id": shop_id, "agent_id": agent_id, "at": {"$lt": before}}
    rows = await SHIFTS.many(db, query, sort=[("at", -1), ("_id", -1)], limit=limit)
    return rows[::-1]
