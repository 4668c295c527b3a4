"""Collections and questions of quality: sheets in versions, drawings, checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Database, DuplicateKey, index
from octshop_rt.im.insight.model import Check, Draw, Sheet, Verdict

SHEETS = Collection(
    "im", "quality_sheets", Sheet, indexes=[index("shop_id", "version", unique=True)], shard_key=("shop_id",)
)  # fmt: skip
CHECKS = Collection(
    "im",
    "quality_checks",
    Check,
    indexes=[
        index("shop_id", "case_id", unique=True),
        index("shop_id", "-_id"),
        index("shop_id", "agent_id", "-_id"),
        index("shop_id", "scored_at"),
        index("draw_id"),
    ],
    shard_key=("shop_id",),
)
DRAWS = Collection("im", "quality_draws", Draw, indexes=[index("shop_id", "-at")], shard_key=("_id",))


async def sheet(db: Database, shop_id: str, version: int | None = None) -> Sheet | None:
    """That version, or the newest."""
    query: dict[str, Any] = {"shop_id": shop_id} | ({"version": version} if version is not None else {})
    return await SHEETS.one(db, query, sort=[("version", -1)])


async def add_sheet(db: Database, row: Sheet) -> None:
    """DuplicateKey if another was faster."""
    await SHEETS.insert(db, row)


async def draw(db: Database, draw_id: str) -> Draw | None:
    return await DRAWS.one(db, {"_id": draw_id})


async def add_draw(db: Database, row: Draw) -> None:
    """DuplicateKey if this request has drawn already."""
    await DRAWS.insert(db, row)


async def add_check(db: Database, row: Check) -> bool:
    """False if the case was drawn before."""
    try:
        await CHECKS.insert(db, row)
    except DuplicateKey:
        return False
    return True


async def drawn(db: Database, draw_id: str) -> list[Check]:
    return await CHECKS.many(db, {"draw_id": draw_id}, sort=[("_id", 1)])


async def checked_cases(db: Database, shop_id: str, case_ids: Sequence[str], draw_id: str) -> set[str]:
    """Which of these have been drawn by another drawing."""
    query = {"shop_id": shop_id, "case_id": {"$in": list(case_ids)}, "draw_id": {"$ne": draw_id}}
    rows = await CHECKS.many(db, query) if case_ids else []
    return {row.case_id for row in rows}


async def check(db: Database, shop_id: str, check_id: str) -> Check | None:
    return await CHECKS.one(db, {"_id": check_id, "shop_id": shop_id})


async def checks(
    db: Database, shop_id: str, agent_id: str | None, states: Sequence[Verdict], below: str | None, limit: int
) -> list[Check]:
    """Newest first."""
    query: dict[str, Any] = {"shop_id": shop_id}
    query |= {"agent_id": agent_id} if agent_id else {}
    query |= {"state": {"$in": list(states)}} if states else {}
    query |= {"_id": {"$lt": below}} if below else {}
    return await CHECKS.many(db, query, sort=[("_id", -1)], limit=limit)


async def averages(db: Database, shop_id: str, since: Millis, until: Millis) -> list[dict[str, Any]]:
    """By agent, of checks first scored in [since, until): how many, the sum of their scores, the lowest, appeals."""
    return await CHECKS.aggregate(
        db,
        [
            {"$match": {"shop_id": shop_id, "scored_at": {"$gte": since, "$lt": until}}},
            {
                "$group": {
                    "_id": "$agent_id",
                    "checks": {"$sum": 1},
                    "total": {"$sum": "$score"},
                    "lowest": {"$min": "$score"},
                    "appealed": {"$sum": {"$cond": [{"$gt": ["$appealed_at", 0]}, 1, 0]}},
                }
            },
            {"$sort": {"_id": 1}},
        ],
    )


async def move_check(
    db: Database,
    shop_id: str,
    check_id: str,
    sources: Sequence[Verdict],
    put: dict[str, Any],
    agent_id: str | None = None,
) -> Check | None:
    """None unless it is in one of `sources` (and that agent's, if named)."""
    query: dict[str, Any] = {"_id": check_id, "shop_id": shop_id, "state": {"$in": list(sources)}}
    query |= {"agent_id": agent_id} if agent_id else {}
    return await CHECKS.change(db, query, {"$set": put})
