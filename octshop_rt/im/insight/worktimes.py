"""Who worked when: the record of shifts and the cases in hand, read for a span of days or for today."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.clock import DAY, MINUTE, Clock, Millis
from octshop_rt.core.mongo import Database
from octshop_rt.im.desk.model import Agent, Shift
from octshop_rt.im.desk.reading import CaseBook
from octshop_rt.im.desk.rules import HERE_MS
from octshop_rt.im.insight.model import MOST_DAYS, BadSpan
from octshop_rt.im.insight.worktime import Mark, Span, Work, days_of, stretches, together

_BEFORE_MS = MINUTE
_MOST_BEFORE = 50


class WorkDay(Struct, frozen=True, kw_only=True):
    """One day (Asia/Shanghai) on which somebody was at work."""

    day: str
    work: Work


class AgentWork(Struct, frozen=True, kw_only=True):
    """One person's working time; `key` is the person's id."""

    key: str
    name: str
    whole: Work
    days: list[WorkDay]


class WorkReport(Struct, frozen=True, kw_only=True):
    """Everybody of the desk who worked in [since, until), by name; `whole` adds them up."""

    since: Millis
    until: Millis
    whole: Work
    agents: list[AgentWork]


class Worktimes:
    """What has not ended counts until now; of somebody who is not there any more, until they were last there."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._clock = clock
        self._cases = CaseBook(db)
        self._before: dict[tuple[str, Millis], tuple[Millis, dict[str, list[Shift]]]] = {}  # oldest first

    async def report(self, staff: ShopStaff, since: Millis, until: Millis) -> WorkReport:
        """BadSpan beyond 93 days."""
        return await self._of(staff.shop_id, await self._cases.agents(staff.shop_id), since, until)

    async def mine(self, staff: ShopStaff, since: Millis, until: Millis) -> WorkReport:
        """The part of the person who asks. BadSpan beyond 93 days."""
        agents = await self._cases.agents(staff.shop_id)
        mine = [one for one in agents if one.person_id == staff.person_id]
        return await self._of(staff.shop_id, mine, since, until)

    async def today(self, shop_id: str, since: Millis, until: Millis) -> dict[str, Work]:
        """By person, for boards that ask every few seconds: how they came into the day is read once a minute."""
        agents = await self._cases.agents(shop_id)
        now, key = self._clock.now(), (shop_id, since)
        known = self._before.get(key)
        if known is None or now - known[0] >= _BEFORE_MS or not {one.id for one in agents} <= known[1].keys():
            self._before.pop(key, None)
            if len(self._before) >= _MOST_BEFORE:
                del self._before[next(iter(self._before))]
            known = self._before[key] = (now, await self._cases.shifts_before(agents, since))
        found = await self._worked(shop_id, agents, since, until, known[1])
        return {one.key: one.whole for one in found}

    async def _of(self, shop_id: str, agents: Sequence[Agent], since: Millis, until: Millis) -> WorkReport:
        if not since < until <= since + MOST_DAYS * DAY:
            raise BadSpan(days=MOST_DAYS)
        before = await self._cases.shifts_before(agents, since)
        found = await self._worked(shop_id, agents, since, until, before)
        rows = sorted(found, key=lambda one: (one.name, one.key))
        return WorkReport(since=since, until=until, whole=together(one.whole for one in rows), agents=rows)

    async def _worked(
        self, shop_id: str, agents: Sequence[Agent], since: Millis, until: Millis, before: dict[str, list[Shift]]
    ) -> list[AgentWork]:
        now = self._clock.now()
        lines: dict[str, list[Shift]] = {one.id: list(before.get(one.id, [])) for one in agents}
        for row in await self._cases.shifts(shop_id, since, until):
            if row.agent_id in lines:
                lines[row.agent_id].append(row)
        served = await self._served(shop_id, since, until, now)
        found: list[AgentWork] = []
        for agent in agents:
            end = min(until, now, agent.seen_at + HERE_MS)
            days = days_of(stretches(map(_mark, lines[agent.id]), end), served.get(agent.person_id, ()), since, until)
            if days:
                found.append(
                    AgentWork(
                        key=agent.person_id, name=agent.name, whole=together(days.values()),
                        days=[WorkDay(day=day, work=work) for day, work in days.items()],
                    )
                )  # fmt: skip
        return found

    async def _served(self, shop_id: str, since: Millis, until: Millis, now: Millis) -> dict[str, list[Span]]:
        """By person, when buyers were in their hands. A case may end between the two questions and come twice: spans
        are merged.
        """
        found: dict[str, list[Span]] = {}
        async for case in self._cases.alive_between(shop_id, since, until):
            ends = [*(step.at for step in case.history[1:]), case.ended_at or now]
            for step, end in zip(case.history, ends, strict=False):
                if step.now == "human" and step.person_id is not None:
                    found.setdefault(step.person_id, []).append((step.at, end))
        return found


def _mark(row: Shift) -> Mark:
    return Mark(at=row.at, was=row.was, now=row.now, reason=row.reason, by_other=row.by != "")
