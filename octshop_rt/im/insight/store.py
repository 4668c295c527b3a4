"""Collections, indexes and questions of insight."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Database, DuplicateKey, document, index
from octshop_rt.im.insight.model import (
    Found,
    Hold,
    Indexed,
    Keeping,
    Kept,
    Label,
    LabelUse,
    Looked,
    Marked,
    Memo,
    Rating,
    Summary,
    Trace,
)

RATINGS = Collection(
    "im",
    "case_ratings",
    Rating,
    indexes=[index("shop_id", "-at"), index("shop_id", "agent_id", "-at")],
    shard_key=("_id",),
)
LABELS = Collection(
    "im", "chat_labels", Label, indexes=[index("shop_id", "use", "key", unique=True)], shard_key=("shop_id",)
)  # fmt: skip
MARKED = Collection("im", "chat_marked", Marked, indexes=[index("shop_id", "labels", "-at")], shard_key=("_id",))
SUMMARIES = Collection("im", "case_summaries", Summary, indexes=[index("shop_id", "-at")], shard_key=("_id",))
MEMOS = Collection("im", "buyer_memos", Memo, indexes=[], shard_key=("_id",))
FOUND = Collection(
    "im",
    "search_rows",
    Found,
    indexes=[
        index("shop_id", "tokens", "-_id"),
        index("shop_id", "f", "-_id"),
        index("c", "-_id"),
        index("c", "k", "-_id"),
    ],
    shard_key=("shop_id",),
)
INDEXED = Collection("im", "search_marks", Indexed, shard_key=("_id",))
LOOKED = Collection("im", "slow_marks", Looked, shard_key=("_id",))
HOLDS = Collection("im", "dispute_holds", Hold, indexes=[index("shop_id", "-at")], shard_key=("_id",))
KEEPING = Collection("im", "chat_keeping", Keeping, indexes=[], shard_key=("_id",))
KEPT = Collection("im", "case_facts", Kept, indexes=[index("c")], shard_key=("_id",))
TRACES = Collection("im", "chat_traces", Trace, indexes=[index("shop_id", "-_id")], shard_key=("shop_id",))


# --- ratings and summaries --------------------------------------------------------------------------------------------


async def rating(db: Database, case_id: str) -> Rating | None:
    return await RATINGS.one(db, {"_id": case_id})


async def add_rating(db: Database, row: Rating) -> None:
    """DuplicateKey if the case is rated."""
    await RATINGS.insert(db, row)


async def change_rating(db: Database, case_id: str, now: Millis, put: dict[str, Any]) -> Rating | None:
    """None when it may not be changed any more."""
    return await RATINGS.change(db, {"_id": case_id, "until": {"$gt": now}}, {"$set": put})


async def ratings(db: Database, case_ids: Sequence[str]) -> dict[str, Rating]:
    """By case."""
    return {one.id: one for one in await RATINGS.many(db, {"_id": {"$in": list(case_ids)}})} if case_ids else {}


async def ratings_of(
    db: Database,
    shop_id: str,
    agent_id: str | None,
    stars: int | None,
    since: Millis | None,
    below: Millis | None,
    limit: int,
) -> list[Rating]:
    """A shop's, newest first."""
    query: dict[str, Any] = {"shop_id": shop_id}
    query |= {"agent_id": agent_id} if agent_id else {}
    query |= {"stars": stars} if stars else {}
    span = ({"$gte": since} if since else {}) | ({"$lt": below} if below else {})
    query |= {"at": span} if span else {}
    return await RATINGS.many(db, query, sort=[("at", -1)], limit=limit)


async def summary(db: Database, case_id: str) -> Summary | None:
    return await SUMMARIES.one(db, {"_id": case_id})


async def put_summary(db: Database, row: Summary) -> None:
    await _put(SUMMARIES, db, row)


async def summaries(db: Database, case_ids: Sequence[str]) -> dict[str, Summary]:
    """By case."""
    return {one.id: one for one in await SUMMARIES.many(db, {"_id": {"$in": list(case_ids)}})} if case_ids else {}


# --- labels and memos -------------------------------------------------------------------------------------------------


async def labels(db: Database, shop_id: str) -> list[Label]:
    """All of a shop, gone ones too, oldest first."""
    return await LABELS.many(db, {"shop_id": shop_id}, sort=[("_id", 1)])


