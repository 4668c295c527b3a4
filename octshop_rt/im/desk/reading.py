"""Cases, agents and groups as the floors above the desk read them. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.reading import earliest_id
from octshop_rt.im.desk import office_store, shift_store, store
from octshop_rt.im.desk.model import OPEN, Agent, Case, Group, Shift

# How a person came into a span is told by the last line of the record before it; what a manager chose for somebody who
# is not there tells less, and that does not happen so often in a row.
_LINES_BEFORE = 20


class CaseBook:
    """Questions to the desk's rows."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def one(self, case_id: str) -> Case | None:
        return await store.case(self._db, case_id)

    async def of_conversation(self, c: str, limit: int) -> list[Case]:
        """Newest first."""
        return await store.CASES.many(self._db, {"c": c}, sort=[("_id", -1)], limit=limit)

    async def before(self, case: Case) -> Case | None:
        """The case of the same conversation before this one."""
        return await store.CASES.one(self._db, {"c": case.c, "_id": {"$lt": case.id}}, sort=[("_id", -1)])

    async def open_at(self, shop_id: str) -> list[Case]:
        """Everything that goes on at a shop now."""
        return await store.CASES.many(self._db, {"shop_id": shop_id, "state": {"$in": list(OPEN)}})

    async def alive_between(self, shop_id: str, since: Millis, until: Millis) -> AsyncIterator[Case]:
        """Cases that were open at some moment of [since, until)."""
        born: dict[str, Any] = {"_id": {"$lt": earliest_id(until, "Z")}}
        still = {"shop_id": shop_id, "state": {"$in": list(OPEN)}, **born}
        async for case in store.CASES.scan(self._db, still):
            yield case
        over = {"shop_id": shop_id, "ended_at": {"$gte": since}, **born}
        async for case in store.CASES.scan(self._db, over):
            yield case

    async def ended_between(self, shop_id: str, since: Millis, until: Millis, limit: int) -> list[Case]:
        """Cases that ended in [since, until), at most `limit`."""
        query = {"shop_id": shop_id, "ended_at": {"$gte": since, "$lt": until}}
        return await store.CASES.many(self._db, query, sort=[("ended_at", -1)], limit=limit)

    async def ended_of(self, c: str) -> AsyncIterator[Case]:
        """All of a conversation that are over."""
        async for case in store.CASES.scan(self._db, {"c": c, "state": "ended"}):
            yield case

    async def waiting_since(self, after: Millis, until: Millis) -> list[Case]:
        """Open cases of all shops whose buyer has waited since a moment in (after, until]."""
        return await store.CASES.many(self._db, {"open": True, "waiting_since": {"$gt": after, "$lte": until}})

    async def agents(self, shop_id: str) -> list[Agent]:
        return await store.agents(self._db, shop_id)

    async def shifts(self, shop_id: str, since: Millis, until: Millis) -> list[Shift]:
        """The record of working time in [since, until), in order."""
        return await shift_store.between(self._db, shop_id, since, until)

    async def shifts_before(self, agents: Sequence[Agent], before: Millis) -> dict[str, list[Shift]]:
        """The last few lines of each agent's record before a moment, in order."""
        return {
            one.id: await shift_store.last_before(self._db, one.shop_id, one.id, before, _LINES_BEFORE)
            for one in agents
        }

    async def groups(self, shop_id: str) -> list[Group]:
        """Gone ones too: their figures stay."""
        return await office_store.GROUPS.many(self._db, {"shop_id": shop_id}, sort=[("_id", 1)])

    async def some(self, case_ids: Sequence[str]) -> dict[str, Case]:
        """By id."""
        rows = await store.CASES.many(self._db, {"_id": {"$in": list(case_ids)}}) if case_ids else []
        return {row.id: row for row in rows}
