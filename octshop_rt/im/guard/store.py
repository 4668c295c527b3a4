"""Rows of the guard: rule books, blocked buyers, flagged entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Database, Transaction, document, index
from octshop_rt.im.guard.model import Block, Flag, FlagState, FloodRules, RuleBook, SpamRules, Word
from octshop_rt.im.wire.fields import Side

BOOKS = Collection("im", "guard_books", RuleBook, shard_key=("_id",))
BLOCKS = Collection(
    "im",
    "guard_blocks",
    Block,
    indexes=[index("shop_id", "buyer_id", unique=True), index("shop_id", "-_id")],
    shard_key=("shop_id",),
)
_CHANGED = ("text", "hits", "ed", "was", "state", "by", "by_name", "note", "settled_at")  # of a flag, by an edit
FLAGS = Collection(
    "im",
    "guard_flags",
    Flag,
    indexes=[index("shop_id", "c", "s", unique=True), index("shop_id", "state", "-_id"), index("shop_id", "at")],
    shard_key=("shop_id",),
)


async def book(at: Database | Transaction, scope: str) -> RuleBook | None:
    return await BOOKS.one(at, {"_id": scope})


async def revisions(db: Database, scopes: Sequence[str]) -> Mapping[str, int]:
    """What is newest of each; scopes without rules of their own are left out."""
    found = await BOOKS.aggregate(db, [{"$match": {"_id": {"$in": list(scopes)}}}, {"$project": {"rev": 1}}])
    return {row["_id"]: row["rev"] for row in found}


async def add_book(at: Transaction, row: RuleBook) -> None:
    await BOOKS.insert(at, row)


async def set_words(at: Transaction, scope: str, words: Sequence[Word]) -> None:
    await BOOKS.update(at, {"_id": scope}, {"$set": {"words": msgspec.to_builtins(words)}, "$inc": {"rev": 1}})


async def set_spam(at: Transaction, scope: str, buyer: SpamRules, staff: SpamRules, flood: FloodRules) -> None:
    fresh = msgspec.to_builtins({"buyer": buyer, "staff": staff, "flood": flood})
    await BOOKS.update(at, {"_id": scope}, {"$set": fresh, "$inc": {"rev": 1}})


async def touch(at: Transaction, scope: str) -> None:
    """Something else of the scope has changed: nodes read it again."""
    await BOOKS.update(at, {"_id": scope}, {"$inc": {"rev": 1}})


# --- blocked buyers ---------------------------------------------------------------------------------------------------


async def blocked(db: Database, shop_id: str, now: Millis, limit: int) -> list[Block]:
    """Everyone the shop does not listen to now."""
    rows = await BLOCKS.many(db, {"shop_id": shop_id}, limit=limit)
    return [row for row in rows if row.until is None or row.until > now]


async def blocks_page(
    db: Database, shop_id: str, buyer_id: str | None, now: Millis, below: str | None, limit: int
) -> list[Block]:
    query: dict[str, object] = {"shop_id": shop_id}
    query |= ({"buyer_id": buyer_id} if buyer_id else {}) | ({"_id": {"$lt": below}} if below else {})
    lasting = {"$or": [{"until": None}, {"until": {"$gt": now}}]}
    return await BLOCKS.many(db, query | lasting, sort=[("_id", -1)], limit=limit)


async def block_of(db: Database, shop_id: str, buyer_id: str) -> Block | None:
    return await BLOCKS.one(db, {"shop_id": shop_id, "buyer_id": buyer_id})


async def count_blocks(at: Transaction, shop_id: str, limit: int) -> int:
    return await BLOCKS.count(at, {"shop_id": shop_id}, limit=limit)


async def drop_ended(at: Transaction, shop_id: str, now: Millis) -> int:
    """Those whose time is over: nobody asks for them again."""
    return await BLOCKS.delete(at, {"shop_id": shop_id, "until": {"$lte": now}})


async def add_block(at: Transaction, row: Block) -> None:
    """One row per buyer: blocking again puts the new one in place of the old."""
    await BLOCKS.delete(at, {"shop_id": row.shop_id, "buyer_id": row.buyer_id})
    await BLOCKS.insert(at, row)


async def drop_block(at: Transaction, shop_id: str, buyer_id: str) -> int:
    return await BLOCKS.delete(at, {"shop_id": shop_id, "buyer_id": buyer_id})


# --- the review list --------------------------------------------------------------------------------------------------


async def add_flag(db: Database, row: Flag) -> None:
    """DuplicateKey if the entry is on the list already."""
    await FLAGS.insert(db, row)


async def flag_of(db: Database, shop_id: str, c: str, s: int) -> Flag | None:
    return await FLAGS.one(db, {"shop_id": shop_id, "c": c, "s": s})


async def renew_flag(db: Database, seen: Flag, fresh: Flag) -> bool:
    """False if it is no longer as it was seen."""
    doc = document(fresh)
    query = {"_id": seen.id, "shop_id": seen.shop_id, "ed": _edit(seen.ed), "state": seen.state, "text": seen.text}
    return await FLAGS.update(db, query, {"$set": {name: doc[name] for name in _CHANGED}}) == 1


async def flags_page(
    db: Database, shop_id: str, state: FlagState, side: Side | None, below: str | None, limit: int
) -> list[Flag]:
    query: dict[str, object] = {"shop_id": shop_id, "state": state}
    query |= ({"side": side} if side else {}) | ({"_id": {"$lt": below}} if below else {})
    return await FLAGS.many(db, query, sort=[("_id", -1)], limit=limit)


async def count_open(db: Database, shop_id: str, limit: int) -> int:
    return await FLAGS.count(db, {"shop_id": shop_id, "state": "open"}, limit=limit)


async def settle(
    db: Database, shop_id: str, flag_id: str, state: FlagState, by: str, by_name: str, note: str, now: Millis,
    ed: Millis | None = None,
) -> Flag | None:  # fmt: skip
    """None if it is not there, or (with `ed`) was edited since."""
    fresh = {"state": state, "by": by, "by_name": by_name, "note": note, "settled_at": now}
    query: dict[str, object] = {"_id": flag_id, "shop_id": shop_id}
    query |= {} if ed is None else {"ed": _edit(ed)}
    return await FLAGS.change(db, query, {"$set": fresh})


async def flag(db: Database, shop_id: str, flag_id: str) -> Flag | None:
    return await FLAGS.one(db, {"_id": flag_id, "shop_id": shop_id})


def _edit(ed: Millis) -> dict[str, list[Millis | None]]:
    """Flags from before edits were judged have none."""
    return {"$in": [ed] if ed else [0, None]}
