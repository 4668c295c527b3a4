"""The net under the bus: every few seconds a node reads what is newest in the log and delivers what it has not heard.

One question per node and period, whatever the number of sockets. It finds what no counter in Redis would: an entry
whose node was killed between writing and publishing. When the bus reports a gap it looks at once and further back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from msgspec import Struct

from octshop_rt.core.bus import Bus, Unsubscribe
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Database
from octshop_rt.core.tasks import end
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.routing import Delivered

log = structlog.get_logger(__name__)


class Mesh(Struct, frozen=True, kw_only=True):
    """Every `period_s`, look back over the period and `overlap_s`: a write may take five seconds, clocks may differ by
    five. `gap_s` is how far back to look after the bus was away.
    """

    period_s: float = 10
    overlap_s: float = 10
    gap_s: float = 60


class Net:
    """Runs in every node. `deliver` gets entries that were missed here, in order within each conversation. Of the
    conversations that `heard_here` does not name nobody is connected here: they cost nothing more.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        bus: Bus,
        delivered: Delivered,
        deliver: Callable[[list[Entry]], Awaitable[None]],
        heard_here: Callable[[Sequence[str]], Awaitable[set[str]]],
        mesh: Mesh,
    ) -> None:
        self._db = db
        self._clock = clock
        self._bus = bus
        self._delivered = delivered
        self._deliver = deliver
        self._heard_here = heard_here
        self._mesh = mesh
        self._woken = asyncio.Event()
        self._further = False
        self._looked_at = 0
        self._task: asyncio.Task[None] | None = None
        self._undo: Unsubscribe | None = None
        self.caught = 0  # entries the bus had lost, for the figures

    def start(self) -> None:
        """Look from now on."""
        self._looked_at = self._clock.now()
        self._undo = self._bus.on_gap(self._gap)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Look no more."""
        if self._undo is not None:
            self._undo()
        if self._task is not None:
            await end(self._task)

    async def look(self, *, back_s: float | None = None) -> int:
        """Look once; returns how many entries had been missed."""
        started = self._clock.now()
        back = self._mesh.overlap_s if back_s is None else back_s
        ranges = await store.written_since(self._db, max(0, self._looked_at - int(back * 1000)))
        self._looked_at = started
        missed: list[Entry] = []
        here = await self._heard_here([one.c for one in ranges if self._delivered.lacks(one.c, one.first, one.last)])
        for one in ranges:
            if one.c not in here:
                continue
            lacking = self._delivered.lacks(one.c, one.first, one.last)
            if lacking:
                found = await store.page(self._db, one.c, lacking[0], lacking[-1], 1_000, newest=False)
                wanted = set(lacking)
                missed.extend(entry for entry in found if entry.s in wanted)
        if missed:
            self.caught += len(missed)
            await self._deliver(missed)
        return len(missed)

    def _gap(self) -> None:
        self._further = True
        self._woken.set()

    async def _run(self) -> None:
        since_forget = 0.0
        while True:
            try:
                await asyncio.wait_for(self._woken.wait(), self._mesh.period_s)
                await asyncio.sleep(0.2)  # several channels report one gap; writes of the moment settle
            except TimeoutError:
                pass
            self._woken.clear()
            back, self._further = (self._mesh.gap_s if self._further else None), False
            try:
                await self.look(back_s=back)
            except DomainError as fault:
                log.warning("the net could not look", fault=str(fault))
            since_forget += self._mesh.period_s
            if since_forget > self._mesh.gap_s + self._mesh.overlap_s:
                since_forget = 0.0
                self._delivered.forget()
