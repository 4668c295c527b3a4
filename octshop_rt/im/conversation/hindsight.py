"""What people have said since a moment, by conversation: how other domains find what they should have heard."""

from __future__ import annotations

from msgspec import Struct, structs

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
        found: dict[str, Spoken] = {}
        for row in rows:
            c, s, at = str(row["_id"]["c"]), int(row["s"]), int(row["at"])  # the driver's own integers stay here
            told = found.get(c) or Spoken(c=c)
            if row["_id"]["fr"] == "buyer":
                found[c] = structs.replace(told, buyer_s=s, buyer_at=at)
            else:
                found[c] = structs.replace(told, staff_s=s, staff_at=at, staff_id=str(row["f"]))
        return list(found.values())

    async def conversations(self, cs: list[str]) -> dict[str, Conversation]:
        """By id."""
        return {one.id: one for one in await store.conversations(self._db, cs)}
