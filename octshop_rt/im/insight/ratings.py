"""Ratings of ended cases by their buyers, and the agent's summary of what a case was about."""

from __future__ import annotations

from msgspec import structs

from octshop_rt.core.auth.model import Buyer, ShopStaff
from octshop_rt.core.bus import Bus, Notice, notify
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.errors import RequestConflict
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.im.desk.model import Case, NoSuchCase
from octshop_rt.im.desk.reading import CaseBook
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.insight import store
from octshop_rt.im.insight.model import (
    RATE_WITHIN_MS,
    RATING_MS,
    CaseNotEnded,
    Rating,
    Summary,
    TooLateToRate,
    Topic,
)

PAGE = 50


class Ratings:
    """One rating a case; the buyer may change it for a day."""

    def __init__(self, db: Database, clock: Clock, bus: Bus, guard: Guard | None = None) -> None:
        self._db = db
        self._guard = guard
        self._clock = clock
        self._bus = bus
        self._cases = CaseBook(db)

    async def rate(
        self, buyer: Buyer, case_id: str, *, request_id: str, stars: int, solved: bool | None, tags: tuple[str, ...],
        text: str,
    ) -> Rating:  # fmt: skip
        """Give or change it. NoSuchCase, CaseNotEnded, TooLateToRate, RequestConflict. Its words pass the guard, whose
        refusals fly out; stars are anybody's.
        """
        case = await self.case_of(buyer, case_id)
        if case.ended_at is None:
            raise CaseNotEnded
        text = text.strip()
        if self._guard is not None and (text or tags):
            text, *fair = await self._guard.worded(case.shop_id, case.c, case.buyer_id, buyer, text, *tags)
            tags = tuple(fair)
        now = self._clock.now()
        last = case.history[-1] if case.history else None
        row = Rating(
            id=case.id, shop_id=case.shop_id, c=case.c, buyer_id=case.buyer_id, agent_id=case.person_id,
            group_id=case.group_id or (last.group_id if last else None), stars=stars, solved=solved, tags=tags,
            text=text, request_id=request_id, at=now, changed_at=now, until=now + RATING_MS,
        )  # fmt: skip
        given = await store.rating(self._db, case.id)
        if given is None:
            if now > case.ended_at + RATE_WITHIN_MS:
                raise TooLateToRate
            try:
                await store.add_rating(self._db, row)
            except DuplicateKey:  # the same tap, twice at once
                given = await store.rating(self._db, case.id)
                assert given is not None, "ratings are never removed"
        if given is not None:
            row = await self._again(given, row, now)
        await notify(self._bus, Notice(topic="board", id=case.shop_id, rev=now, d={"rated": case.id}))
        return row

    async def of_buyer(self, buyer: Buyer, case_id: str) -> tuple[Case, Rating | None]:
        """The case and what its buyer thinks of it."""
        case = await self.case_of(buyer, case_id)
        return case, await store.rating(self._db, case_id)

    def open_until(self, case: Case, given: Rating | None) -> Millis | None:
        """Until when the buyer may rate or change; None: not, or no longer."""
        if case.ended_at is None:
            return None
        until = given.until if given else case.ended_at + RATE_WITHIN_MS
        return until if until > self._clock.now() else None

    async def of_shop(
        self,
        staff: ShopStaff,
        *,
        agent_id: str | None,
        stars: int | None,
        below: Millis | None,
        since: Millis | None = None,
    ) -> tuple[list[Rating], Millis | None]:
        """The shop's given at `since` or later, newest first."""
        rows = await store.ratings_of(self._db, staff.shop_id, agent_id, stars, since, below, PAGE + 1)
        return rows[:PAGE], rows[PAGE - 1].at if len(rows) > PAGE else None

    async def case_of(self, buyer: Buyer, case_id: str) -> Case:
        """NoSuchCase unless it is the buyer's own, or was while they were a guest."""
        case = await self._cases.one(case_id)
        if case is None or case.buyer_id not in buyer.ids:
            raise NoSuchCase
        return case

    async def _again(self, given: Rating, row: Rating, now: Millis) -> Rating:
        words = (row.stars, row.solved, row.tags, row.text)
        same = (given.stars, given.solved, given.tags, given.text) == words
        if given.request_id == row.request_id:
            if not same:
                raise RequestConflict
            return given
        put = {
            "stars": row.stars, "solved": row.solved, "tags": list(row.tags), "text": row.text,
            "request_id": row.request_id, "changed_at": now,
        }  # fmt: skip
        changed = await store.change_rating(self._db, given.id, now, put)
        if changed is None:
            raise TooLateToRate
        return changed


class Summaries:
    """What a case was about, for whoever serves the buyer next. The last word counts."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._cases = CaseBook(db)

    async def put(self, staff: ShopStaff, case_id: str, *, topic: Topic, solved: bool, text: str) -> Summary:
        """Write or rewrite it. NoSuchCase."""
        case = await self._case(staff, case_id)
        row = Summary(
            id=case.id, shop_id=case.shop_id, c=case.c, topic=topic, solved=solved, text=text.strip(),
            by=staff.person_id, at=self._clock.now(),
        )  # fmt: skip
        before = await store.summary(self._db, case.id)
        if before is not None and structs.replace(before, at=row.at) == row:
            return before
        await store.put_summary(self._db, row)
        return row

    async def of(self, staff: ShopStaff, case_id: str) -> Summary | None:
        """NoSuchCase."""
        await self._case(staff, case_id)
        return await store.summary(self._db, case_id)

    async def _case(self, staff: ShopStaff, case_id: str) -> Case:
        case = await self._cases.one(case_id)
        if case is None or case.shop_id != staff.shop_id:
            raise NoSuchCase
        return case
