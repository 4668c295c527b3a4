"""Working time as files: a row a day of each agent, a row for all their days, the whole last; a column a reason."""

from __future__ import annotations

import csv
import importlib
import io
from typing import Any

from octshop_rt.core.clock import DAY
from octshop_rt.core.errors import Lang
from octshop_rt.im.insight.sheets import WHOLE, inert
from octshop_rt.im.insight.worktime import Work
from octshop_rt.im.insight.worktimes import WorkReport

COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("work_ms", "在岗", "At work"),
    ("online_ms", "在线", "Online"),
    ("serving_ms", "接待", "Serving"),
)
KEYS = (("客服", "Agent"), ("日期", "Day"))
PAUSES = {"busy": ("忙碌", "Busy"), "away": ("离开", "Away")}
SECONDS = ("秒", "s")
Reason = tuple[str, str]


def as_csv(report: WorkReport, lang: Lang) -> bytes:
    """Seconds. UTF-8 with a mark; text that looks like a formula gets an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    reasons = _reasons(report)
    unit = SECONDS[_place(lang)]
    heads = _heads(reasons, lang)
    writer.writerow([*(inert(one) for one in heads[:2]), *(inert(f"{one}({unit})") for one in heads[2:])])
    for name, day, work in _rows(report, lang):
        writer.writerow([inert(name), inert(day), *(_seconds(ms) for ms in _values(work, reasons))])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def as_xlsx(report: WorkReport, lang: Lang) -> bytes:
    """Durations as a spreadsheet knows them, so that they add up there. Text is written as text, never as formula."""
    out = io.BytesIO()
    # Loaded here and by name, as for the other reports.
    library: Any = importlib.import_module("xlsxwriter")
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = library.Workbook(out, options)
    sheet = book.add_worksheet("work")
    bold = book.add_format({"bold": True, "bg_color": "#EEF1F6", "text_wrap": True, "valign": "vcenter"})
    span = book.add_format({"num_format": "[h]:mm:ss"})
    reasons = _reasons(report)
    for column, words in enumerate(_heads(reasons, lang)):
        sheet.write_string(0, column, words, bold)
    for number, (name, day, work) in enumerate(_rows(report, lang), 1):
        sheet.write_string(number, 0, name)
        sheet.write_string(number, 1, day)
        for column, ms in enumerate(_values(work, reasons), 2):
            sheet.write_number(number, column, ms / DAY, span)
    sheet.set_column(0, 1, 16)
    sheet.set_column(2, 2 + len(COLUMNS) + len(reasons), 12)
    sheet.freeze_panes(1, 2)
    book.close()
    return out.getvalue()


def _place(lang: Lang) -> int:
    return 0 if lang == "zh-CN" else 1


def _reasons(report: WorkReport) -> list[Reason]:
    """Every state and reason of the span, the longest first."""
    return [(one.status, one.reason) for one in report.whole.pauses]


def _heads(reasons: list[Reason], lang: Lang) -> list[str]:
    place = _place(lang)
    named = [PAUSES[status][place] + (f" · {reason}" if reason else "") for status, reason in reasons]
    return [*(one[place] for one in KEYS), *(one[1 + place] for one in COLUMNS), *named]


def _rows(report: WorkReport, lang: Lang) -> list[tuple[str, str, Work]]:
    whole = WHOLE[_place(lang)]
    rows: list[tuple[str, str, Work]] = []
    for agent in report.agents:
        rows += [(agent.name, one.day, one.work) for one in agent.days]
        rows.append((agent.name, whole, agent.whole))
    return [*rows, (whole, "", report.whole)]


def _values(work: Work, reasons: list[Reason]) -> list[int]:
    pauses = {(one.status, one.reason): one.ms for one in work.pauses}
    return [*(getattr(work, field) for field, _, _ in COLUMNS), *(pauses.get(one, 0) for one in reasons)]


def _seconds(ms: int) -> str:
    return f"{ms / 1_000:.0f}"
