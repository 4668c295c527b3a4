"""The log as other domains of chat read it: by number, by id, by time. Whoever asks has been let in already."""

from __future__ import annotations

from collections.abc import Sequence

from octshop_rt.core.clock import SECOND, Millis, TestClock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.model import Conversation, Entry

# Nodes' clocks agree within five seconds, so neighbours in the order may be this far apart in time the wrong way.
SKEW_MS = 5 * SECOND
_PAGE = 500


def earliest_id(moment: Millis, kind: str = "E") -> str:
    """No id of that kind made at `moment` or later is below it."""
    return kind + Ids(TestClock(moment)).new("E")[1:11]


class Log:
    """Reads, nothing else."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def conversation(self, c: str) -> Conversation | None:
        return await store.conversation(self._db, c)

    async def conversations(self, cs: Sequence[str]) -> dict[str, Conversation]:
        """By id."""
        return {one.id: one for one in await store.conversations(self._db, cs)}

    async def between(self, buyer_id: str, shop_id: str) -> Conversation | None:
        return await store.between(self._db, buyer_id, shop_id)

    async def of_shop(self, shop_id: str, below: str | None, limit: int) -> list[Conversation]:
        """A shop's conversations, newest first."""
        return await store.of_shops(self._db, [shop_id], below, limit)

    async def by_ids(self, entry_ids: Sequence[str]) -> dict[str, Entry]:
        """By id; what is not there is left out."""
        return {one.id: one for one in await store.by_ids(self._db, entry_ids)} if entry_ids else {}

    async def after(self, entry_id: str, limit: int) -> list[Entry]:
        """Entries of all conversations in the order of their ids, which is that of writing."""
        return await store.after(self._db, entry_id, limit)

    async def page(self, c: str, first: int, last: int, limit: int, *, newest: bool = False) -> list[Entry]:
        """Entries first…last, ascending, at most `limit` from one end."""
        return await store.page(self._db, c, first, last, limit, newest=newest)

    async def head(self, c: str) -> int:
        """The highest number."""
        return await store.tail(self._db, c)

    async def read_marks(self, c: str) -> dict[str, int]:
        """How far each person has read."""
        return {one.u: one.read_seq for one in await store.memberships(self._db, [c])}

    async def spoken(self, c: str, after: Millis | None, until: Millis | None) -> list[Entry]:
        """Entries with after < ts ≤ until (None: no bound), in order. Found by halving, not by reading it all."""
        head = await store.tail(self._db, c)
        at = 1 if after is None else await self._first_from(c, max(0, after - SKEW_MS), head)
        found: list[Entry] = []
        while at <= head:
            page = await store.page(self._db, c, at, head, _PAGE, newest=False)
            if not page:
                break
            found += [one for one in page if (after is None or one.ts > after) and (until is None or one.ts <= until)]
            if until is not None and page[-1].ts > until + SKEW_MS:
                break
            at = page[-1].s + 1
        return found

    async def first_since(self, c: str, moment: Millis) -> int:
        """The number of the first entry of `moment` or later; one above the head when there is none."""
        return await self._first_from(c, moment, await store.tail(self._db, c))

    async def _first_from(self, c: str, moment: Millis, head: int) -> int:
        """The lowest number said at `moment` or later (give or take the skew of clocks)."""
        low, high = 1, head + 1
        while low < high:
            middle = (low + high) // 2
            found = await store.page(self._db, c, middle, high - 1, 1, newest=False)
            if found and found[0].ts < moment:
                low = found[0].s + 1
            else:
                high = middle
        return low
