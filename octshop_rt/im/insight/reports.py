"""Figures of a shop over a span of time: read from cases and the log, never counted along the way.

The facts of an ended case cannot change any more, so they are kept once computed: a report of a quarter reads rows,
not logs, and figures outlive what retention wipes. Ratings and summaries may still change and are joined each time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct, structs

from octshop_rt.core.auth.model import Right, ShopStaff, Staff
from octshop_rt.core.clock import DAY, MINUTE, Clock, Millis, business_day, business_day_bounds
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.reading import Log
from octshop_rt.im.desk.model import Case
from octshop_rt.im.desk.reading import CaseBook
from octshop_rt.im.insight import figures, rules, store
from octshop_rt.im.insight.figures import Cut, Figures
from octshop_rt.im.insight.model import MOST_DAYS, BadSpan, Fact, Kept, Rating, Summary
from octshop_rt.im.insight.rules import Line, Step, Stretch
from octshop_rt.im.insight.worktime import Work
from octshop_rt.im.insight.worktimes import Worktimes

# A line said before the end may reach the log a little after it: facts are kept when nothing can arrive any more.
SETTLED_MS = MINUTE
_BATCH = 200
_PAST_MS = MINUTE
_MOST_PAST = 50


ShopNames = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]


class Part(Struct, frozen=True, kw_only=True):
    """The figures of one agent, group, hour, day or shop; of the whole under the empty key."""

    key: str
    name: str
    figures: Figures


class Report(Struct, frozen=True, kw_only=True):
    """A span of time, cut in parts, and the whole."""

    since: Millis
    until: Millis
    by: Cut | Literal["shop"]
    whole: Figures
    parts: list[Part]


class Now(Struct, frozen=True, kw_only=True):
    """What goes on at this moment. `slow`: buyers in a person's hands who have waited over 100 s."""

    at: Millis
    queued: int
    queue_longest_ms: int
    with_bot: int
    served: int
    waiting: int
    wait_longest_ms: int
    slow: int


class Live(Struct, frozen=True, kw_only=True):
    """The board: now, today so far, by agent and by hour; `before`: yesterday until this time of day. `work`: today's
    working time by person.
    """

    now: Now
    today: Figures
    agents: list[Part]
    hours: list[Part]
    before: Figures
    hours_before: list[Part]
    work: dict[str, Work]


