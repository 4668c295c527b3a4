"""Keeps a process's clock on the store's time: asks before anything is dated, and again every few seconds."""

from __future__ import annotations

import asyncio

import structlog

from octshop_rt.core.clock import SECOND, StoreClock
from octshop_rt.core.errors import DomainError
from octshop_rt.core.metrics import Metrics
from octshop_rt.core.mongo import Database
from octshop_rt.core.tasks import end

log = structlog.get_logger(__name__)

EVERY_S = 10
FIRST = 3  # questions at the start: the first may have to open a connection
WRONG_MS = 5 * SECOND  # a machine's own clock is worth a word from here on


async def hear(db: Database, clock: StoreClock) -> None:
    """Ask once. Busy if the store does not answer."""
    asked = clock.steady()
    told = await db.time()
    clock.hear(asked, clock.steady(), told)


async def skew_ms(db: Database) -> int:
    """How far this machine's own clock is ahead of the store's, for whoever only wants to know."""
    clock = StoreClock()
    for _ in range(FIRST):
        await hear(db, clock)
    return clock.skew_ms


class StoreTime:
    """One per process whose clock is the store's."""

    def __init__(self, db: Database, clock: StoreClock, metrics: Metrics) -> None:
        self._db = db
        self._clock = clock
        self._loop: asyncio.Task[None] | None = None
        self._wrong = False
        metrics.gauge("clock_skew_ms", "How far this machine's clock is ahead of the store's", lambda: clock.skew_ms)

    async def start(self) -> None:
        """Busy while the store does not answer: nothing may be dated by a clock that may be an hour wrong."""
        for _ in range(FIRST):
            await self.look()
        self._loop = asyncio.get_running_loop().create_task(self._run(), name="store time")

    async def stop(self) -> None:
        """The clock goes on by itself."""
        if self._loop is not None:
            await end(self._loop)
            self._loop = None

    async def look(self) -> None:
        """Ask once; say so when this machine's own clock has gone wrong, or is right again."""
        await hear(self._db, self._clock)
        skew = self._clock.skew_ms
        if (wrong := abs(skew) > WRONG_MS) != self._wrong:
            self._wrong = wrong
            if wrong:
                log.warning("this machine's clock is wrong; the store's time is followed", ahead_ms=skew)
            else:
                log.info("this machine's clock is right again", ahead_ms=skew)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.look()
            except DomainError as fault:
                log.info("the store's time was not heard", fault=str(fault))
            except Exception:
                log.exception("the store's time was not heard")
