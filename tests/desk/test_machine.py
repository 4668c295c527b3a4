"""A model of cases and places walked by chance: whatever is done in whatever order, what always holds holds."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octshop_rt.core.clock import MINUTE, SECOND, TestClock
from octshop_rt.core.errors import DomainError, UnknownOutcome
from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.im.desk import store
from octshop_rt.im.desk.checks import CHECKS
from octshop_rt.im.desk.model import LIFE, Case
from octshop_rt.im.desk.settings import DeskPatch
from octshop_rt.im.desk.shift_store import SHIFTS
from tests.desk.kit import MANAGER, SHOP, Node, at, buyer, node, staff

PEOPLE = ("U1", "U2")
BUYERS = ("B1", "B2", "B3", "B4")
CAP = 1
ACTS = (
    "say", "say", "accept", "answer", "accept", "next", "end", "leave", "transfer", "group", "take_over", "status",
    "beat", "wait", "turn", "crash_seat", "crash_free", "reopen",
)  # fmt: skip

STEPS = 60
SETTLED_EVERY = 6


class Walk:
    """One walk through the engine. Refusals are answers like any other."""

    def __init__(self, one: Node, clock: TestClock) -> None:
        self._one = one
        self._clock = clock

    async def _case(self, buyer_id: str) -> Case | None:
        conversation = await self._one.conversations.of_pair(buyer_id, SHOP)
        return await store.newest_case(self._one.db, conversation.id)

    async def do(self, act: str, person: str, buyer_id: str, number: int) -> None:
        one, case = self._one, await self._case(buyer_id)
        desk, who, request = one.desk, at(person), one.request_id()
        if act == "say":
            conversation = await one.conversations.of_pair(buyer_id, SHOP)
            await one.says(buyer(buyer_id), conversation.id)
        elif act == "wait":
            self._clock.advance((SECOND, 30 * SECOND, 4 * MINUTE, 40 * MINUTE)[number])
        elif act == "turn":
            await desk.upkeep.look()
            await desk.assigner.fill(SHOP)
        elif act == "beat":
            await desk.attendance.seen(list(PEOPLE[: number + 1]))
        elif act == "status":
            await desk.attendance.choose(who, ("online", "busy", "away", "offline")[number], "")
        elif act == "next":
            await desk.accept_next(who, request)
        elif case is not None:
            await self._with(act, person, case, request)

    async def _with(self, act: str, person: str, case: Case, request: str) -> None:
        one, who = self._one, at(person)
        desk = one.desk
        acts: dict[str, Callable[[], Awaitable[object]]] = {
            "answer": lambda: one.says(staff(person), case.c),
            "accept": lambda: desk.accept(who, case.id, request),
            "end": lambda: desk.end(who, case.id, request, resolved=True),
            "leave": lambda: desk.end_by_buyer(buyer(case.buyer_id), case.id, request),
            "transfer": lambda: one.handover.to_agent(who, case.id, f"{SHOP}:{PEOPLE[0]}", "", request),
            "group": lambda: one.handover.to_group(who, case.id, None, "", request),
            "take_over": lambda: desk.take_over(at(person, rights=MANAGER), case.id, request),
            "reopen": lambda: desk.reopen(who, case.id, request),
            "crash_seat": lambda: self._crash("seat", lambda: desk.assigner.fill(SHOP)),
            "crash_free": lambda: self._crash("give_back", lambda: desk.end(who, case.id, request, resolved=True)),
        }
        await acts[act]()

    async def _crash(self, name: str, act: Callable[[], Awaitable[object]]) -> None:
        """The process dies at this update: nothing after it happens."""
        whole = getattr(store, name)

        async def dies(*_: object, **__: object) -> None:
            raise UnknownOutcome

        setattr(store, name, dies)
        try:
            await act()
        finally:
            setattr(store, name, whole)

    async def never_over(self) -> None:
        """At every single moment."""
        for agent in await store.agents(self._one.db, SHOP):
            assert len(agent.slots) == agent.load <= CAP

    async def holds(self) -> None:
        """Whenever nothing is on its way: whoever is served has a place, histories are legal."""
        db = self._one.db
        for agent in await store.agents(db, SHOP):
            assert {case.id for case in await store.of_agent(db, agent.id)} <= {slot.case_id for slot in agent.slots}
        async for case in store.CASES.scan(db, {}):
            assert all(LIFE.may(step.was, step.now) for step in case.history)


async def _walk(db: Database, chance: random.Random) -> None:
    clock = TestClock()
    async with node(db, clock, works=False) as one:
        await one.desk.office.set(SHOP, DeskPatch(cap=CAP), "test")
        for person in PEOPLE:
            await one.sits(person, cap=CAP)
        walk = Walk(one, clock)
        for number in range(1, STEPS + 1):
            step = chance.choice(ACTS), chance.choice(PEOPLE), chance.choice(BUYERS), chance.randrange(4)
            with contextlib.suppress(DomainError):  # refused: and what must hold holds all the same
                await walk.do(*step)
            await walk.never_over()
            if number % SETTLED_EVERY == 0:
                await one.quiet()
                await walk.holds()
        # whatever was left behind heals by itself
        await one.quiet()
        clock.advance(20 * SECOND)
        for _ in range(2):
            await one.desk.upkeep.look()
            await one.quiet()
        assert (await examine(db, CHECKS)).findings == ()


async def test_whatever_is_done_in_whatever_order_what_always_holds_holds(db: Database) -> None:  # req I5
    loop = asyncio.get_running_loop()
    slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]

    @settings(max_examples=4, deadline=None, suppress_health_check=slow, database=None)
    @given(st.integers(0, 2**32))
    def walks(seed: int) -> None:
        async def fresh() -> None:
            await db.wipe([store.CASES, store.AGENTS, SHIFTS, store.SWEEPS])
            await _walk(db, random.Random(seed))

        asyncio.run_coroutine_threadsafe(fresh(), loop).result(120)

    await asyncio.to_thread(walks)
