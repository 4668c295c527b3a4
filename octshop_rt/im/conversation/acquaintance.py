"""Whether a buyer and a shop have ever spoken: what other wings may learn of a conversation."""

from __future__ import annotations

from collections.abc import Sequence

from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import rules, store


class Acquaintance:
    """Asked without a node."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def spoke(self, buyer_ids: Sequence[str]) -> set[str]:
        """Which of them have a conversation with anybody."""
        return await store.speakers(self._db, buyer_ids)

    async def talk(self, buyer_ids: Sequence[str], shop_id: str) -> str | None:
        """The conversation that goes on between a person of these ids and the shop."""
        found = rules.goes_on(await store.of_people(self._db, buyer_ids, [shop_id]))
        return None if found is None else found.id

    async def resume(self, c: str, at: Millis) -> None:
        """Of the several conversations of one person with a shop, this one goes on."""
        await store.resume(self._db, c, at)

    async def shop_of(self, c: str) -> str | None:
        """The shop's side of a conversation; None if there is no such conversation."""
        found = await store.conversation(self._db, c)
        return None if found is None else found.shop_id

    async def have_spoken(self, shop_id: str, buyer_id: str) -> bool:
        """Whether there is a conversation between the two."""
        return await store.between(self._db, buyer_id, shop_id) is not None
