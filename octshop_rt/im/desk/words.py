"""What the desk keeps of people's words: messages left, with where to reach who left them, and notes on transfers."""

from __future__ import annotations

from octshop_rt.core.forgetting import Holder
from octshop_rt.im.desk import office_store, store

LEFT = Holder(
    "left messages",
    office_store.MESSAGES,
    old=lambda shop_id, before: {"shop_id": shop_id, "created_at": {"$lt": before}, "text": {"$gt": ""}},
    emptied={"$set": {"text": "", "contact": "", "note": "", "said": ""}},
)
NOTED = Holder(
    "notes of cases",
    store.CASES,
    old=lambda shop_id, before: {"shop_id": shop_id, "ended_at": {"$lt": before}, "history.note": {"$gt": ""}},
    emptied={"$set": {"history.$[].note": None}},
)