class Reports:
    """For supervisors; agents see their own part. `shop_names(ids)` names shops."""

    def __init__(self, db: Database, clock: Clock, shop_names: ShopNames | None = None) -> None:
        self._db = db
        self._clock = clock
        self._shop_names = shop_names
        self._log = Log(db)
        self._cases = CaseBook(db)
        self.work = Worktimes(db, clock)
        self._past: dict[tuple[str, Millis], tuple[Millis, list[Fact]]] = {}  # oldest first

    async def report(self, staff: ShopStaff, since: Millis, until: Millis, by: Cut) -> Report:
        """BadSpan beyond 93 days."""
        found = await self._spanned(staff, since, until)
        names = await self.names(staff.shop_id, by)
        parts = [] if by == "all" else parts_of(found, by, names)
        return Report(since=since, until=until, by=by, whole=figures.figures(found), parts=parts)

    async def across(self, staff: Staff, since: Millis, until: Millis) -> Report:
        """The shops this person manages, side by side, and all of them together. BadSpan beyond 93 days."""
        shop_ids = sorted({grant.shop_id for grant in staff.grants})
        managed = [here for one in shop_ids if (here := staff.at(one)) and Right.MANAGE in here.rights]
        by_shop = {here.shop_id: await self._spanned(here, since, until) for here in managed}
        names: Mapping[str, str] = {}
        if self._shop_names is not None:
            names = await self._shop_names(list(by_shop))
        parts = [
            Part(key=shop_id, name=names.get(shop_id, shop_id), figures=figures.figures(found))
            for shop_id, found in by_shop.items()
        ]
        whole = figures.figures([fact for found in by_shop.values() for fact in found])
        return Report(since=since, until=until, by="shop", whole=whole, parts=parts)

    async def live(self, staff: ShopStaff) -> Live:
        """As of now; the day is the business day in Asia/Shanghai."""
        now = self._clock.now()
        since, until = business_day_bounds(business_day(now))
        found = await self.facts(staff.shop_id, since, until)
        past = await self._day_before(staff.shop_id, since)
        return Live(
            now=self._now(await self._cases.open_at(staff.shop_id), now),
            today=figures.figures(found),
            agents=parts_of(found, "agent", await self.names(staff.shop_id, "agent")),
            hours=parts_of(found, "hour", {}),
            before=figures.figures(figures.between(past, since - DAY, now - DAY)),
            hours_before=parts_of(past, "hour", {}),
            work=await self.work.today(staff.shop_id, since, until),
        )

    async def _day_before(self, shop_id: str, since: Millis) -> list[Fact]:
        """The facts of the day before: every open board asks every few seconds, and hardly anything changes there."""
        now, key = self._clock.now(), (shop_id, since)
        known = self._past.get(key)
        if known is not None and now - known[0] < _PAST_MS:
            return known[1]
        found = await self.facts(shop_id, since - DAY, since)
        self._past.pop(key, None)
        if len(self._past) >= _MOST_PAST:
            del self._past[next(iter(self._past))]
        self._past[key] = (now, found)
        return found

    async def mine(self, staff: ShopStaff, since: Millis, until: Millis) -> Figures:
        """The part of the person who asks. BadSpan beyond 93 days."""
        return figures.figures(await self._own(staff, since, until))

    async def own(self, staff: ShopStaff, since: Millis, until: Millis, by: Cut) -> Report:
        """The same, cut in parts. BadSpan beyond 93 days."""
        found = await self._own(staff, since, until)
        parts = [] if by == "all" else parts_of(found, by, {})
        return Report(since=since, until=until, by=by, whole=figures.figures(found), parts=parts)

    async def _own(self, staff: ShopStaff, since: Millis, until: Millis) -> list[Fact]:
        found = await self._spanned(staff, since, until)
        return [fact for fact in found if fact.agent_id == staff.person_id]

    async def _spanned(self, staff: ShopStaff, since: Millis, until: Millis) -> list[Fact]:
        if not since < until <= since + MOST_DAYS * DAY:
            raise BadSpan(days=MOST_DAYS)
        return await self.facts(staff.shop_id, since, until)

    async def facts(self, shop_id: str, since: Millis, until: Millis) -> list[Fact]:
        """Everything that happened at the shop in [since, until)."""
        found: list[Fact] = []
        batch: list[Case] = []
        seen: set[str] = set()  # a case may end between the two questions
        async for case in self._cases.alive_between(shop_id, since, until):
            if case.id not in seen:
                seen.add(case.id)
                batch.append(case)
            if len(batch) == _BATCH:
                found += await self._of(batch)
                batch = []
        found += await self._of(batch)
        return figures.between(found, since, until)

    async def keep(self, cases: Sequence[Case]) -> None:
        """Compute and keep the facts of ended cases: called before what was said in them is wiped."""
        await self._of(cases)

    async def names(self, shop_id: str, by: Cut) -> dict[str, str]:
        """What the keys of a cut are called."""
        if by == "agent":
            return {one.person_id: one.name for one in await self._cases.agents(shop_id)}
        if by == "group":
            return {one.id: one.name for one in await self._cases.groups(shop_id)}
        return {}

    async def stretch(self, case: Case) -> Stretch:
        """A case with its lines, for the rules. They begin after the end of the case before."""
        before = await self._cases.before(case)
        entries = await self._log.spoken(case.c, before.ended_at if before else None, case.ended_at)
        return Stretch(
            case_id=case.id,
            buyer_id=case.buyer_id,
            opened_at=case.opened_at,
            steps=steps_of(case),
            lines=tuple(Line(ts=one.ts, fr=one.fr, f=one.f, k=one.k, vis=one.vis) for one in entries),
            ended_at=case.ended_at,
        )

    async def _of(self, cases: Sequence[Case]) -> list[Fact]:
        now = self._clock.now()
        case_ids = [case.id for case in cases]
        kept = await store.kept(self._db, case_ids)
        ratings = await store.ratings(self._db, case_ids)
        summaries = await store.summaries(self._db, case_ids)
        found: list[Fact] = []
        fresh: list[Kept] = []
        for case in cases:
            known = kept.get(case.id)
            if known is None:
                happened = rules.happened(await self.stretch(case), now)
                if case.ended_at is not None and case.ended_at < now - SETTLED_MS:
                    fresh.append(Kept(id=case.id, c=case.c, shop_id=case.shop_id, facts=tuple(happened)))
            else:
                happened = list(known.facts)
            found += happened
            found += rules.opinions(judged(case, ratings.get(case.id), summaries.get(case.id)))
        await store.keep(self._db, fresh)
        return found

    def _now(self, cases: Sequence[Case], now: Millis) -> Now:
        queued = [max(0, now - (case.queued_at or case.opened_at)) for case in cases if case.state == "queued"]
        served = [case for case in cases if case.state == "human"]
        waits = [max(0, now - case.waiting_since) for case in served if case.waiting_since is not None]
        return Now(
            at=now,
            queued=len(queued),
            queue_longest_ms=max(queued, default=0),
            with_bot=sum(1 for case in cases if case.state == "bot"),
            served=len(served),
            waiting=len(waits),
            wait_longest_ms=max(waits, default=0),
            slow=sum(1 for wait in waits if wait > rules.SLOW_MS),
        )


def steps_of(case: Case) -> tuple[Step, ...]:
    """The desk's history as the rules read it; agents are persons here, so that figures follow a person."""
    found = [Step(at=case.opened_at, stage="new")]
    found += [
        Step(at=step.at, stage=step.now, agent_id=step.person_id, group_id=step.group_id) for step in case.history
    ]
    return tuple(found)


def judged(case: Case, rating: Rating | None, summary: Summary | None) -> Stretch:
    """Whether it was solved: the buyer's word, else the agent's summary, else how the agent ended it."""
    solved = case.resolved
    if summary is not None:
        solved = summary.solved
    if rating is not None and rating.solved is not None:
        solved = rating.solved
    return Stretch(
        case_id=case.id, buyer_id=case.buyer_id, opened_at=case.opened_at, steps=steps_of(case),
        ended_at=case.ended_at, stars=rating.stars if rating else None, solved=solved,
    )  # fmt: skip


def parts_of(found: Sequence[Fact], by: Cut, names: dict[str, str]) -> list[Part]:
    """Figures of each part, and for agents and groups those with a name that have none too."""
    parts = figures.cut(found, by)
    rows = [Part(key=key, name=names.get(key, ""), figures=figures.figures(facts)) for key, facts in parts.items()]
    empty = figures.figures([])
    rows += [Part(key=key, name=name, figures=empty) for key, name in names.items() if key not in parts]
    return [structs.replace(one, name=one.name or one.key) for one in rows]
