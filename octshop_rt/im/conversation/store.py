"""Collections, indexes and questions of conversations, in MongoDB's own language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from octshop_rt.core.clock import Millis, TestClock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Collection, Database, index
from octshop_rt.im.conversation.model import Author, Conversation, Entry, Log, Membership, Range
from octshop_rt.im.wire.fields import Role

CONVERSATIONS = Collection(
    "im",
    "conversations",
    Conversation,
    indexes=[index("buyer_id", "shop_id", unique=True), index("shop_id", "-_id")],
    shard_key=("buyer_id",),
)
ENTRIES = Collection(
    "im",
    "entries",
    Entry,
    indexes=[index("c", "s", unique=True), index("c", "f", "m", unique=True)],
    shard_key=("c",),
)
MEMBERSHIPS = Collection(
    "im",
    "memberships",
    Membership,
    indexes=[index("c", "u", unique=True)],
    shard_key=("c",),
)


async def conversation(db: Database, c: str) -> Conversation | None:
    return await CONVERSATIONS.one(db, {"_id": c})


async def conversations(db: Database, cs: Sequence[str]) -> list[Conversation]:
    return await CONVERSATIONS.many(db, {"_id": {"$in": list(cs)}}) if cs else []


async def between(db: Database, buyer_id: str, shop_id: str) -> Conversation | None:
    return await CONVERSATIONS.one(db, {"buyer_id": buyer_id, "shop_id": shop_id})


async def resume(db: Database, c: str, at: Millis) -> None:
    """This is the one that goes on."""
    await CONVERSATIONS.update(db, {"_id": c}, {"$set": {"resumed_at": at}})


async def of_people(db: Database, buyer_ids: Sequence[str], shop_ids: Sequence[str]) -> list[Conversation]:
    """All between these persons and these shops."""
    query = {"buyer_id": {"$in": list(buyer_ids)}, "shop_id": {"$in": list(shop_ids)}}
    return await CONVERSATIONS.many(db, query) if buyer_ids else []


async def speakers(db: Database, buyer_ids: Sequence[str]) -> set[str]:
    """Which of them have opened a conversation."""
    return {row.buyer_id for row in await CONVERSATIONS.many(db, {"buyer_id": {"$in": list(buyer_ids)}})}


async def add_conversation(db: Database, row: Conversation) -> None:
    """DuplicateKey if the two already have one."""
    await CONVERSATIONS.insert(db, row)


async def of_buyer(db: Database, buyer_ids: Sequence[str], below: str | None, limit: int) -> list[Conversation]:
    """By birth, newest first: an order that does not move while someone turns pages."""
    query: dict[str, object] = {"buyer_id": buyer_ids[0] if len(buyer_ids) == 1 else {"$in": list(buyer_ids)}}
    if below:
        query["_id"] = {"$lt": below}
    return await CONVERSATIONS.many(db, query, sort=[("_id", -1)], limit=limit)


async def of_shops(db: Database, shop_ids: Sequence[str], below: str | None, limit: int) -> list[Conversation]:
    """See of_buyer."""
    query = {"shop_id": {"$in": list(shop_ids)}} | ({"_id": {"$lt": below}} if below else {})
    return await CONVERSATIONS.many(db, query, sort=[("_id", -1)], limit=limit)


# --- the log ----------------------------------------------------------------------------------------------------------


async def append(db: Database, rows: Sequence[Entry]) -> None:
    """One durable, ordered write over any number of conversations. DuplicateKey tells the first refused position;
    everything before it is stored, nothing after it is.
    """
    await ENTRIES.insert_many(db, rows)


async def tail(db: Database, c: str) -> int:
    """The highest number a majority holds, 0 for an empty log."""
    newest = await ENTRIES.one(db, {"c": c}, sort=[("s", -1)])
    return 0 if newest is None else newest.s


async def heads(db: Database, cs: Sequence[str]) -> dict[str, int]:
    """Highest number of each; conversations without entries are left out. A skip scan: one seek per conversation."""
    if not cs:
        return {}
    found = await ENTRIES.aggregate(
        db,
        [
            {"$match": {"c": {"$in": list(cs)}}},
            {"$sort": {"c": -1, "s": -1}},
            {"$group": {"_id": "$c", "s": {"$first": "$s"}}},
        ],
    )
    return {row["_id"]: row["s"] for row in found}


async def by_client_id(db: Database, c: str, f: str, m: str) -> Entry | None:
    return await ENTRIES.one(db, {"c": c, "f": f, "m": m})


async def by_client_ids(db: Database, keys: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str, str], Entry]:
    """Those of the (conversation, sender, client id) that are stored; one seek each, in one question."""
    found = await ENTRIES.many(db, {"$or": [{"c": c, "f": f, "m": m} for c, f, m in keys]})
    return {(entry.c, entry.f, entry.m): entry for entry in found}


async def entry(db: Database, c: str, s: int) -> Entry | None:
    return await ENTRIES.one(db, {"c": c, "s": s})


async def empty(db: Database, c: str, s: int, now: Millis) -> Entry | None:
    """Take all content out of an entry, once; what stands afterwards, None if it was empty before."""
    return await ENTRIES.change(db, {"c": c, "s": s, "rc": None}, {"$set": {"b": {}, "rc": now}})


async def rewrite(db: Database, seen: Entry, text: str, now: Millis) -> Entry | None:
    """Put another text in the place of what was `seen`; None if it has changed meanwhile."""
    wanted = {"c": seen.c, "s": seen.s, "rc": None, "ed": seen.ed}
    return await ENTRIES.change(db, wanted, {"$set": {"b": {"text": text}, "ed": now}})


async def page(db: Database, c: str, first: int, last: int, limit: int, *, newest: bool) -> list[Entry]:
    """Entries first…last, at most `limit`, from the new or the old end; always ascending."""
    rows = await ENTRIES.many(
        db, {"c": c, "s": {"$gte": first, "$lte": last}}, sort=[("s", -1 if newest else 1)], limit=limit
    )
    return rows[::-1] if newest else rows


async def pages(db: Database, ranges: Mapping[str, tuple[int, int]]) -> dict[str, list[Entry]]:
    """Entries of several conversations, first…last of each, ascending, in one question; holes are as they are."""
    ways = [{"c": c, "s": {"$gte": first, "$lte": last}} for c, (first, last) in ranges.items()]
    found: dict[str, list[Entry]] = {c: [] for c in ranges}
    for row in await ENTRIES.many(db, {"$or": ways}) if ways else []:
        found[row.c].append(row)
    return {c: sorted(rows, key=lambda row: row.s) for c, rows in found.items()}


async def by_ids(db: Database, entry_ids: Sequence[str]) -> list[Entry]:
    return await ENTRIES.many(db, {"_id": {"$in": list(entry_ids)}})


async def after(db: Database, entry_id: str, limit: int) -> list[Entry]:
    """Of all conversations, in the order of their ids."""
    return await ENTRIES.many(db, {"_id": {"$gt": entry_id}}, sort=[("_id", 1)], limit=limit)


async def unwiped(db: Database, c: str, before: Millis, limit: int) -> list[Entry]:
    """Entries from before that moment that still say something, oldest first."""
    query = {"c": c, "ts": {"$lt": before}, "k": {"$ne": "void"}}
    return await ENTRIES.many(db, query, sort=[("s", 1)], limit=limit)


async def wipe(db: Database, c: str, numbers: Sequence[int]) -> int:
    """Make entries void; see Wiper."""
    empty: dict[str, Any] = {
        "k": "void",
        "b": {},
        "h": "",
        "fr": "system",
        "re": None,
        "vis": None,
        "ed": None,
        "rc": None,
    }
    query = {"c": c, "s": {"$in": list(numbers)}, "k": {"$ne": "void"}}
    return await ENTRIES.update_many(db, query, {"$set": empty})


async def said_after(db: Database, since: Mapping[str, int], roles: Sequence[Role]) -> dict[str, int]:
    """How many entries of `roles`, meant for everyone, come after each {conversation: number}; none is left out."""
    if not since:
        return {}
    ways = [{"c": c, "s": {"$gt": s}, "fr": {"$in": list(roles)}, "vis": None, "rc": None} for c, s in since.items()]
    found = await ENTRIES.aggregate(db, [{"$match": {"$or": ways}}, {"$group": {"_id": "$c", "n": {"$sum": 1}}}])
    return dict.fromkeys(since, 0) | {row["_id"]: int(row["n"]) for row in found}


async def written_since(db: Database, moment: Millis) -> list[Range]:
    """Per conversation the lowest and highest number written since `moment`, by the time in their ids."""
    lowest = Ids(TestClock(moment)).new("E")[:11]  # kind and time; chance follows
    found = await ENTRIES.aggregate(
        db,
        [
            {"$match": {"_id": {"$gte": lowest}}},
            {"$group": {"_id": "$c", "first": {"$min": "$s"}, "last": {"$max": "$s"}}},
        ],
    )
    return [Range(c=row["_id"], first=row["first"], last=row["last"]) for row in found]


async def logs(db: Database) -> list[Log]:
    """What each conversation's log amounts to; for fsck."""
    found = await ENTRIES.aggregate(
        db,
        [
            {"$group": {"_id": "$c", "count": {"$sum": 1}, "first": {"$min": "$s"}, "last": {"$max": "$s"}}},
            {"$sort": {"_id": 1}},
        ],
    )
    return [Log(c=row["_id"], count=row["count"], first=row["first"], last=row["last"]) for row in found]