async def add_label(db: Database, row: Label) -> None:
    """DuplicateKey if the name is taken."""
    await LABELS.insert(db, row)


async def change_label(db: Database, shop_id: str, label_id: str, put: dict[str, Any]) -> Label | None:
    """DuplicateKey if the name is taken; None if there is no such label."""
    return await LABELS.change(db, {"_id": label_id, "shop_id": shop_id, "gone": False}, {"$set": put})


async def mark(db: Database, row: Marked) -> None:
    await _put(MARKED, db, row)


async def marked(db: Database, ids: Sequence[str]) -> dict[str, Marked]:
    """By id."""
    return {one.id: one for one in await MARKED.many(db, {"_id": {"$in": list(ids)}})} if ids else {}


async def carrying(db: Database, shop_id: str, label_id: str, use: LabelUse | None, limit: int) -> list[Marked]:
    """What carries a label, the newest first."""
    query = {"shop_id": shop_id, "labels": label_id} | ({"use": use} if use else {})
    return await MARKED.many(db, query, sort=[("at", -1)], limit=limit)


async def memo(db: Database, memo_id: str) -> Memo | None:
    return await MEMOS.one(db, {"_id": memo_id})


async def put_memo(db: Database, row: Memo) -> None:
    await _put(MEMOS, db, row)


# --- search -----------------------------------------------------------------------------------------------------------


async def add_found(db: Database, rows: Sequence[Found]) -> None:
    """Add what is not there yet. One write, and one more for each row that another has added meanwhile."""
    rest = list(rows)
    while rest:
        try:
            await FOUND.insert_many(db, rest)
        except DuplicateKey as clash:
            rest = rest[clash.position + 1 :]
        else:
            return


async def found(db: Database, entry_ids: Sequence[str]) -> list[Found]:
    """Rows of these entries, where they are in the index."""
    return await FOUND.many(db, {"_id": {"$in": list(entry_ids)}}) if entry_ids else []


async def put_found(db: Database, row: Found) -> None:
    """As it reads now: an edited text."""
    await _put(FOUND, db, row)


async def drop_found(db: Database, entry_ids: Sequence[str]) -> int:
    return await FOUND.delete(db, {"_id": {"$in": list(entry_ids)}}) if entry_ids else 0


async def search(db: Database, query: dict[str, Any], limit: int) -> list[Found]:
    """Newest first. `query` names the shop or the conversations first."""
    return await FOUND.many(db, query, sort=[("_id", -1)], limit=limit)


async def notes(db: Database, c: str, below: str | None, limit: int) -> list[Found]:
    """The notes of a conversation, newest first."""
    query = {"c": c, "k": "note"} | ({"_id": {"$lt": below}} if below else {})
    return await FOUND.many(db, query, sort=[("_id", -1)], limit=limit)


async def indexed(db: Database) -> Indexed | None:
    return await INDEXED.one(db, {"_id": "log"})


async def take_turn(db: Database, owner: str, now: Millis, until: Millis) -> Indexed | None:
    """The mark, if it is nobody else's turn: then it is ours until `until`."""
    with contextlib.suppress(DuplicateKey):  # another node is as new
        await INDEXED.update(db, {"_id": "log"}, {"$setOnInsert": {"upto": "", "owner": "", "until": 0}}, upsert=True)
    free = {"_id": "log", "$or": [{"until": {"$lte": now}}, {"owner": owner}]}
    return await INDEXED.change(db, free, {"$set": {"owner": owner, "until": until}})


async def advance(db: Database, owner: str, upto: str) -> bool:
    """Move the mark forward while it is our turn."""
    return (
        await INDEXED.update(db, {"_id": "log", "owner": owner, "upto": {"$lt": upto}}, {"$set": {"upto": upto}}) == 1
    )


async def take_slow_turn(db: Database, owner: str, now: Millis, until: Millis) -> Looked | None:
    """As `take_turn`, for the reminders."""
    with contextlib.suppress(DuplicateKey):  # another node is as new
        await LOOKED.update(db, {"_id": "slow"}, {"$setOnInsert": {"at": 0, "owner": "", "until": 0}}, upsert=True)
    free = {"_id": "slow", "$or": [{"until": {"$lte": now}}, {"owner": owner}]}
    return await LOOKED.change(db, free, {"$set": {"owner": owner, "until": until}})


