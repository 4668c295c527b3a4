"""Report files: the numbers are those of the report, and nothing a person typed becomes a formula."""

from __future__ import annotations

import csv
import io
import re
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octshop_rt.im.insight import figures, sheets
from octshop_rt.im.insight.model import Fact
from octshop_rt.im.insight.reports import Part, Report

EVIL = ['=HYPERLINK("http://x","y")', "+1+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "http://x.test/"]


def report(*names: str) -> Report:
    facts = [
        Fact(kind="opened", at=0, case_id="Z1", buyer_id="U1"),
        Fact(kind="answered", at=0, case_id="Z1", buyer_id="U1", ms=1_500),
        Fact(kind="rated", at=0, case_id="Z1", buyer_id="U1", stars=4),
    ]
    whole = figures.figures(facts)
    parts = [Part(key=str(number), name=name, figures=whole) for number, name in enumerate(names)]
    return Report(since=0, until=1, by="agent", whole=whole, parts=parts)


def test_a_csv_has_the_figures_and_no_formula() -> None:  # req I8
    text = sheets.as_csv(report("小梅", *EVIL), "zh-CN")
    assert text.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline="")))
    assert (rows[0][0], rows[1][0], rows[-1][0]) == ("客服", "小梅", "合计")
    column = [one[1] for one in sheets.COLUMNS].index("平均响应(秒)") + 1
    assert (rows[1][1], rows[1][column], rows[1][-1], rows[1][-2]) == ("1", "1.5", "4.00", "100.00%")
    assert all(row[0][0] not in "=+-@\t\r\n" for row in rows)


@given(st.text(min_size=1, max_size=8))
def test_no_text_stays_a_formula(text: str) -> None:
    assert sheets.inert(text)[0] not in "=+-@\t\r\n"


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_an_xlsx_has_numbers_a_chart_and_no_formula(lang: str) -> None:  # req I8
    found = zipfile.ZipFile(io.BytesIO(sheets.as_xlsx(report("小梅", *EVIL), lang)))  # type: ignore[arg-type]
    sheet = found.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet.lower()
    assert re.search(r"<v>1\.5</v>", sheet)
    assert "=HYPERLINK" in found.read("xl/sharedStrings.xml").decode()  # as text
    assert "xl/charts/chart1.xml" in found.namelist()


def test_every_figure_of_a_column_exists() -> None:
    assert {one[0] for one in sheets.COLUMNS} <= set(figures.Figures.__struct_fields__)
