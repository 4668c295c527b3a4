"""Quality checks: the score sheet, samples, scores, and the agent's word."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.auth.model import Right, ShopStaff, at_shop
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.core.http.routes import Call, Route
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.im.insight.model import (
    MOST_ITEMS,
    MOST_SAMPLE,
    WHOLE,
    BadMarks,
    BadSheet,
    BadSpan,
    Check,
    CheckSettled,
    NoSheet,
    Sheet,
    SheetItem,
    Verdict,
)
from octshop_rt.im.insight.naming import Naming
from octshop_rt.im.insight.quality import Average, Quality

Words = Annotated[str, Meta(max_length=1_000)]
Mark = Annotated[int, Meta(ge=0, le=WHOLE)]


class SheetWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The lines; their points are 100 together. The same again changes nothing."""

    items: Annotated[tuple[SheetItem, ...], Meta(min_length=1, max_length=MOST_ITEMS)]


class SheetQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version of before; without, the newest."""

    version: Annotated[int, Meta(ge=1, le=2**31)] | None = None


class SheetOf(Struct, frozen=True, kw_only=True):
    """Null until there is one."""

    sheet: Sheet | None


class DrawWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cases that ended in [since, until), of one agent or of all alike."""

    request_id: RequestId
    since: Millis
    until: Millis
    size: Annotated[int, Meta(ge=1, le=MOST_SAMPLE)]
    agent_id: Id | None = None


class ChecksQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one agent, in one state."""

    agent_id: Id | None = None
    state: Verdict | None = None
    cursor: Id | None = None


class MyChecksQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One's own."""

    cursor: Id | None = None


class Checks(Struct, frozen=True, kw_only=True):
    """Newest first. `names`: of agents, of who scored, and of conversations by their buyer."""

    items: list[Check]
    next: str | None
    names: dict[str, str]


class CheckOf(Struct, frozen=True, kw_only=True):
    """A check with what is needed to score it: the sheet it was drawn with, and when the case was."""

    check: Check
    sheet: Sheet
    opened_at: Millis
    ended_at: Millis | None
    names: dict[str, str]


class AveragesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Scored in [since, until), at most 93 days."""

    since: Millis
    until: Millis


class Averages(Struct, frozen=True, kw_only=True):
    """By agent."""

    items: list[Average]
    names: dict[str, str]


class ScoreWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mark for each line of the sheet the check was drawn with."""

    marks: Annotated[list[Mark], Meta(max_length=MOST_ITEMS)]
    text: Words = ""


class AppealWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the score is not right."""

    text: Annotated[str, Meta(min_length=1, max_length=1_000)]


class QualityApi:
    """Below /shop/{shop_id}/desk/quality. Supervisors score; agents read their own."""

    def __init__(self, quality: Quality, naming: Naming) -> None:
        self._quality = quality
        self._naming = naming

    def routes(self) -> list[Route]:
        """The table."""
        place = "/shop/{shop_id}/desk/quality"
        answers, manages = at_shop(Right.CHAT), at_shop(Right.MANAGE)
        return [
            Route(
                "GET", f"{place}/sheet", self._sheet, permission=answers, query=SheetQuery, answer=SheetOf,
                summary="The score sheet",
            ),
            Route(
                "PUT", f"{place}/sheet", self._put_sheet, permission=manages, body=SheetWish, answer=SheetOf,
                errors=(BadSheet,), summary="Set the score sheet; checks drawn before keep theirs",
            ),
            Route(
                "POST", f"{place}/samples", self._draw, permission=manages, body=DrawWish, answer=Checks, status=201,
                errors=(BadSpan, NoSheet, RequestConflict), summary="Draw a sample of ended cases, fairly over agents",
            ),
            Route(
                "GET", f"{place}/checks", self._listed, permission=manages, query=ChecksQuery, answer=Checks,
                summary="Checks of the shop, newest first",
            ),
            Route(
                "GET", f"{place}/mine", self._mine, permission=answers, query=MyChecksQuery, answer=Checks,
                summary="Checks of one's own cases that are scored",
            ),
            Route(
                "GET", f"{place}/checks/{{check_id}}", self._one, permission=answers, answer=CheckOf,
                errors=(NotFound,), summary="A check and its sheet: any for supervisors, one's own scored ones",
            ),
            Route(
                "GET", f"{place}/averages", self._averages, permission=manages, query=AveragesQuery, answer=Averages,
                errors=(BadSpan,), summary="Average scores by agent",
            ),
            Route(
                "POST", f"{place}/checks/{{check_id}}/score", self._score, permission=manages, body=ScoreWish,
                answer=Check, errors=(NotFound, BadMarks, CheckSettled), summary="Score a check",
            ),
            Route(
                "POST", f"{place}/checks/{{check_id}}/appeal", self._appeal, permission=answers, body=AppealWish,
                answer=Check, errors=(NotFound, CheckSettled), summary="Answer a score of one's own case, once",
            ),
        ]  # fmt: skip

    async def _sheet(self, call: Call[ShopStaff]) -> SheetOf:
        asked: SheetQuery = call.query
        return SheetOf(sheet=await self._quality.sheet(call.who, asked.version))

    async def _put_sheet(self, call: Call[ShopStaff], body: SheetWish) -> SheetOf:
        return SheetOf(sheet=await self._quality.put_sheet(call.who, body.items))

    async def _draw(self, call: Call[ShopStaff], body: DrawWish) -> Checks:
        drawn = await self._quality.draw(
            call.who,
            request_id=body.request_id,
            since=body.since,
            until=body.until,
            size=body.size,
            agent_id=body.agent_id,
        )
        return await self._page(call.who, drawn, None)

    async def _listed(self, call: Call[ShopStaff]) -> Checks:
        asked: ChecksQuery = call.query
        rows, following = await self._quality.listed(
            call.who, agent_id=asked.agent_id, state=asked.state, below=asked.cursor
        )
        return await self._page(call.who, rows, following)

    async def _mine(self, call: Call[ShopStaff]) -> Checks:
        asked: MyChecksQuery = call.query
        rows, following = await self._quality.listed(
            call.who, agent_id=call.who.person_id, state=None, below=asked.cursor
        )
        return await self._page(call.who, [row for row in rows if row.state != "open"], following)

    async def _one(self, call: Call[ShopStaff]) -> CheckOf:
        check, case, sheet = await self._quality.one(call.who, call.path["check_id"])
        named = await self._page(call.who, [check], None)
        return CheckOf(
            check=check, sheet=sheet, opened_at=case.opened_at, ended_at=case.ended_at, names=named.names
        )  # fmt: skip

    async def _averages(self, call: Call[ShopStaff]) -> Averages:
        asked: AveragesQuery = call.query
        rows = await self._quality.averages(call.who, asked.since, asked.until)
        return Averages(items=rows, names=await self._naming.of(call.who.shop_id, [one.agent_id for one in rows]))

    async def _score(self, call: Call[ShopStaff], body: ScoreWish) -> Check:
        return await self._quality.score(call.who, call.path["check_id"], marks=tuple(body.marks), text=body.text)

    async def _appeal(self, call: Call[ShopStaff], body: AppealWish) -> Check:
        return await self._quality.appeal(call.who, call.path["check_id"], body.text)

    async def _page(self, who: ShopStaff, rows: list[Check], following: str | None) -> Checks:
        people = [person for one in rows for person in (one.agent_id, one.by)]
        names = await self._naming.of(who.shop_id, people, [one.c for one in rows])
        return Checks(items=rows, next=following, names=names)
