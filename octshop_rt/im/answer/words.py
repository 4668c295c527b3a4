"""What automatic answers keep of buyers' words: what was answered, and the wordings that buyers taught."""

from __future__ import annotations

from octshop_rt.core.forgetting import Holder
from octshop_rt.im.answer import store

ANSWERED = Holder(
    "answers",
    store.GIVEN,
    old=lambda shop_id, before: {"shop_id": shop_id, "at": {"$lt": before}, "text": {"$gt": ""}},
    emptied={"$set": {"text": ""}},
    said=lambda _, c, s: {"c": c, "s": s},
)
# A wording is what somebody typed; what nobody has taught anew for as long as the shop keeps is known no more.
TAUGHT = Holder(
    "lessons",
    store.LESSONS,
    old=lambda shop_id, before: {"shop_id": shop_id, "at": {"$lt": before}},
    emptied=None,
    after=store.touch,
)
