"""What the guard keeps of people's words: flags show what was said, and what somebody noted about it."""

from __future__ import annotations

from octshop_rt.core.forgetting import Holder
from octshop_rt.im.guard import store

FLAGGED = Holder(
    "flags",
    store.FLAGS,
    old=lambda shop_id, before: {
        "shop_id": shop_id,
        "at": {"$lt": before},
        "$or": [
            {"text": {"$gt": ""}},
            {"note": {"$gt": ""}},
            {"hits.0": {"$exists": True}},
            {"was.0": {"$exists": True}},
        ],
    },
    emptied={"$set": {"text": "", "hits": [], "note": "", "was": []}},
    said=lambda shop_id, c, s: {"shop_id": shop_id, "c": c, "s": s},
)
