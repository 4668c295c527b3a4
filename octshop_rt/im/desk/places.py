"""Where those who wait stand and when their turn comes: worked out for whoever asks, and kept for a second.

A page asks for its own place, and a long queue is many pages: what each needs is what all need. So a shop's queue is
read once for all who ask, one reading at a time, and what other nodes have told since is taken over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from msgspec import Struct

from octshop_rt.core.clock import Clock, monotonic_ms
from octshop_rt.core.mongo import Database
from octshop_rt.core.tasks import TaskRegistry
from octshop_rt.im.desk import rules, store
from octshop_rt.im.desk.model import Agent
from octshop_rt.im.desk.office import Office
from octshop_rt.im.desk.turns import turns

_KEEP_MS = 1_000
_MOST_KEPT = 1_000
_PACE_MS = 2 * 3_600_000  # conversations that ended so lately say how long one lasts
_PACE_OF = 50


class Place(Struct, frozen=True):
    """Of one who waits: place from 1, seconds until the turn (None: nobody serves), and whether somebody is there who
    may serve it and the desk serves at all.
    """

    pos: int
    eta_s: int | None
    attended: bool
    serves_now: bool


class Standing(Struct, frozen=True, kw_only=True):
    """A shop's queue at a moment of this node's own clock."""

    at: int
    places: dict[str, Place]
    agents: list[Agent]

    @property
    def fresh(self) -> bool:
        """Whether it may still be told."""
        return monotonic_ms() - self.at < _KEEP_MS


class Places:
    """One per process."""

    def __init__(self, db: Database, clock: Clock, tasks: TaskRegistry, office: Office) -> None:
        self._db = db
        self._clock = clock
        self._tasks = tasks
        self._office = office
        self._kept: dict[str, Standing] = {}
        self._running: dict[str, asyncio.Task[Standing]] = {}
        self._next: dict[str, asyncio.Task[Standing]] = {}
        self.read = 0  # how often a queue was, for the figures

    async def of(self, shop_id: str, case_id: str) -> Place | None:
        """The place of a case, at most a second old; None of one that does not wait."""
        kept = self._kept.get(shop_id)
        if kept is not None and kept.fresh and case_id in kept.places:
            return kept.places[case_id]
        return (await self.anew(shop_id)).places.get(case_id)

    async def anew(self, shop_id: str) -> Standing:
        """Read after this call began. Whoever asks while the queue is being read shares the next reading."""
        reading = self._next.get(shop_id)
        if reading is None:
            reading = self._tasks.spawn(self._read_after(self._running.get(shop_id), shop_id), name="desk places")
            self._next[shop_id] = reading
        return await asyncio.shield(reading)

    def told(self, shop_id: str, places: Mapping[str, Place]) -> None:
        """What another node has read since: a page that has heard it must not be told an older place by this one."""
        kept = self._kept.get(shop_id)
        if kept is not None:
            kept.places.update(places)

    async def _read_after(self, before: asyncio.Task[Standing] | None, shop_id: str) -> Standing:
        mine = self._next[shop_id]
        try:
            if before is not None:
                await asyncio.wait({before})
        finally:
            del self._next[shop_id]
        self._running[shop_id] = mine
        try:
            return await self._read(shop_id)
        finally:
            if self._running.get(shop_id) is mine:
                del self._running[shop_id]

    async def _read(self, shop_id: str) -> Standing:
        self.read += 1
        at, now = monotonic_ms(), self._clock.now()
        settings = await self._office.settings(shop_id)
        agents = await store.online(self._db, shop_id, now - rules.HERE_MS)
        ended = await store.ended_since(self._db, shop_id, now - _PACE_MS, _PACE_OF)
        waiting = turns(await store.waiters(self._db, shop_id), agents, settings, now, rules.handling_ms(ended))
        serves = {there: rules.serves(settings, now, attended=there) for there in (False, True)}
        standing = Standing(
            at=at,
            agents=agents,
            places={
                case_id: Place(turn.pos, turn.eta_s, turn.attended, serves[turn.attended])
                for case_id, turn in waiting.items()
            },
        )
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[shop_id] = standing
        return standing
