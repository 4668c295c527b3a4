"""What people have said since a moment, by conversation: how other domains find what they should have heard."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.core.clock import Millis, TestClock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.model import Conversation


class Spoken(Struct, frozen=True, kw_only=True):
    """The newest words of each side of one conversation within a span of time: numbers and times, 0 for none."""

    c: str
    buyer_s: int = 0
    buyer_at: Millis = 0
    staff_s: int = 0
    staff_at: Millis = 0
    staff_id: str = ""


class Hindsight:
    """Reads the log without a node."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def spoken(self, since: Millis, until: Millis) -> list[Spoken]:
        """Per conversation what was written from `since` up to, not including, `until`; words to everyone alone."""
        first, last = (Ids(TestClock(moment)).new("E")[:11] for moment in (since, until))  # kind and time
        rows = await store.ENTRIES.aggregate(
            self._db,
            [
                {"$match": {"_id": {"$gte": first, "$lt": last}, "fr": {"$in": ["buyer", "staff"]}, "vis": None}},
                {"$sort": {"_id": 1}},
                {
                    "$group": {
                        "_id": {"c": "$c", "fr": "$fr"},
                        "s": {"$last": "$s"},
                        "at": {"$last": "$ts"},
                        "f": {"$last": "$f"},
                    }
                },
            ],
        )
        found: dict[str, dict[str, object]] = {}
        for row in rows:
            side = str(row["_id"]["fr"])
            told = found.setdefault(row["_id"]["c"], {})
            told |= {f"{side}_s": row["s"], f"{side}_at": row["at"]}
            if side == "staff":
                told["staff_id"] = row["f"]
        return [Spoken(c=c, **told) for c, told in found.items()]  # pyright: ignore[reportArgumentType]  (our own fields)

    async def conversations(self, cs: list[str]) -> dict[str, Conversation]:
        """By id."""
        return {one.id: one for one in await store.conversations(self._db, cs)}
