"""Figures of service, as answers and as files; evidence: exports, holds, retention, and the audit of them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.core.auth.model import Right, ShopStaff, at_shop
from octshop_rt.core.clock import MINUTE, Millis
from octshop_rt.core.errors import NotFound
from octshop_rt.core.http.routes import Call, Limit, Raw, Route
from octshop_rt.core.ids import Id
from octshop_rt.im.api.desk_views import Named
from octshop_rt.im.insight import sheets, work_sheets
from octshop_rt.im.insight.disputes import Disputes
from octshop_rt.im.insight.figures import Cut, Figures
from octshop_rt.im.insight.lookup import Lookup, Place
from octshop_rt.im.insight.model import BadKeeping, BadSpan, Hold, OnHold, Shown, Trace
from octshop_rt.im.insight.naming import Naming
from octshop_rt.im.insight.reports import Live, Report, Reports
from octshop_rt.im.insight.worktimes import WorkReport
from octshop_rt.im.wire.fields import Seq
from octshop_rt.im.wire.outgoing import Ent

REPORTS = Limit(name="chat-report", burst=30, per_ms=MINUTE)
EXPORTS = Limit(name="chat-export", burst=10, per_ms=MINUTE)
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ReportQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[since, until), at most 93 days, cut by agent, group, hour of day or day."""

    since: Millis
    until: Millis
    by: Cut = "day"


class FileQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As ReportQuery, or `work` for working time; and in which form."""

    since: Millis
    until: Millis
    by: Cut | Literal["work"] = "day"
    form: Literal["csv", "xlsx"] = "xlsx"


class MineQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[since, until), at most 93 days, cut by hour of day or day."""

    since: Millis
    until: Millis
    by: Literal["all", "hour", "day"] = "day"


class SpanQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[since, until), at most 93 days."""

    since: Millis
    until: Millis


class ExportQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """JSON lines with a hash chain, or the same for reading."""

    form: Shown = "jsonl"


class HoldWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why."""

    reason: Annotated[str, Meta(min_length=1, max_length=300)]


class KeepWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days to keep what was said; 0: for ever, else 30 at least."""

    # Not a union of 0 and 30 upwards: a bound on a number holds for the whole union.
    days: Annotated[int, Meta(ge=0, le=3_650)]


class KeepView(Struct, frozen=True, kw_only=True):
    """`wiped_until`: nothing said before this moment is left (but what is held)."""

    days: int
    by: str
    at: Millis
    wiped_until: Millis


class HoldsView(Struct, frozen=True, kw_only=True):
    """Newest first, lifted ones too. `names`: of people, and of conversations by their buyer."""

    items: list[Hold]
    names: dict[str, str]


class TracesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the last page."""

    cursor: Id | None = None


class Traces(Struct, frozen=True, kw_only=True):
    """Newest first. `names`: of people, and of conversations by their buyer."""

    items: list[Trace]
    next: str | None
    names: dict[str, str]


class PlaceQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of these, or none for the newest: entries below a number, above it, around it, or from a moment on."""

    before: Seq | None = None
    after: Seq | None = None
    around: Seq | None = None
    at: Millis | None = None


class TalkPage(Struct, frozen=True, kw_only=True):
    """A page of a conversation, ascending. Reading it moves no mark. `held`: it is in dispute."""

    c: str
    buyer: Named
    ents: list[Ent]
    head: int
    held: bool


class InsightApi:
    """Below /shop/{shop_id}/desk: for supervisors; agents see their own figures."""

    def __init__(self, reports: Reports, disputes: Disputes, lookup: Lookup, naming: Naming) -> None:
        self._reports = reports
        self._disputes = disputes
        self._lookup = lookup
        self._naming = naming

    def routes(self) -> list[Route]:
        """The table."""
        desk = "/shop/{shop_id}/desk"
        talk = f"{desk}/conversations/{{conversation_id}}"
        answers, manages = at_shop(Right.CHAT), at_shop(Right.MANAGE)
        return [
            Route(
                "GET", f"{desk}/figures/now", self._live, permission=manages, answer=Live,
                summary="The board's figures: now, today, by agent and hour", limit=REPORTS,
            ),
            Route(
                "GET", f"{desk}/figures/mine", self._mine, permission=answers, query=SpanQuery, answer=Figures,
                errors=(BadSpan,), summary="One's own figures", limit=REPORTS,
            ),
            Route(
                "GET", f"{desk}/reports", self._report, permission=manages, query=ReportQuery, answer=Report,
                errors=(BadSpan,), summary="Figures of a span of time, cut in parts", limit=REPORTS,
            ),
            Route(
                "GET", f"{desk}/reports/mine", self._own, permission=answers, query=MineQuery, answer=Report,
                errors=(BadSpan,), summary="One's own figures of a span of time, cut in parts", limit=REPORTS,
            ),
            Route(
                "GET", f"{desk}/reports/file", self._file, permission=manages, query=FileQuery, answer=Raw,
                errors=(BadSpan,), summary="The same as a file", limit=REPORTS,
            ),
            Route(
                "GET", f"{desk}/reports/work", self._work, permission=manages, query=SpanQuery, answer=WorkReport,
                errors=(BadSpan,), summary="Working time by agent and day: at work, online, serving, away and why",
                limit=REPORTS,
            ),
            Route(
                "GET", f"{desk}/reports/work/mine", self._own_work, permission=answers, query=SpanQuery,
                answer=WorkReport, errors=(BadSpan,), summary="One's own working time by day", limit=REPORTS,
            ),
            Route(
                "GET", f"{talk}/log", self._read, permission=answers, query=PlaceQuery, answer=TalkPage,
                errors=(NotFound,), summary="A conversation at any place of it, without a trace",
            ),
            Route(
                "GET", f"{talk}/export", self._export, permission=manages, query=ExportQuery, answer=Raw,
                errors=(NotFound,), summary="A conversation as evidence, with a hash chain; audited", limit=EXPORTS,
            ),
            Route(
                "PUT", f"{talk}/hold", self._hold, permission=manages, body=HoldWish, answer=Hold,
                errors=(NotFound, OnHold), summary="A conversation is in dispute: wipe nothing of it",
            ),
            Route(
                "DELETE", f"{talk}/hold", self._release, permission=manages, errors=(NotFound,),
                summary="The dispute is over",
            ),
            Route("GET", f"{desk}/holds", self._holds, permission=manages, answer=HoldsView, summary="Disputes"),
            Route(
                "GET", f"{desk}/retention", self._keeping, permission=manages, answer=KeepView,
                summary="How long the shop keeps what was said",
            ),
            Route(
                "PUT", f"{desk}/retention", self._keep, permission=manages, body=KeepWish, answer=KeepView,
                errors=(BadKeeping,),
                summary="Keep for so many days; the next night wipes what is older",
            ),
            Route(
                "GET", f"{desk}/traces", self._traces, permission=manages, query=TracesQuery, answer=Traces,
                summary="Who exported, held, released or wiped what",
            ),
        ]  # fmt: skip

    async def _live(self, call: Call[ShopStaff]) -> Live:
        return await self._reports.live(call.who)

    async def _mine(self, call: Call[ShopStaff]) -> Figures:
        asked: SpanQuery = call.query
        return await self._reports.mine(call.who, asked.since, asked.until)

    async def _own(self, call: Call[ShopStaff]) -> Report:
        asked: MineQuery = call.query
        return await self._reports.own(call.who, asked.since, asked.until, asked.by)

    async def _read(self, call: Call[ShopStaff]) -> TalkPage:
        asked: PlaceQuery = call.query
        place = Place(before=asked.before, after=asked.after, around=asked.around, at=asked.at)
        page = await self._lookup.read(call.who, call.path["conversation_id"], place)
        names = await self._naming.of(call.who.shop_id, [page.buyer_id])
        buyer = Named(id=page.buyer_id, name=names.get(page.buyer_id, ""))
        return TalkPage(c=page.c, buyer=buyer, ents=page.ents, head=page.head, held=page.held)

    async def _report(self, call: Call[ShopStaff]) -> Report:
        asked: ReportQuery = call.query
        return await self._reports.report(call.who, asked.since, asked.until, asked.by)

    async def _work(self, call: Call[ShopStaff]) -> WorkReport:
        asked: SpanQuery = call.query
        return await self._reports.work.report(call.who, asked.since, asked.until)

    async def _own_work(self, call: Call[ShopStaff]) -> WorkReport:
        asked: SpanQuery = call.query
        return await self._reports.work.mine(call.who, asked.since, asked.until)

    async def _file(self, call: Call[ShopStaff]) -> Raw:
        asked: FileQuery = call.query
        if asked.by == "work":
            work = await self._reports.work.report(call.who, asked.since, asked.until)
            body = await asyncio.to_thread(
                work_sheets.as_csv if asked.form == "csv" else work_sheets.as_xlsx, work, call.lang
            )
        else:
            report = await self._reports.report(call.who, asked.since, asked.until, asked.by)
            body = await asyncio.to_thread(sheets.as_csv if asked.form == "csv" else sheets.as_xlsx, report, call.lang)
        kind = "text/csv" if asked.form == "csv" else _XLSX
        return download(body, kind, f"service-{asked.by}.{asked.form}")

    async def _export(self, call: Call[ShopStaff]) -> Raw:
        asked: ExportQuery = call.query
        paper = await self._disputes.export(call.who, call.path["conversation_id"], asked.form)
        return download(paper.body, paper.content_type, paper.name, **{"X-Chain": paper.hash})

    async def _hold(self, call: Call[ShopStaff], body: HoldWish) -> Hold:
        return await self._disputes.hold(call.who, call.path["conversation_id"], body.reason)

    async def _release(self, call: Call[ShopStaff]) -> None:
        await self._disputes.release(call.who, call.path["conversation_id"])

    async def _holds(self, call: Call[ShopStaff]) -> HoldsView:
        rows = await self._disputes.holds(call.who)
        people = [person for one in rows for person in (one.by, one.lifted_by)]
        return HoldsView(items=rows, names=await self._naming.of(call.who.shop_id, people, [one.id for one in rows]))

    async def _keeping(self, call: Call[ShopStaff]) -> KeepView:
        row = await self._disputes.keeping(call.who)
        return KeepView(days=row.days, by=row.by, at=row.at, wiped_until=row.wiped_until)

    async def _keep(self, call: Call[ShopStaff], body: KeepWish) -> KeepView:
        row = await self._disputes.keep(call.who, body.days)
        return KeepView(days=row.days, by=row.by, at=row.at, wiped_until=row.wiped_until)

    async def _traces(self, call: Call[ShopStaff]) -> Traces:
        asked: TracesQuery = call.query
        rows, following = await self._disputes.traces(call.who, asked.cursor)
        names = await self._naming.of(call.who.shop_id, [one.by for one in rows], [one.c for one in rows])
        return Traces(items=rows, next=following, names=names)


def download(body: bytes, kind: str, name: str, **headers: str) -> Raw:
    """A file to be kept, never shown from our own address."""
    saved = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store", **headers}
    return Raw(body=body, content_type=kind, headers=saved)
