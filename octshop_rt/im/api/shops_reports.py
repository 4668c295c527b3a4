"""Figures of service of all shops of one person side by side: for who manages several."""

from __future__ import annotations

import asyncio
from typing import Literal

from msgspec import Struct

from octshop_rt.core.auth.model import STAFF, Staff
from octshop_rt.core.clock import Millis
from octshop_rt.core.http.routes import Call, Raw, Route
from octshop_rt.im.api.insight import REPORTS, SpanQuery, download
from octshop_rt.im.insight import sheets
from octshop_rt.im.insight.model import BadSpan
from octshop_rt.im.insight.reports import Report, Reports

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ShopsFileQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[since, until), at most 93 days, and in which form."""

    since: Millis
    until: Millis
    form: Literal["csv", "xlsx"] = "xlsx"


class ShopsReports:
    """Below /staff/reports. Shops where the person does not manage are not in it."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    def routes(self) -> list[Route]:
        """The table."""
        shops = "/staff/reports/shops"
        return [
            Route(
                "GET", shops, self._report, permission=STAFF, query=SpanQuery, answer=Report, errors=(BadSpan,),
                summary="Figures of a span of time by shop, of those one manages", limit=REPORTS,
            ),
            Route(
                "GET", f"{shops}/file", self._file, permission=STAFF, query=ShopsFileQuery, answer=Raw,
                errors=(BadSpan,), summary="The same as a file", limit=REPORTS,
            ),
        ]  # fmt: skip

    async def _report(self, call: Call[Staff]) -> Report:
        asked: SpanQuery = call.query
        return await self._reports.across(call.who, asked.since, asked.until)

    async def _file(self, call: Call[Staff]) -> Raw:
        asked: ShopsFileQuery = call.query
        report = await self._reports.across(call.who, asked.since, asked.until)
        body = await asyncio.to_thread(sheets.as_csv if asked.form == "csv" else sheets.as_xlsx, report, call.lang)
        return download(body, "text/csv" if asked.form == "csv" else _XLSX, f"service-shop.{asked.form}")