async def authors(db: Database) -> list[Author]:
    """Who has said something where, on which side, by conversation; for fsck."""
    found = await ENTRIES.aggregate(
        db,
        [
            {"$group": {"_id": {"c": "$c", "f": "$f", "fr": "$fr"}}},
            {"$sort": {"_id": 1}},
        ],
    )
    return [Author(c=row["_id"]["c"], f=row["_id"]["f"], fr=row["_id"]["fr"]) for row in found]


# --- memberships ------------------------------------------------------------------------------------------------------


async def join(db: Database, row: Membership) -> None:
    """Make the membership if there is none. DuplicateKey when two do it at once: it is there then."""
    fresh = {"_id": row.id, "role": row.role, "read_seq": row.read_seq, "at": row.at}
    await MEMBERSHIPS.update(db, {"c": row.c, "u": row.u}, {"$setOnInsert": fresh}, upsert=True)


async def mark_read(db: Database, c: str, u: str, s: int) -> int:
    """Move the mark forward, never back; 1 if it moved."""
    return await MEMBERSHIPS.update(db, {"c": c, "u": u, "read_seq": {"$lt": s}}, {"$set": {"read_seq": s}})


async def memberships(db: Database, cs: Sequence[str]) -> list[Membership]:
    return await MEMBERSHIPS.many(db, {"c": {"$in": list(cs)}})