async def looked(db: Database, owner: str, at: Millis) -> None:
    await LOOKED.update(db, {"_id": "slow", "owner": owner}, {"$max": {"at": at}})


# --- disputes and retention -------------------------------------------------------------------------------------------


async def hold(db: Database, c: str) -> Hold | None:
    return await HOLDS.one(db, {"_id": c, "lifted_at": None})


async def put_hold(db: Database, row: Hold) -> None:
    """DuplicateKey if it is held already."""
    await HOLDS.update(db, {"_id": row.id, "lifted_at": {"$ne": None}}, {"$set": _fields(row)}, upsert=True)


async def lift(db: Database, c: str, put: dict[str, Any]) -> Hold | None:
    return await HOLDS.change(db, {"_id": c, "lifted_at": None}, {"$set": put})


async def holds(db: Database, shop_id: str, limit: int) -> list[Hold]:
    return await HOLDS.many(db, {"shop_id": shop_id}, sort=[("at", -1)], limit=limit)


async def held(db: Database, cs: Sequence[str]) -> set[str]:
    """Which of these conversations are in dispute."""
    rows = await HOLDS.many(db, {"_id": {"$in": list(cs)}, "lifted_at": None}) if cs else []
    return {row.id for row in rows}


async def held_of(db: Database, shop_id: str, lifted_since: Millis | None = None) -> list[str]:
    """A shop's conversations in dispute; with `lifted_since`, those of which the dispute ended after that too."""
    rows = [
        *await HOLDS.many(db, {"shop_id": shop_id, "lifted_at": None}),
        *(await HOLDS.many(db, {"shop_id": shop_id, "lifted_at": {"$gt": lifted_since}}) if lifted_since else []),
    ]
    return [row.id for row in rows]


async def keeping(db: Database, shop_id: str) -> Keeping | None:
    return await KEEPING.one(db, {"_id": shop_id})


async def put_keeping(db: Database, row: Keeping) -> None:
    put = {name: value for name, value in _fields(row).items() if name != "wiped_until"}
    change = {"$set": put, "$setOnInsert": {"wiped_until": 0}}
    try:
        await KEEPING.update(db, {"_id": row.id}, change, upsert=True)
    except DuplicateKey:  # another manager at the same moment: the last word counts
        await KEEPING.update(db, {"_id": row.id}, change)


async def all_keeping(db: Database) -> list[Keeping]:
    """Shops that keep for a while only, and when."""
    return [row async for row in KEEPING.scan(db, {}) if row.days]


async def wiped(db: Database, shop_id: str, until: Millis) -> None:
    await KEEPING.update(db, {"_id": shop_id}, {"$max": {"wiped_until": until}})


async def trace(db: Database, row: Trace) -> None:
    await TRACES.insert(db, row)


async def traces(db: Database, shop_id: str, below: str | None, limit: int) -> list[Trace]:
    query = {"shop_id": shop_id} | ({"_id": {"$lt": below}} if below else {})
    return await TRACES.many(db, query, sort=[("_id", -1)], limit=limit)


# --- facts of ended cases ---------------------------------------------------------------------------------------------


async def kept(db: Database, case_ids: Sequence[str]) -> dict[str, Kept]:
    """By case."""
    return {one.id: one for one in await KEPT.many(db, {"_id": {"$in": list(case_ids)}})} if case_ids else {}


async def keep(db: Database, rows: Sequence[Kept]) -> None:
    """Facts of an ended case never change: the first to compute them writes them."""
    rest = list(rows)
    while rest:
        try:
            await KEPT.insert_many(db, rest)
        except DuplicateKey as clash:
            rest = rest[clash.position + 1 :]
        else:
            return


async def _put(collection: Collection[Any], db: Database, row: Any) -> None:
    """Write the row over whatever is there. Two at once: the last word counts."""
    try:
        await collection.update(db, {"_id": row.id}, {"$set": _fields(row)}, upsert=True)
    except DuplicateKey:
        await collection.update(db, {"_id": row.id}, {"$set": _fields(row)})


def _fields(row: Any) -> dict[str, Any]:
    doc = document(row)
    del doc["_id"]
    return doc
