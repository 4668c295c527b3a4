"""Reports as files: CSV for any program, XLSX with a chart. Nothing a person typed can become a formula in them."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Sequence
from typing import Any

from octshop_rt.core.errors import Lang
from octshop_rt.im.insight.figures import Figures
from octshop_rt.im.insight.reports import Part, Report

# Field, words of its column, and what its number is: a count, milliseconds, basis points, hundredths of a star.
COLUMNS: tuple[tuple[str, str, str, str], ...] = (
    ("opened", "会话数", "Cases opened", "count"),
    ("closed", "结束数", "Cases ended", "count"),
    ("bot_only", "机器人独立接待", "Bot only", "count"),
    ("served", "人工接待", "Served by people", "count"),
    ("moved", "转接", "Transfers", "count"),
    ("abandoned", "排队放弃", "Abandoned", "count"),
    ("abandoned_avg_ms", "放弃前平均等待(秒)", "Wait before abandoning (s)", "ms"),
    ("queue_count", "排队次数", "Queued", "count"),
    ("queue_avg_ms", "平均排队(秒)", "Average queue (s)", "ms"),
    ("queue_max_ms", "最长排队(秒)", "Longest queue (s)", "ms"),
    ("first_avg_ms", "首次响应(秒)", "First response (s)", "ms"),
    ("answer_count", "应答次数", "Answers", "count"),
    ("answer_avg_ms", "平均响应(秒)", "Average response (s)", "ms"),
    ("fast_bp", "30秒应答率", "Answered in 30 s", "bp"),
    ("human_bp", "3分钟人工回复率", "Human reply in 3 min", "bp"),
    ("slow_count", "慢回复(超100秒)", "Slow replies (over 100 s)", "count"),
    ("solved", "已解决", "Resolved", "count"),
    ("unsolved", "未解决", "Unresolved", "count"),
    ("solved_bp", "解决率", "Resolved share", "bp"),
    ("rated", "评价数", "Ratings", "count"),
    ("csat_bp", "满意率", "CSAT", "bp"),
    ("stars_avg_hundredths", "平均星级", "Average stars", "stars"),
)
KEYS = {
    "all": ("店铺", "Shop"),
    "agent": ("客服", "Agent"),
    "group": ("客服组", "Group"),
    "hour": ("时段", "Hour"),
    "day": ("日期", "Day"),
    "shop": ("店铺", "Shop"),
}
WHOLE = ("合计", "Total")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_FORMATS = {"count": "0", "ms": "0.0", "bp": "0.00%", "stars": "0.00"}


def as_csv(report: Report, lang: Lang) -> bytes:
    """UTF-8 with a mark, so that spreadsheets read Chinese. Text that looks like a formula gets an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_header(report, lang))
    for name, row in _rows(report, lang):
        writer.writerow([inert(name), *(_text(kind, row, field) for field, _, _, kind in COLUMNS)])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def as_xlsx(report: Report, lang: Lang) -> bytes:
    """One sheet of typed numbers and a chart of cases and response times. Text is written as text, never as formula."""
    out = io.BytesIO()
    # Loaded here: most processes never write one. By name, because the package has no types.
    library: Any = importlib.import_module("xlsxwriter")
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = library.Workbook(out, options)
    sheet = book.add_worksheet("report")
    bold = book.add_format({"bold": True, "bg_color": "#EEF1F6", "text_wrap": True, "valign": "vcenter"})
    formats = {kind: book.add_format({"num_format": shape}) for kind, shape in _FORMATS.items()}
    for column, words in enumerate(_header(report, lang)):
        sheet.write_string(0, column, words, bold)
    rows = _rows(report, lang)
    for number, (name, row) in enumerate(rows, 1):
        sheet.write_string(number, 0, name)
        for column, (field, _, _, kind) in enumerate(COLUMNS, 1):
            value = _number(kind, row, field)
            if value is not None:
                sheet.write_number(number, column, value, formats[kind])
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, len(COLUMNS), 12)
    sheet.freeze_panes(1, 1)
    if report.parts:
        _draw(book, sheet, len(report.parts), lang)
    book.close()
    return out.getvalue()


def inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _draw(book: Any, sheet: Any, parts: int, lang: Lang) -> None:
    chart = book.add_chart({"type": "column"})
    line = book.add_chart({"type": "line"})
    names = [column[0] for column in COLUMNS]
    for one, field, second in ((chart, "opened", False), (line, "first_avg_ms", True)):
        column = names.index(field) + 1
        one.add_series(
            {
                "name": ["report", 0, column],
                "categories": ["report", 1, 0, parts, 0],
                "values": ["report", 1, column, parts, column],
                "y2_axis": second,
            }
        )
    chart.combine(line)
    chart.set_title({"name": "会话与首次响应" if lang == "zh-CN" else "Cases and first response"})
    chart.set_size({"width": 900, "height": 360})
    sheet.insert_chart(parts + 3, 0, chart)


def _header(report: Report, lang: Lang) -> list[str]:
    place = 0 if lang == "zh-CN" else 1
    return [KEYS[report.by][place], *(column[1 + place] for column in COLUMNS)]


def _rows(report: Report, lang: Lang) -> list[tuple[str, Figures]]:
    """Parts first, the whole last."""
    place = 0 if lang == "zh-CN" else 1
    parts: Sequence[Part] = report.parts
    return [*((part.name, part.figures) for part in parts), (WHOLE[place], report.whole)]


def _number(kind: str, row: Figures, field: str) -> float | None:
    value: int | None = getattr(row, field)
    if value is None:
        return None
    return value / {"count": 1, "ms": 1_000, "bp": 10_000, "stars": 100}[kind]


def _text(kind: str, row: Figures, field: str) -> str:
    value = _number(kind, row, field)
    if value is None:
        return ""
    shapes = {"count": f"{value:.0f}", "ms": f"{value:.1f}", "bp": f"{value:.2%}", "stars": f"{value:.2f}"}
    return shapes[kind]
