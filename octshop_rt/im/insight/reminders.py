"""The slow-reply reminder: an agent is told when a buyer has waited 100 s for a word, while it happens.

One node at a time looks once a second at the cases whose waiting reached the limit since the last look. How far it
looked is stored, so a crash makes a reminder late, not lost. The reminder is a hint; the figure is counted from
the log.
"""

from __future__ import annotations

import asyncio

import structlog

from octshop_rt.core.bus import NO_REV, Bus, Notice, notify
from octshop_rt.core.clock import MINUTE, SECOND, Clock
from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Database
from octshop_rt.core.tasks import end
from octshop_rt.im.desk.reading import CaseBook
from octshop_rt.im.insight import rules, store

log = structlog.get_logger(__name__)

_EVERY_S = 1.0
_TURN_MS = 5 * SECOND
_MOST_BACK_MS = 10 * MINUTE  # after a long stop old waits are on the board, and no news


class Reminders:
    """Runs in every node; one of them has the turn."""

    def __init__(self, db: Database, clock: Clock, bus: Bus, owner: str) -> None:
        self._db = db
        self._clock = clock
        self._bus = bus
        self._owner = owner
        self._cases = CaseBook(db)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="slow replies")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            await end(self._task)

    async def look(self) -> int:
        """Remind those whose limit has passed since the last look; how many."""
        now = self._clock.now()
        mark = await store.take_slow_turn(self._db, self._owner, now, now + _TURN_MS)
        if mark is None:
            return 0
        due = now - rules.SLOW_MS
        after = max(mark.at or due, due - _MOST_BACK_MS)
        count = 0
        for case in await self._cases.waiting_since(after, due):
            if case.state not in {"human", "queued"} or case.waiting_since is None:
                continue
            d = {"slow": case.id, "c": case.c, "since": case.waiting_since}
            if case.agent_id is not None:
                await notify(self._bus, Notice(topic="desk", id=case.agent_id, rev=NO_REV, d=d))
            await notify(self._bus, Notice(topic="board", id=case.shop_id, rev=now, d=d))
            count += 1
        await store.looked(self._db, self._owner, due)
        return count

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except DomainError as fault:
                log.info("reminders wait for the database", fault=str(fault))
            except Exception:
                log.exception("a look for slow replies failed")
            await asyncio.sleep(_EVERY_S)
