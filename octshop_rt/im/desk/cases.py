"""The one way a case moves: decide on what was seen, write if nobody was faster, then free, tell and wake."""

from __future__ import annotations

from collections.abc import Callable

from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import DomainError, UnknownOutcome
from octshop_rt.core.mongo import Database
from octshop_rt.im.desk import rules, store
from octshop_rt.im.desk.model import Agent, Case, CaseEnded, DeskChanged, DeskFull, NoSuchCase, Reason
from octshop_rt.im.desk.office import Office
from octshop_rt.im.desk.telling import Telling
from octshop_rt.im.wire.fields import Body

Decide = Callable[[Case], Case]
Heard = Callable[[Case], None]

_TRIES = 12


class Cases:
    """Moves cases. `wake(shop_id)` is called when somebody waits or a place has become free; `moved` hears of every
    change of state, in this process.
    """

    def __init__(self, db: Database, clock: Clock, office: Office, telling: Telling) -> None:
        self._db = db
        self._clock = clock
        self._office = office
        self._telling = telling
        self._wake: Callable[[str], None] = lambda _shop_id: None
        self._moved: list[Heard] = []

    def on_wake(self, wake: Callable[[str], None]) -> None:
        """See above."""
        self._wake = wake

    def wake(self, shop_id: str) -> None:
        """Somebody waits or a place is free at this shop."""
        self._wake(shop_id)

    def on_moved(self, hear: Heard) -> None:
        """`hear(case)` after each transition made here. It must not wait."""
        self._moved.append(hear)

    async def one(self, case_id: str) -> Case:
        """NoSuchCase if there is none."""
        found = await store.case(self._db, case_id)
        if found is None:
            raise NoSuchCase
        return found

    async def change(self, case_id: str, decide: Decide) -> Case:
        """`decide(case)` gives the case as it should be, or the same one for no change; it may be asked again.

        Its refusals fly out and nothing has happened. DeskChanged when others are always faster.
        """
        for _ in range(_TRIES):
            seen = await self.one(case_id)
            after = decide(seen)
            if after is seen:
                return seen
            done = await store.swap(self._db, seen, after)
            if done is not None:
                await self.settle(seen, done)
                return done
        raise DeskChanged

    async def settle(self, seen: Case | None, done: Case) -> None:
        """What follows a change: the place that is no longer needed is given back, people are told."""
        if seen is not None and seen.state == "human" and seen.agent_id is not None and (
            done.state != "human" or done.agent_id != seen.agent_id
        ):  # fmt: skip
            await self.free(seen.agent_id, done.id, done.shop_id)
        if seen is None or seen.history[-1:] != done.history[-1:]:
            self._telling.case(done)
            for hear in self._moved:
                hear(done)
        elif done.asides != seen.asides:
            self._telling.aside(done)
        if done.state == "queued":
            self._wake(done.shop_id)

    async def free(self, agent_id: str, case_id: str, shop_id: str) -> None:
        """Give a place back; twice is once."""
        freed = await store.give_back(self._db, agent_id, case_id)
        if freed is not None:
            self._telling.agent(freed)
            self._wake(shop_id)

    async def seat(self, case_id: str, agent: Agent, decide: Callable[[Case, Agent], Case]) -> Case:
        """Bring a case to an agent whom a person chose: first the place, then the case. DeskFull without a place;
        what `decide` refuses gives the place back (and, seen at once, takes none).
        """
        seen = await self.one(case_id)
        if decide(seen, agent) is seen:
            return seen
        now = self._clock.now()
        taken = await store.take_slots(self._db, agent.id, [case_id], now, seen_after=None)
        if taken is None and not await self._holds(agent.id, case_id):
            raise DeskFull(name=agent.name, cap=agent.cap)
        try:
            done = await self.change(case_id, lambda case: decide(case, agent))
        except UnknownOutcome:
            raise  # perhaps it is the agent's by now: upkeep finds out, and frees the place if it is not
        except DomainError:
            if taken is not None:
                await self.free(agent.id, case_id, agent.shop_id)
            raise
        if taken is not None:
            if done.agent_id != agent.id or done.state != "human":
                await self.free(agent.id, case_id, agent.shop_id)
            else:
                self._telling.agent(taken)
        return done

    async def end(
        self, case_id: str, why: Reason, by: str, *, resolved: bool | None = None, request_id: str | None = None,
        guard: Callable[[Case], None] | None = None, moved_to: Body | None = None,
    ) -> Case:  # fmt: skip
        """End it; ended already by the same request: as it is. CaseEnded by another. `moved_to`: where it goes on."""
        now = self._clock.now()

        def decide(case: Case) -> Case:
            if guard is not None:
                guard(case)
            if case.state == "ended":
                if request_id is not None and done_before(case, request_id):
                    return case
                raise CaseEnded
            silent = case.state == "new"
            over = rules.finished(case, now, resolved=resolved)
            done = rules.moved(over, "ended", why, at=now, by=by, request_id=request_id, silent=silent)
            return done if moved_to is None else rules.owing(done, done.rev, "moved_to", moved_to, now)

        return await self.change(case_id, decide)

    async def requeue(
        self, case_id: str, why: Reason, by: str, *, only: Callable[[Case], bool], passed: str | None = None,
        first: bool = True,
    ) -> Case:  # fmt: skip
        """Back into the queue, in front by the time it has waited, if `only(case)` still holds."""
        seen = await self.one(case_id)
        settings = await self._office.settings(seen.shop_id)
        now = self._clock.now()

        def decide(case: Case) -> Case:
            if not only(case):
                return case
            waiting = rules.enqueued(case, settings, now, first=first)
            if passed is not None and passed not in waiting.passed:
                waiting = rules.passing(waiting, passed)
            return rules.moved(waiting, "queued", why, at=now, by=by)

        return await self.change(case_id, decide)

    async def _holds(self, agent_id: str, case_id: str) -> bool:
        row = await store.agent(self._db, agent_id)
        return row is not None and any(slot.case_id == case_id for slot in row.slots)


def done_before(case: Case, request_id: str) -> bool:
    """Whether this request has had its effect."""
    return request_id in case.asked or any(step.request_id == request_id for step in case.history)
