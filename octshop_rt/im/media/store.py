"""Collections, indexes and questions of files and of what holds them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from octshop_rt.core.clock import Millis, TestClock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Collection, Database, DuplicateKey, index
from octshop_rt.im.media.model import LIFE, File, Hold, Place
from octshop_rt.im.wire.fields import Side

FILES = Collection(
    "files",
    "files",
    File,
    indexes=[
        index("owner_id", "request_id", unique=True),
        index("owner_id", "created_at", "size"),
        index("shop_id", "size"),
    ],
    shard_key=("owner_id",),
)
HOLDS = Collection(
    "files",
    "holds",
    Hold,
    indexes=[
        index("c", "f", "m", unique=True),
        index("file_id", "buyer_id"),
        index("file_id", "shop_id"),
    ],
    shard_key=("c",),
)


def born(moment: Millis) -> str:
    """How ids of files made at `moment` begin."""
    return Ids(TestClock(moment)).new("F")[:11]


async def file(db: Database, file_id: str) -> File | None:
    return await FILES.one(db, {"_id": file_id})


async def by_request(db: Database, owner_id: str, request_id: str) -> File | None:
    return await FILES.one(db, {"owner_id": owner_id, "request_id": request_id})


async def add(db: Database, row: File) -> None:
    """DuplicateKey when the same request has made one already."""
    await FILES.insert(db, row)


async def uploaded_since(db: Database, owner_id: str, moment: Millis) -> tuple[int, int]:
    """How many files and bytes a person has uploaded; from the index alone."""
    found = await FILES.aggregate(
        db,
        [
            {"$match": {"owner_id": owner_id, "created_at": {"$gte": moment}}},
            {"$group": {"_id": None, "count": {"$sum": 1}, "size": {"$sum": "$size"}}},
        ],
    )
    return (found[0]["count"], found[0]["size"]) if found else (0, 0)


async def kept_for(db: Database, shop_id: str) -> int:
    """Bytes of a shop's files; from the index alone."""
    found = await FILES.aggregate(
        db, [{"$match": {"shop_id": shop_id}}, {"$group": {"_id": None, "size": {"$sum": "$size"}}}]
    )
    return found[0]["size"] if found else 0


async def claim(db: Database, file_id: str, shop_id: str, now: Millis) -> File | None:
    """Say that something is about to hold the file, and whose space it takes; None when it is gone."""
    claimed = await FILES.change(db, {"_id": file_id, "state": "ready"}, {"$max": {"claimed_at": now}})
    if claimed is not None and claimed.shop_id is None:
        return await FILES.change(db, {"_id": file_id, "shop_id": None}, {"$set": {"shop_id": shop_id}}) or claimed
    return claimed


async def begin_poster(db: Database, file_id: str, now: Millis, began_until: Millis) -> bool:
    """One at a time may put a poster to a film that has none."""
    wanted = {"_id": file_id, "state": "ready", "thumb": 0, "poster_at": {"$not": {"$gt": began_until}}}
    return await FILES.update(db, wanted, {"$set": {"poster_at": now}}) == 1


async def end_poster(db: Database, file_id: str, size: int) -> File | None:
    """The poster's bytes are there; None when the film has gone meanwhile."""
    return await FILES.change(db, {"_id": file_id, "state": "ready"}, {"$set": {"thumb": size}})


async def retire(db: Database, file_id: str, claimed_until: Millis) -> bool:
    """From now on nobody may see or send it; False if something claimed it after `claimed_until` (or it is gone)."""
    wanted = {"_id": file_id, "state": {"$in": LIFE.sources("gone")}, "claimed_at": {"$lte": claimed_until}}
    return await FILES.update(db, wanted, {"$set": {"state": "gone", "name": ""}}) == 1


async def forget(db: Database, file_id: str) -> None:
    """Delete the row of a retired file."""
    await FILES.delete(db, {"_id": file_id, "state": "gone"})


# --- holds ------------------------------------------------------------------------------------------------------------


async def hold(db: Database, ids: Ids, file_id: str, place: Place, now: Millis) -> None:
    """An entry shows the file. Again for the same entry: nothing changes."""
    row = Hold(
        id=ids.new("Z"), file_id=file_id, c=place.c, f=place.f, m=place.m, buyer_id=place.buyer_id,
        shop_id=place.shop_id, at=now,
    )  # fmt: skip
    try:
        await HOLDS.insert(db, row)
    except DuplicateKey:  # the same message sent again; if it is another one, the log refuses it
        return


async def held_by(db: Database, c: str, f: str, m: str) -> Hold | None:
    return await HOLDS.one(db, {"c": c, "f": f, "m": m})


async def let_go(db: Database, row: Hold) -> None:
    await HOLDS.delete(db, {"_id": row.id})


async def is_held(db: Database, file_id: str) -> bool:
    return await HOLDS.one(db, {"file_id": file_id}) is not None


async def shown_to(db: Database, file_id: str, side: Side, whose: Sequence[str]) -> bool:
    """Whether an entry of a conversation of that buyer (under any of his ids), or of that shop, shows the file."""
    field = "buyer_id" if side == "buyer" else "shop_id"
    return await HOLDS.one(db, {"file_id": file_id, field: {"$in": list(whose)}}) is not None


async def holds_of(db: Database, file_id: str) -> AsyncIterator[Hold]:
    async for row in HOLDS.scan(db, {"file_id": file_id}):
        yield row
