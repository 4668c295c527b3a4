"""Every place besides the log where words of people lie. Who keeps words in a new place adds a line here."""

from __future__ import annotations

from octshop_rt.core.forgetting import Holder
from octshop_rt.core.mongo import Database
from octshop_rt.im.answer.words import ANSWERED, TAUGHT
from octshop_rt.im.conversation.model import Conversation, Entry
from octshop_rt.im.desk.words import LEFT, NOTED
from octshop_rt.im.guard.words import FLAGGED
from octshop_rt.im.insight import quality_store, store

RATED = Holder(
    "ratings",
    store.RATINGS,
    old=lambda shop_id, before: {
        "shop_id": shop_id,
        "at": {"$lt": before},
        "changed_at": {"$lt": before},
        "$or": [{"text": {"$gt": ""}}, {"tags.0": {"$exists": True}}],
    },
    emptied={"$set": {"text": "", "tags": []}},
)
SUMMED_UP = Holder(
    "summaries",
    store.SUMMARIES,
    old=lambda shop_id, before: {"shop_id": shop_id, "at": {"$lt": before}, "text": {"$gt": ""}},
    emptied={"$set": {"text": ""}},
)
CHECKED = Holder(
    "quality checks",
    quality_store.CHECKS,
    old=lambda shop_id, before: {
        "shop_id": shop_id,
        "scored_at": {"$lt": before},
        "$or": [{"text": {"$gt": ""}}, {"appeal": {"$gt": ""}}],
    },
    emptied={"$set": {"text": "", "appeal": ""}},
)

HOLDERS: tuple[Holder, ...] = (FLAGGED, ANSWERED, TAUGHT, LEFT, NOTED, RATED, SUMMED_UP, CHECKED)


class Forgetting:
    """Takes recalled words out of every copy, for Changes.on_recalled."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def recalled(self, conversation: Conversation, entry: Entry) -> None:
        """The entry was taken back."""
        for holder in HOLDERS:
            await holder.recalled(self._db, conversation.shop_id, entry.c, entry.s)
