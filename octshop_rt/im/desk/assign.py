"""The engine: brings those who wait to those who are free. Any number of nodes at once, no lock between them.

Two conditional updates make an assignment: the first takes a place on the agent's row (there is room, the agent is
online and there), one update for all the cases that a pass brings to one agent; the second takes the case (it still
waits), each for itself. Whoever loses the second gives the place back. A crash
between the two leaves a place held for a case that is not served: upkeep finds and frees it (F91).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import structlog

from octshop_rt.core.clock import SECOND, Clock, Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Database
from octshop_rt.core.tasks import TaskRegistry, end
from octshop_rt.im.desk import rules, store
from octshop_rt.im.desk.cases import Cases
from octshop_rt.im.desk.model import DESK, Agent, Case, Seating, Step
from octshop_rt.im.desk.office import Office
from octshop_rt.im.desk.rules import Match
from octshop_rt.im.desk.settings import DeskSettings
from octshop_rt.im.desk.telling import Telling

log = structlog.get_logger(__name__)

NET_S = 0.5  # how often every node looks for somebody who waits although there is room: a lost wake costs this much
_READ = 500  # of the queue at a time
_AT_ONCE = 200  # assignments in one pass: as many places a crash could leave held
_TOGETHER = 50  # second updates in one command: four commands a pass, and the first are told while the last are written
_RUSH = 8  # so many in one pass are done by one node: two that work on the same head would do everything twice
_RUSH_MS = 1_000


class Assigner:
    """One loop per shop while there is something to do there, and a net behind all of them."""

    def __init__(
        self, db: Database, clock: Clock, tasks: TaskRegistry, office: Office, cases: Cases, telling: Telling, name: str
    ) -> None:
        self._db = db
        self._clock = clock
        self._tasks = tasks
        self._office = office
        self._cases = cases
        self._telling = telling
        self._name = name
        self._rushing: set[str] = set()
        self._filling: set[str] = set()
        self._again: set[str] = set()
        self._net: asyncio.Task[None] | None = None
        self.lost = 0  # second updates that found the case gone, for the figures

    def start(self) -> None:
        """Let down the net."""
        self._net = asyncio.get_running_loop().create_task(self._run(), name="desk net")

    async def stop(self) -> None:
        """No new assignments."""
        if self._net is not None:
            await end(self._net)
            self._net = None

    def wake(self, shop_id: str) -> None:
        """Somebody waits or a place is free at this shop."""
        if shop_id in self._filling:
            self._again.add(shop_id)
            return
        self._filling.add(shop_id)
        self._tasks.spawn(self._fill(shop_id), name="desk fill")

    async def fill(self, shop_id: str) -> int:
        """Assign as far as there is room and the hours allow; how many were. Who waits overnight is found by the net
        when the desk opens.
        """
        settings = await self._office.settings(shop_id)
        if settings.strategy == "manual" or not rules.gives(settings, self._clock.now()):
            return 0
        served = 0
        try:
            while given := await self._pass(shop_id, settings):
                served += given
        finally:
            if shop_id in self._rushing:
                self._rushing.discard(shop_id)
                await store.end_rush(self._db, shop_id, self._name)
        return served

    async def _pass(self, shop_id: str, settings: DeskSettings) -> int:
        """Once from the head of the queue; 0: nothing to do, or others do it, and the net comes back."""
        now = self._clock.now()
        agents = await store.online(self._db, shop_id, now - rules.HERE_MS)
        free = [one for one in agents if one.load < one.cap]
        if not free:
            return 0
        # Only whom one of them may serve. So a pass gives somebody to somebody as long as there is anybody: kinds of
        # agents who are full drop out of the question with the next one.
        limit = min(_READ, sum(one.cap - one.load for one in free) * 4 + 20)
        overflown = rules.overflown(settings, now)
        waiting = await store.servable(self._db, shop_id, rules.kinds(free), overflown=overflown, limit=limit)
        matches = rules.plan(waiting, free, settings, now, most=_AT_ONCE)
        if len(matches) >= _RUSH:
            if not await store.take_rush(self._db, shop_id, self._name, now, now + _RUSH_MS):
                return 0
            self._rushing.add(shop_id)
        return await self._assign(await self._take(matches, now), settings, now)

    async def _take(self, matches: Sequence[Match], now: Millis) -> list[Match]:
        """The first update, one for all that are to come to an agent; who gets a place, in the order of the queue."""
        wanted: dict[str, list[str]] = {}
        for match in matches:
            wanted.setdefault(match.agent.id, []).append(match.case.id)

        async def take(agent_id: str, case_ids: list[str]) -> list[tuple[str, Agent]]:
            with contextlib.suppress(
                DomainError
            ):  # UnknownOutcome too: a place that was taken after all is freed later
                after = now - rules.HERE_MS
                taken = await store.take_slots(self._db, agent_id, case_ids, now, seen_after=after)
                if taken is not None:
                    return [(case_id, taken) for case_id in case_ids]
                if len(case_ids) > 1:  # less room than was seen: one by one
                    return [found for case_id in case_ids for found in await take(agent_id, [case_id])]
            return []

        found = await asyncio.gather(*(take(agent_id, case_ids) for agent_id, case_ids in wanted.items()))
        at = dict(pair for pairs in found for pair in pairs)
        for agent in {agent.id: agent for agent in at.values()}.values():
            self._telling.agent(agent)
        return [Match(match.case, at[match.case.id]) for match in matches if match.case.id in at]

    async def _assign(self, matches: Sequence[Match], settings: DeskSettings, taken_at: Millis) -> int:
        """The second update, each case for itself, in the order of the queue; many of them travel in one command."""

        async def some(part: Sequence[Match]) -> int:
            try:
                return await self._seat(part, settings, taken_at)
            except DomainError as fault:
                # Nothing, or perhaps everything, was written, so no place may be given away: upkeep looks at the truth.
                log.info("assignments interrupted", cases=len(part), fault=str(fault))
                return 0

        parts = [matches[first : first + _TOGETHER] for first in range(0, len(matches), _TOGETHER)]
        return sum(await asyncio.gather(*(some(part) for part in parts)))

    async def _seat(self, matches: Sequence[Match], settings: DeskSettings, taken_at: Millis) -> int:
        now = self._clock.now()
        after = await store.seat(self._db, [_seating(match, settings, now) for match in matches])
        served = 0
        for match in matches:
            try:
                served += await self._finish(match, after.get(match.case.id), taken_at)
            except DomainError as fault:  # of this one alone: the others are told and freed, upkeep frees this place
                log.info("an assignment was not brought to its end", case=match.case.id, fault=str(fault))
        return served

    async def _finish(self, match: Match, done: Case | None, taken_at: Millis) -> bool:
        """What follows the second update of one case; whether it is the agent's."""
        if done is not None and done.state == "human" and done.agent_id == match.agent.id:
            await self._cases.settle(match.case, done)
            return True
        # Somebody was faster, or has already moved it on; giving back what is free changes nothing. Only what we took:
        # where our own was freed meanwhile, another node may have taken a place for the same case.
        self.lost += 1
        freed = await store.give_back(self._db, match.agent.id, match.case.id, older_than=taken_at + 1)
        self._telling.agent(freed or match.agent)
        return False

    async def _fill(self, shop_id: str) -> None:
        try:
            while True:
                self._again.discard(shop_id)
                try:
                    await self.fill(shop_id)
                except DomainError as fault:
                    log.warning("the desk could not assign", shop=shop_id, fault=str(fault))
                    return  # the net comes back
                except Exception:
                    log.exception("the desk could not assign", shop=shop_id)
                    return
                if shop_id not in self._again:
                    return
        finally:
            self._filling.discard(shop_id)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(NET_S)
            try:
                for shop_id in await store.waiting_shops(self._db):
                    self.wake(shop_id)
                    self._telling.look(shop_id)
            except DomainError as fault:
                log.warning("the desk's net could not look", fault=str(fault))
                await asyncio.sleep(SECOND / 1_000)
            except Exception:
                log.exception("the desk's net could not look")
                await asyncio.sleep(SECOND / 1_000)


def _seating(match: Match, settings: DeskSettings, now: Millis) -> Seating:
    agent = match.agent
    step = Step(
        at=now, by=DESK, was="queued", now="human", why="assigned", rev=0, agent_id=agent.id,
        person_id=agent.person_id, group_id=match.case.group_id, to=agent.name,
    )  # fmt: skip
    due_at = rules.next_look(rules.seated(match.case, agent, settings, now), settings, now)
    return Seating(case_id=match.case.id, agent=agent, step=step, due_at=due_at)
