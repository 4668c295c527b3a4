"""Acceptance 27, working time: the scripted day added up by hand, to the second; and laws that hold for any record."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from octshop_rt.core.clock import DAY as DAY_MS
from octshop_rt.core.clock import TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.insight import work_sheets
from octshop_rt.im.insight.reports import Reports
from octshop_rt.im.insight.worktime import Mark, Span, Work, both, days_of, merged, stretches, together
from octshop_rt.im.insight.worktimes import AgentWork, WorkReport
from tests.insight.days import Script, at, staff
from tests.insight.test_day import DAY, scripted

NEXT = "2026-03-03"
HOUR = 3_600


def pauses(work: Work) -> dict[str, int]:
    """Seconds by state and reason."""
    return {f"{one.status} {one.reason}".strip(): one.ms // 1_000 for one in work.pauses}


def seconds(work: Work) -> tuple[int, int, int]:
    return work.work_ms // 1_000, work.online_ms // 1_000, work.serving_ms // 1_000


async def worked(db: Database, clock: TestClock) -> None:
    """Over the day of acceptance 27, who was there:

    ann  08:58:00 online; 11:30:00 away 吃饭; 12:15:30 online; 18:00:00 her lid is closed, which is noticed at
         18:01:00 (gone); 19:30:00 back; goes on past midnight, last seen at 23:59:50 and again after it.
    bob  the day before 22:00:00 online, at 01:30:00 offline; 09:30:00 online; 13:59:00 sent into 培训 by his manager
         (busy); 14:04:30 online himself; 15:00:00 offline.
    """
    day = Script(db)
    await day.shifts(
        "ann",
        ("08:58:00", "online", ""), ("11:30:00", "away", "吃饭"), ("12:15:30", "online", ""),
        ("18:01:00", "gone", "dropped"), ("19:30:00", "back", ""),
        seen="23:59:50",
    )  # fmt: skip
    await day.shifts("bob", ("22:00:00", "online", ""), day="2026-03-01")
    await day.shifts(
        "bob",
        ("01:30:00", "offline", ""), ("09:30:00", "online", ""), ("13:59:00", "busy<boss", "培训"),
        ("14:04:30", "online", ""), ("15:00:00", "offline", ""),
        seen="15:00:00",
    )  # fmt: skip


async def test_working_time_of_a_scripted_day_is_that_computed_by_hand(db: Database) -> None:
    # im-protocol §8 27, req I8
    clock = TestClock(at("00:00:00"))
    await scripted(db, clock)
    await worked(db, clock)
    report = await Reports(db, clock).work.report(staff(), *DAY)
    by = {one.key: one for one in report.agents}
    assert [one.name for one in report.agents] == ["客服ann", "客服bob"]
    # ann: 08:58:00–18:01:00 = 32,580 s and 19:30:00–23:59:50 (now) = 16,190 s; away 45 min 30 s of it.
    # In hand: case 1 09:00:05–09:10:00 = 595 s; case 6 14:00:00–14:04:00 = 240 s; case 7 23:30:00–23:50:00, inside
    # case 8 20:00:10–23:59:50 = 14,380 s: 15,215 s together.
    assert seconds(by["ann"].whole) == (48_770, 48_770 - 2_730, 15_215)
    assert pauses(by["ann"].whole) == {"away 吃饭": 2_730}
    # bob: 00:00:00–01:30:00 = 5,400 s (he came the evening before) and 09:30:00–15:00:00 = 19,800 s; busy 13:59:00 to
    # 14:04:30 = 330 s. In hand: case 2 10:01:30–10:20:00 = 1,110 s, case 6 14:05:00–14:30:00 = 1,500 s.
    assert seconds(by["bob"].whole) == (25_200, 24_870, 2_610)
    assert pauses(by["bob"].whole) == {"busy 培训": 330}
    assert [one.day for one in by["bob"].days] == ["2026-03-02"]
    assert seconds(report.whole) == (73_970, 48_770 - 2_730 + 24_870, 17_825)


async def test_midnight_of_the_shop_s_day_cuts_a_shift_in_two(db: Database) -> None:  # im-protocol §8 27, req I8
    clock = TestClock(at("00:00:00"))
    await scripted(db, clock)
    await worked(db, clock)
    clock.advance(at("00:20:00", NEXT) - clock.now())
    await Script(db).shifts("ann", seen="00:19:50", day=NEXT)
    report = await Reports(db, clock).work.report(staff(), at("00:00:00", "2026-03-01"), at("00:00:00", "2026-03-04"))
    days = {one.key: {day.day: seconds(day.work) for day in one.days} for one in report.agents}
    # Each side of midnight has its own: bob's evening 22:00–24:00 and night 00:00–01:30; ann's last hours, and twenty
    # minutes of the next day with the buyer of case 8 still in her hands.
    assert days["bob"]["2026-03-01"] == (2 * HOUR, 2 * HOUR, 0)
    assert days["bob"]["2026-03-02"] == (25_200, 24_870, 2_610)
    assert days["ann"]["2026-03-02"] == (48_780, 48_780 - 2_730, 15_225)
    assert days["ann"]["2026-03-03"] == (1_200, 1_200, 1_200)
    # Who is not there any more counts until they were last there: a lid that is closed and nobody has noticed.
    clock.advance(8 * HOUR * 1_000)
    late = await Reports(db, clock).work.report(staff(), at("00:00:00", NEXT), at("00:00:00", "2026-03-04"))
    assert seconds(late.agents[0].whole) == (1_190 + 45, 1_190 + 45, 1_190 + 45)


async def test_the_board_and_an_agent_see_the_same_and_another_shop_nothing(db: Database) -> None:  # req I8
    clock = TestClock(at("00:00:00"))
    await scripted(db, clock)
    await worked(db, clock)
    reports = Reports(db, clock)
    report = await reports.work.report(staff(), *DAY)
    assert (await reports.live(staff())).work == {one.key: one.whole for one in report.agents}
    mine = await reports.work.mine(staff("bob"), *DAY)
    assert mine.agents == [one for one in report.agents if one.key == "bob"]
    assert mine.whole == mine.agents[0].whole
    assert (await reports.work.report(staff(shop_id="S2"), *DAY)).agents == []


async def test_files_hold_the_same_seconds_and_no_formula(db: Database) -> None:  # req I8
    clock = TestClock(at("00:00:00"))
    await scripted(db, clock)
    await worked(db, clock)
    report = await Reports(db, clock).work.report(staff(), *DAY)
    rows = list(csv.reader(io.StringIO(work_sheets.as_csv(report, "zh-CN").decode("utf-8-sig"))))
    assert rows[0] == ["客服", "日期", "在岗(秒)", "在线(秒)", "接待(秒)", "离开 · 吃饭(秒)", "忙碌 · 培训(秒)"]
    assert rows[1] == ["客服ann", "2026-03-02", "48770", "46040", "15215", "2730", "0"]
    assert rows[3] == ["客服bob", "2026-03-02", "25200", "24870", "2610", "0", "330"]
    assert rows[-1] == ["合计", "", "73970", "70910", "17825", "2730", "330"]
    evil = AgentWork(key="U", name="=1+1", whole=report.whole, days=[])
    bad = WorkReport(since=0, until=1, whole=report.whole, agents=[evil])
    assert b"'=1+1" in work_sheets.as_csv(bad, "en")
    found = zipfile.ZipFile(io.BytesIO(work_sheets.as_xlsx(bad, "en")))
    sheet = found.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    value = re.search(r'<c r="C2"[^>]*><v>([0-9.]+)</v>', sheet)
    assert value is not None
    assert round(float(value.group(1)) * DAY_MS) == report.whole.work_ms


def test_a_manager_s_choice_makes_nobody_be_there() -> None:
    marks = [
        Mark(at=100, was=None, now="online", by_other=True),
        Mark(at=200, was="online", now="online"),
        Mark(at=300, was="online", now="gone"),
        Mark(at=400, was="online", now="busy", reason="培训", by_other=True),
        Mark(at=500, was="busy", now="back"),
    ]
    found = stretches(marks, 600)
    assert [(one.status, one.reason, one.since, one.until) for one in found] == [
        ("online", "", 200, 300), ("busy", "培训", 500, 600),
    ]  # fmt: skip


_states = st.sampled_from(["online", "busy", "away", "offline", "gone", "back"])
_marks = st.lists(st.tuples(st.integers(0, 4 * DAY_MS), _states), max_size=12)
_spans = st.lists(st.tuples(st.integers(0, 4 * DAY_MS), st.integers(0, 4 * DAY_MS)), max_size=6)


@given(_marks, _spans, st.integers(0, 4 * DAY_MS))
def test_days_add_up_and_parts_never_pass_the_whole(
    lines: list[tuple[int, str]], served: Sequence[Span], end: int
) -> None:
    marks = [Mark(at=when, was="online", now=state) for when, state in sorted(lines)]  # type: ignore[arg-type]
    found = stretches(marks, end)
    since, until = DAY_MS // 3, 3 * DAY_MS + DAY_MS // 7
    days = days_of(found, served, since, until)
    inside = sum(max(0, min(one.until, until) - max(one.since, since)) for one in found)
    whole = together(days.values())
    assert whole.work_ms == inside
    for work in [*days.values(), whole]:
        assert work.work_ms == work.online_ms + sum(one.ms for one in work.pauses)
        assert 0 <= work.serving_ms <= work.work_ms <= DAY_MS * len(days)
    assert all(work.work_ms <= DAY_MS for work in days.values())


@given(_spans, _spans)
def test_what_two_have_in_common_is_in_both(one: list[Span], two: list[Span]) -> None:
    first, second = merged(one), merged(two)
    common = both(first, second)
    assert common == merged(common)
    for spans in (first, second):
        for start, end in common:
            assert any(a <= start and end <= b for a, b in spans)
    points = {edge for spans in (first, second) for span in spans for edge in span}
    for point in points:
        inside = all(any(a <= point < b for a, b in spans) for spans in (first, second))
        assert inside == any(a <= point < b for a, b in common)


def test_every_column_is_one_of_working_time() -> None:
    assert {one[0] for one in work_sheets.COLUMNS} <= set(Work.__struct_fields__)
