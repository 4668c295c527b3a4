"""Where words of people lie besides the log: how they are found when they are old, or taken back, and how they go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Database

Doc = Mapping[str, Any]
BATCH = 500


class Holder:
    """One kind of rows with words in them.

    `old(shop_id, before)` is the query of rows that hold words from before that moment, and of those alone: a row that
    was emptied is not found again. `emptied` is the change that takes the words and leaves figures and counts; None:
    the row is nothing but words and goes whole. `said(c, s)` finds what was copied from one entry. `after` is told the
    shop whose rows have changed.
    """

    def __init__(
        self,
        name: str,
        rows: Collection[Any],
        *,
        old: Callable[[str, Millis], Doc],
        emptied: Doc | None,
        said: Callable[[str, str, int], Doc] | None = None,
        after: Callable[[Database, str], Awaitable[None]] | None = None,
    ) -> None:
        self.name = name
        self._rows = rows
        self._old = old
        self._emptied = emptied
        self._said = said
        self._after = after

    async def found(
        self, db: Database, shop_id: str, before: Millis, spared: Sequence[str], limit: int = BATCH
    ) -> list[str]:
        """Ids of rows that still hold old words, but for those of the `spared` conversations."""
        query = {**self._old(shop_id, before)} | ({"c": {"$nin": list(spared)}} if spared else {})
        rows = await self._rows.aggregate(
            db, [{"$match": query}, {"$limit": limit}, {"$project": {"_id": 1}}]
        )  # fmt: skip
        return [str(row["_id"]) for row in rows]

    async def wipe(self, db: Database, shop_id: str, before: Millis, ids: Sequence[str]) -> int:
        """Take the words of these rows, if they are still old; how many rows."""
        return await self._empty(db, shop_id, {**self._old(shop_id, before), "_id": {"$in": list(ids)}})

    async def recalled(self, db: Database, shop_id: str, c: str, s: int) -> None:
        """One entry was taken back: its copies go at once."""
        if self._said is not None:
            await self._empty(db, shop_id, self._said(shop_id, c, s))

    async def _empty(self, db: Database, shop_id: str, query: Doc) -> int:
        if self._emptied is None:
            count = await self._rows.delete(db, query)
        else:
            count = await self._rows.update_many(db, query, self._emptied)
        if count and self._after is not None:
            await self._after(db, shop_id)
        return count
