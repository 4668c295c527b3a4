"""Whether a buyer and a shop have ever spoken: what other wings may learn of a conversation."""

from __future__ import annotations

from collections.abc import Sequence

from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store


class Acquaintance:
    """One question, asked without a node."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def spoke(self, buyer_ids: Sequence[str]) -> set[str]:
        """Which of them have a conversation with anybody."""
        return await store.speakers(self._db, buyer_ids)

    async def have_spoken(self, shop_id: str, buyer_id: str) -> bool:
        """Whether there is a conversation between the two."""
        return await store.between(self._db, buyer_id, shop_id) is not None
