"""What nobody asked for and must happen all the same: timers, dropped agents, leaked places, words a crash lost.

Every node does all of it every second: each act is a conditional update, so two nodes doing it at once do it once.
Timers lie on the rows they belong to (`due_at`), so there is nothing to lose between a decision and its timer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator

import structlog

from octshop_rt.core.clock import SECOND, Clock
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.tasks import end
from octshop_rt.im.conversation.hindsight import Hindsight
from octshop_rt.im.desk import office_store, rules, shift_store, store
from octshop_rt.im.desk.cases import Cases
from octshop_rt.im.desk.intake import Intake
from octshop_rt.im.desk.model import DESK, Agent, Case, Shift
from octshop_rt.im.desk.office import Office
from octshop_rt.im.desk.telling import Telling

log = structlog.get_logger(__name__)

_EVERY_S = 1.0
_BATCH = 200
_LEAK_MS = 15 * SECOND  # a place held for a case that is not served: by then no update on its way can still arrive
_SWEEP_MS = 20 * SECOND
_SWEEP_BACK_MS = 60 * SECOND  # a write may take five seconds, clocks may differ by five; the rest is caution
_SETTLED_MS = 6 * SECOND  # what was said a moment ago is being heard
_LATER_MS = 20 * SECOND  # nobody else could serve: ask again


class Upkeep:
    """Runs in every node."""

    def __init__(
        self, db: Database, clock: Clock, ids: Ids, office: Office, cases: Cases, telling: Telling, intake: Intake
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._office = office
        self._cases = cases
        self._telling = telling
        self._intake = intake
        self._hindsight = Hindsight(db)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="desk upkeep")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            await end(self._task)
            self._task = None

    async def look(self) -> None:
        """Everything once."""
        await self.timers()
        await self.agents()
        await self.owed()
        await self.sweep()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            for part in (self.timers, self.agents, self.owed, self.sweep):
                with _alone("upkeep interrupted", part=part.__name__):
                    await part()

    # --- timers of cases ----------------------------------------------------------------------------------------------

    async def timers(self) -> None:
        """Cases whose time has come."""
        for case in await store.due(self._db, self._clock.now(), _BATCH):
            with _alone("a timer waits", case=case.id):
                await self._due(case)

    async def _due(self, case: Case) -> None:
        now = self._clock.now()

        def still(seen: Case) -> None:
            if seen.rev != case.rev:
                raise _Moved

        try:
            if case.state == "human" and case.waiting_since is not None:
                await self._unanswered(case)
            elif case.state == "human":
                await self._cases.end(case.id, "idle", DESK, guard=still)
            elif case.state == "queued":
                await self._cases.end(case.id, "abandoned", DESK, guard=still)
            else:
                await self._cases.end(case.id, "idle", DESK, guard=still)
        except _Moved:
            log.debug("not due any more", case=case.id, at=now)

    async def _unanswered(self, case: Case) -> None:
        """Given to somebody else, if there is somebody and the hours allow; whoever has it keeps it otherwise, and is
        asked again.
        """
        now = self._clock.now()
        settings = await self._office.settings(case.shop_id)
        agents = await store.online(self._db, case.shop_id, now - rules.HERE_MS)
        others = [
            one
            for one in agents
            if one.id != case.agent_id and one.load < one.cap and one.id not in case.passed
            and rules.may_serve(one, case, settings, now)
        ]  # fmt: skip
        if rules.gives(settings, now) and (others or settings.strategy == "manual"):
            await self._cases.requeue(
                case.id, "timeout", DESK, passed=case.agent_id,
                only=lambda seen: seen.rev == case.rev and seen.state == "human",
            )  # fmt: skip
            return
        await self._cases.change(
            case.id, lambda seen: seen if seen.rev != case.rev else rules.due_later(seen, now + _LATER_MS)
        )

    # --- agents -------------------------------------------------------------------------------------------------------

    async def agents(self) -> None:
        """Those who are gone lose whom they have not answered; places without a case are freed."""
        now = self._clock.now()
        for agent in await store.loaded_agents(self._db):
            with _alone("an agent was not looked after", agent=agent.id):
                settings = await self._office.settings(agent.shop_id)
                if agent.seen_at < now - settings.drop_grace_s * SECOND:
                    await self._dropped(agent, settings.drop_grace_s * SECOND)
                if any(slot.at < now - _LEAK_MS for slot in agent.slots):
                    await self._leaks(agent)

    async def _dropped(self, agent: Agent, grace_ms: int) -> None:
        now = self._clock.now()
        if agent.gone_at is None:
            gone = await store.gone(self._db, agent.id, now, now - grace_ms)
            if gone is not None:
                row = Shift(
                    id=self._ids.new("Z"), shop_id=agent.shop_id, agent_id=agent.id, was=agent.status, now="gone",
                    reason="dropped", at=min(now, gone.seen_at + rules.HERE_MS),
                )  # fmt: skip
                await shift_store.add(self._db, row)
                self._telling.agent(gone)
                self._telling.queue(agent.shop_id)
        for case in await store.of_agent(self._db, agent.id):
            if case.waiting_since is None:
                continue  # answered: the buyer is not kept waiting, and finds the same agent should they return
            await self._cases.requeue(
                case.id, "dropped", DESK, passed=agent.id,
                only=lambda seen, case=case: seen.state == "human" and seen.agent_id == case.agent_id
                and seen.waiting_since is not None,
            )  # fmt: skip

    async def _leaks(self, agent: Agent) -> None:
        """A place whose case is served by somebody else or nobody: the second update never came, or the giving back."""
        before = self._clock.now() - _LEAK_MS
        for slot in agent.slots:
            if slot.at >= before:
                continue
            case = await store.case(self._db, slot.case_id)
            if case is not None and case.state == "human" and case.agent_id == agent.id:
                continue
            if await store.give_back(self._db, agent.id, slot.case_id, older_than=before) is not None:
                log.warning("a leaked place was freed", agent=agent.id, case=slot.case_id)
                self._cases.wake(agent.shop_id)

    # --- what a crash lost --------------------------------------------------------------------------------------------

    async def owed(self) -> None:
        """Words of the desk that a crash, or a store away, kept out of the log."""
        before = self._clock.now() - _SETTLED_MS
        for case in await store.untold(self._db, _BATCH):
            for rev in case.untold:
                if rules.owed_since(case, rev) < before:
                    await self._telling.owed(case, rev)
        for row in await office_store.owed_messages(self._db, before, _BATCH):
            await self._telling.owed_left(row)

    async def sweep(self) -> None:
        """Compare the log with the cases, from where the last sweep ended: one node at a time, none of them needed."""
        now = self._clock.now()
        turn = await store.take_turn(self._db, now, _SWEEP_MS)
        if turn is None:
            return
        until = now - _SETTLED_MS
        spoken = await self._hindsight.spoken(max(0, turn.until - _SWEEP_BACK_MS), until)
        for first in range(0, len(spoken), _BATCH):
            part = spoken[first : first + _BATCH]
            await self._intake.catch_up(part, await self._hindsight.conversations([one.c for one in part]))
        await store.swept(self._db, until)


class _Moved(Exception):
    """The case has changed since it was found due."""


@contextlib.contextmanager
def _alone(what: str, **names: str) -> Generator[None]:
    """One part's trouble, or one row's, is its own: the others are looked after, and it again in a second."""
    try:
        yield
    except DomainError as fault:
        log.warning(what, fault=str(fault), **names)
    except Exception:
        log.exception(what, **names)
