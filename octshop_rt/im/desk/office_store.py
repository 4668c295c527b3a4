"""Collections and questions of what a desk is set up with (groups, settings) and of left messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Database, index
from octshop_rt.im.desk.model import Group, LeaveMessage
from octshop_rt.im.desk.settings import SettingsDocument

GROUPS = Collection("im", "desk_groups", Group, indexes=[index("shop_id")], shard_key=("shop_id",))
SETTINGS = Collection(
    "im",
    "desk_settings",
    SettingsDocument,
    indexes=[index("scope", "version", unique=True)],
    shard_key=("scope",),
)
MESSAGES = Collection(
    "im",
    "leave_messages",
    LeaveMessage,
    indexes=[
        index("buyer_id", "request_id", unique=True),
        index("buyer_id", "shop_id", "-_id"),
        index("shop_id", "state", "-_id"),
        index("created_at", partial={"owed": True}),
        index("shop_id", "created_at", partial={"text": {"$gt": ""}}),
    ],
    shard_key=("buyer_id",),
)


async def groups(db: Database, shop_id: str) -> list[Group]:
    return [one for one in await GROUPS.many(db, {"shop_id": shop_id}, sort=[("_id", 1)]) if not one.gone]


async def add_group(db: Database, row: Group) -> None:
    await GROUPS.insert(db, row)


async def change_group(db: Database, shop_id: str, group_id: str, put: dict[str, Any]) -> Group | None:
    return await GROUPS.change(db, {"_id": group_id, "shop_id": shop_id}, {"$set": put})


async def newest_settings(db: Database, scope: str) -> SettingsDocument | None:
    return await SETTINGS.one(db, {"scope": scope}, sort=[("version", -1)])


async def newest_of_all(db: Database, above: str, limit: int) -> list[SettingsDocument]:
    """The newest version of each scope above `above`, by scope: one step of the index each, however many versions."""
    newest = await SETTINGS.aggregate(
        db,
        [
            {"$match": {"scope": {"$gt": above}}},
            {"$sort": {"scope": 1, "version": -1}},
            {"$group": {"_id": "$scope", "row": {"$first": "$$ROOT"}}},
            {"$sort": {"_id": 1}},
            {"$limit": limit},
        ],
    )
    return [SETTINGS.of(one["row"]) for one in newest]


async def add_settings(db: Database, row: SettingsDocument) -> None:
    """DuplicateKey if another was faster."""
    await SETTINGS.insert(db, row)


async def message(db: Database, shop_id: str, message_id: str) -> LeaveMessage | None:
    return await MESSAGES.one(db, {"_id": message_id, "shop_id": shop_id})


async def message_by_request(db: Database, buyer_id: str, request_id: str) -> LeaveMessage | None:
    return await MESSAGES.one(db, {"buyer_id": buyer_id, "request_id": request_id})


async def add_message(db: Database, row: LeaveMessage) -> None:
    """DuplicateKey if this request has left it already."""
    await MESSAGES.insert(db, row)


async def owed_messages(db: Database, before: Millis, limit: int) -> list[LeaveMessage]:
    """Left before `before`, and not in the log."""
    query = {"owed": True, "created_at": {"$lt": before}}
    return await MESSAGES.many(db, query, sort=[("created_at", 1)], limit=limit)


async def message_told(db: Database, message_id: str) -> None:
    await MESSAGES.update(db, {"_id": message_id}, {"$set": {"owed": False}})


async def messages(
    db: Database, shop_id: str, states: Sequence[str], below: str | None, limit: int
) -> list[LeaveMessage]:
    """Newest first."""
    query = {"shop_id": shop_id, "state": {"$in": list(states)}} | ({"_id": {"$lt": below}} if below else {})
    return await MESSAGES.many(db, query, sort=[("_id", -1)], limit=limit)


async def messages_of_buyer(db: Database, buyer_ids: Sequence[str], shop_id: str, limit: int) -> list[LeaveMessage]:
    """What one person has left at a shop, newest first."""
    query = {"buyer_id": {"$in": list(buyer_ids)}, "shop_id": shop_id}
    return await MESSAGES.many(db, query, sort=[("_id", -1)], limit=limit)


async def move_message(
    db: Database, shop_id: str, message_id: str, sources: Sequence[str], put: dict[str, Any], *, by: str | None = None
) -> LeaveMessage | None:
    """None unless it is at this shop, in one of `sources` (and, with `by`, in that person's hands or nobody's)."""
    query: dict[str, Any] = {"_id": message_id, "shop_id": shop_id, "state": {"$in": list(sources)}}
    if by is not None:
        query["by"] = {"$in": [by, None]}
    return await MESSAGES.change(db, query, {"$set": put})
