"""Collections, indexes and questions of push. They lie beside the outbox: claim and events are one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Database, Place, index
from octshop_rt.im.push.model import Mark, Spell, Subscription
from octshop_rt.im.wire.fields import Side

SUBSCRIPTIONS = Collection(
    "care", "push_subscriptions", Subscription, indexes=[index("person_id", "side", "at")], shard_key=("_id",)
)
SPELLS = Collection(
    "care",
    "push_spells",
    Spell,
    indexes=[index("due_at", partial={"state": "waiting"})],
    shard_key=("_id",),
)
MARKS = Collection("care", "push_marks", Mark, shard_key=("_id",))


async def put(db: Database, row: Subscription) -> None:
    """One browser has one owner: whoever signs in there last."""
    fields = {name: value for name, value in structs.asdict(row).items() if name != "id"}
    await SUBSCRIPTIONS.update(db, {"_id": row.id}, {"$set": fields}, upsert=True)


async def subscription(db: Database, subscription_id: str) -> Subscription | None:
    return await SUBSCRIPTIONS.one(db, {"_id": subscription_id})


async def of_people(db: Database, person_ids: Sequence[str], side: Side) -> list[Subscription]:
    """Oldest first."""
    query = {"person_id": {"$in": list(person_ids)}, "side": side}
    return await SUBSCRIPTIONS.many(db, query, sort=[("at", 1)]) if person_ids else []


async def drop(db: Database, subscription_id: str, person_ids: Sequence[str] | None = None) -> int:
    """Forget it; with `person_ids`, only if it is theirs."""
    owned = {} if person_ids is None else {"person_id": {"$in": list(person_ids)}}
    return await SUBSCRIPTIONS.delete(db, {"_id": subscription_id, **owned})


async def spell(db: Database, spell_id: str) -> Spell | None:
    return await SPELLS.one(db, {"_id": spell_id})


async def spells(db: Database, ids: Sequence[str]) -> dict[str, Spell]:
    """By id."""
    found = await SPELLS.many(db, {"_id": {"$in": list(ids)}}) if ids else []
    return {one.id: one for one in found}


async def due(db: Database, now: Millis, limit: int) -> list[Spell]:
    """Waiting ones whose time has come."""
    query = {"state": "waiting", "due_at": {"$lte": now}}
    return await SPELLS.many(db, query, sort=[("due_at", 1)], limit=limit)


async def begin(db: Database, row: Spell) -> None:
    """DuplicateKey if another node has begun it."""
    await SPELLS.insert(db, row)


async def move(at: Place, seen: Spell, to: Spell) -> bool:
    """The only change of a spell: False if it is no longer as it was seen."""
    fields = {name: value for name, value in structs.asdict(to).items() if name != "id"}
    query = {"_id": seen.id, "rev": seen.rev, "state": seen.state}
    return await SPELLS.update(at, query, {"$set": fields}) == 1


async def take_turn(db: Database, now: Millis, every_ms: int) -> Mark | None:
    """The mark, if nobody has searched within `every_ms`."""
    await MARKS.update(db, {"_id": "log"}, {"$setOnInsert": {"until": now, "turn_at": 0}}, upsert=True)
    return await MARKS.change(db, {"_id": "log", "turn_at": {"$lte": now - every_ms}}, {"$set": {"turn_at": now}})


async def searched(db: Database, until: Millis) -> None:
    await MARKS.update(db, {"_id": "log"}, {"$max": {"until": until}})
