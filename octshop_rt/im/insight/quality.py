"""Quality: a shop's score sheet, samples drawn fairly over agents, scores, and the agent's word about them."""

from __future__ import annotations

import hashlib

from msgspec import Struct

from octshop_rt.core.auth.model import Right, ShopStaff
from octshop_rt.core.clock import DAY, Clock, Millis
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.im.desk.model import Case
from octshop_rt.im.desk.reading import CaseBook
from octshop_rt.im.insight import quality_store as store
from octshop_rt.im.insight import sampling
from octshop_rt.im.insight.model import (
    MOST_DAYS,
    BadSpan,
    Check,
    CheckSettled,
    Draw,
    NoSheet,
    Sheet,
    SheetItem,
    Verdict,
)

PAGE = 50
_MOST_CANDIDATES = 20_000


class Average(Struct, frozen=True, kw_only=True):
    """An agent's scores over a span of time. `hundredths`: the average, in hundredths of a point."""

    agent_id: str
    checks: int
    hundredths: int
    lowest: int
    appealed: int


class Quality:
    """Supervisors draw and score; agents see their own and may answer once."""

    def __init__(self, db: Database, clock: Clock, ids: Ids) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._cases = CaseBook(db)

    async def sheet(self, staff: ShopStaff, version: int | None = None) -> Sheet | None:
        """The shop's newest, or one of before; None until one is made."""
        return await store.sheet(self._db, staff.shop_id, version)

    async def put_sheet(self, staff: ShopStaff, items: tuple[SheetItem, ...]) -> Sheet:
        """A new version unless it is the same. BadSheet."""
        sampling.check_sheet(items)
        while True:
            newest = await store.sheet(self._db, staff.shop_id)
            if newest is not None and newest.items == items:
                return newest
            row = Sheet(
                id=self._ids.new("Z"), shop_id=staff.shop_id, version=newest.version + 1 if newest else 1,
                items=items, by=staff.person_id, at=self._clock.now(),
            )  # fmt: skip
            try:
                await store.add_sheet(self._db, row)
            except DuplicateKey:
                continue
            return row

    async def draw(
        self, staff: ShopStaff, *, request_id: str, since: Millis, until: Millis, size: int, agent_id: str | None
    ) -> list[Check]:
        """A sample of the cases a person has served that ended in [since, until) and were not drawn before: by chance
        that the request id fixes, and the same number from each agent as far as there are so many.
        """
        until = min(until, self._clock.now())
        if not since < until <= since + MOST_DAYS * DAY:
            raise BadSpan(days=MOST_DAYS)
        sheet = await store.sheet(self._db, staff.shop_id)
        if sheet is None:
            raise NoSheet
        draw = await self._begin(staff, request_id, since, until, size, agent_id)
        ended = await self._cases.ended_between(staff.shop_id, draw.since, draw.until, _MOST_CANDIDATES)
        served = [case for case in ended if case.person_id and (agent_id is None or case.person_id == agent_id)]
        before = await store.checked_cases(self._db, staff.shop_id, [case.id for case in served], draw.id)
        picked = sampling.spread(
            {case.id: case.person_id or "" for case in served if case.id not in before}, draw.id, draw.size
        )
        by_id = {case.id: case for case in served}
        for case_id in picked:
            await store.add_check(self._db, self._check(by_id[case_id], draw, sheet))
        return await store.drawn(self._db, draw.id)

    async def listed(
        self, staff: ShopStaff, *, agent_id: str | None, state: Verdict | None, below: str | None
    ) -> tuple[list[Check], str | None]:
        """The shop's checks, newest first."""
        states: list[Verdict] = [state] if state else []
        rows = await store.checks(self._db, staff.shop_id, agent_id, states, below, PAGE + 1)
        return rows[:PAGE], rows[PAGE - 1].id if len(rows) > PAGE else None

    async def one(self, staff: ShopStaff, check_id: str) -> tuple[Check, Case, Sheet]:
        """A check, its case, the sheet it is scored by: managers any, agents their own scored ones. NotFound."""
        check = await self._one(staff, check_id)
        theirs = check.agent_id != staff.person_id or check.state == "open"
        case = await self._cases.one(check.case_id)
        sheet = await store.sheet(self._db, staff.shop_id, check.sheet_version)
        if (theirs and Right.MANAGE not in staff.rights) or case is None or sheet is None:
            raise NotFound
        return check, case, sheet

    async def averages(self, staff: ShopStaff, since: Millis, until: Millis) -> list[Average]:
        """Of every agent with a score given in [since, until). BadSpan."""
        if not since < until <= since + MOST_DAYS * DAY:
            raise BadSpan(days=MOST_DAYS)
        return [
            Average(
                agent_id=row["_id"],
                checks=row["checks"],
                hundredths=(200 * row["total"] + row["checks"]) // (2 * row["checks"]),
                lowest=row["lowest"],
                appealed=row["appealed"],
            )
            for row in await store.averages(self._db, staff.shop_id, since, until)
        ]

    async def score(self, staff: ShopStaff, check_id: str, *, marks: tuple[int, ...], text: str) -> Check:
        """Score it, or score it anew after the agent's word, which settles it. BadMarks, CheckSettled, NotFound."""
        check = await self._one(staff, check_id)
        sheet = await store.sheet(self._db, staff.shop_id, check.sheet_version)
        assert sheet is not None, "sheets are never removed"
        total = sampling.score(sheet.items, marks)
        now = self._clock.now()
        put = {"marks": list(marks), "score": total, "text": text.strip(), "by": staff.person_id}
        if check.state == "appealed":
            put |= {"state": "settled", "settled_at": now}
        else:
            put |= {"state": "scored", "scored_at": now}
        sources: list[Verdict] = ["appealed"] if check.state == "appealed" else ["open", "scored"]
        changed = await store.move_check(self._db, staff.shop_id, check_id, sources, put)
        if changed is None:
            raise CheckSettled
        return changed

    async def appeal(self, staff: ShopStaff, check_id: str, text: str) -> Check:
        """The agent's word about a score of their own, once. CheckSettled, NotFound."""
        check = await self._one(staff, check_id)
        if check.agent_id != staff.person_id:
            raise NotFound
        put = {"state": "appealed", "appeal": text.strip(), "appealed_at": self._clock.now()}
        changed = await store.move_check(self._db, staff.shop_id, check_id, ["scored"], put, staff.person_id)
        if changed is None:
            raise CheckSettled
        return changed

    async def _one(self, staff: ShopStaff, check_id: str) -> Check:
        check = await store.check(self._db, staff.shop_id, check_id)
        if check is None:
            raise NotFound
        return check

    async def _begin(
        self, staff: ShopStaff, request_id: str, since: Millis, until: Millis, size: int, agent_id: str | None
    ) -> Draw:
        print_ = hashlib.blake2b(f"{since} {size} {agent_id}".encode(), digest_size=12).hexdigest()
        row = Draw(
            id=f"{staff.shop_id}:{request_id}", shop_id=staff.shop_id, since=since, until=until, size=size,
            agent_id=agent_id, by=staff.person_id, at=self._clock.now(), print=print_,
        )  # fmt: skip
        try:
            await store.add_draw(self._db, row)
        except DuplicateKey:
            first = await store.draw(self._db, row.id)
            assert first is not None, "draws are never removed"
            if first.print != print_:
                raise RequestConflict from None
            return first
        return row

    def _check(self, case: Case, draw: Draw, sheet: Sheet) -> Check:
        return Check(
            id=self._ids.new("Z"), shop_id=case.shop_id, case_id=case.id, c=case.c, agent_id=case.person_id or "",
            draw_id=draw.id, drawn_at=self._clock.now(), state="open", sheet_version=sheet.version,
        )  # fmt: skip
