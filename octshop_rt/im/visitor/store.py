"""Rows of visitors: the current visit of each conversation, and the shops' widgets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Database, index
from octshop_rt.im.visitor.model import Visit, Widget

VISITS = Collection("im", "visits", Visit, indexes=[index("at")], shard_key=("_id",))
WIDGETS = Collection("im", "widgets", Widget, shard_key=("_id",))


async def visit(db: Database, c: str) -> Visit | None:
    """The current visit in that conversation."""
    return await VISITS.one(db, {"_id": c})


async def put_visit(db: Database, before: Visit | None, now: Visit) -> bool:
    """Replace what was read; False if another page of the visitor was faster. DuplicateKey for two first ones."""
    if before is None:
        await VISITS.insert(db, now)
        return True
    change = msgspec.to_builtins(now)
    change.pop("id")
    return bool(await VISITS.update(db, {"_id": now.id, "at": before.at}, {"$set": change}))


async def forget_before(db: Database, moment: Millis) -> int:
    """Delete visits that ended before `moment`; how many."""
    return await VISITS.delete(db, {"at": {"$lt": moment}})


def all_visits(db: Database) -> AsyncIterator[Visit]:
    """For fsck."""
    return VISITS.scan(db, {})


async def widget(db: Database, shop_id: str) -> Widget | None:
    """A shop's widget, if it has ever been set up."""
    return await WIDGETS.one(db, {"_id": shop_id})


async def set_widget(db: Database, row: Widget) -> None:
    """Where it may stand; the number of its key stays."""
    change = {"on": row.on, "sites": list(row.sites), "updated_at": row.updated_at}
    await WIDGETS.update(db, {"_id": row.id}, {"$set": change, "$setOnInsert": {"key_no": row.key_no}}, upsert=True)


async def next_key(db: Database, shop_id: str, at: Millis) -> Widget | None:
    """A new key; those before it open nothing any more."""
    fresh = {"on": False, "sites": list[str]()}
    return await WIDGETS.change(
        db,
        {"_id": shop_id},
        {"$inc": {"key_no": 1}, "$set": {"updated_at": at}, "$setOnInsert": fresh},
        upsert=True,
    )
