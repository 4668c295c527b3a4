"""Acceptance 27: the figures of a scripted day equal those computed by hand, to the second."""

from __future__ import annotations

import pytest

from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.desk.model import Case
from octshop_rt.im.insight import store
from octshop_rt.im.insight.model import Fact
from octshop_rt.im.insight.ratings import Ratings, Summaries
from octshop_rt.im.insight.reports import Reports
from tests.insight.days import Script, at, staff

DAY = (at("00:00:00"), at("00:00:00", "2026-03-03"))


async def scripted(db: Database, clock: TestClock) -> None:
    """A day of ann (group G1) and bob (G2). Times are hand-made so that each figure can be added up on paper; the sums
    stand in the test below.
    """
    day = Script(db)
    await day.agents(ann="G1", bob="G2")
    one, two = await morning(day)
    await afternoon(day)

    clock.advance(at("23:59:50") - clock.now())
    ratings, summaries = Ratings(db, clock, LocalBus()), Summaries(db, clock)
    me = Buyer(session_id="N1", person_id="U-1", device_id="d")
    await ratings.rate(me, one.id, request_id="r" * 16, stars=5, solved=None, tags=(), text="")
    other = Buyer(session_id="N2", person_id="U-2", device_id="d")
    # The agent says solved, the buyer says no: the buyer's word counts.
    await summaries.put(staff("bob"), two.id, topic="aftersale", solved=True, text="退货")
    await ratings.rate(other, two.id, request_id="q" * 16, stars=2, solved=False, tags=("慢",), text="太慢")


async def morning(day: Script) -> tuple[Case, Case]:
    """Cases 1 to 3."""
    # 1. Straight to ann. First wait 09:00:00 → 09:00:20 = 20 s. Second 09:01:00 → 09:01:40 = 40 s. Two buyer lines in
    # a row are one wait from the first; two lines of ann in a row are one answer.
    one = await day.case(
        "U-1",
        "09:00:00",
        [("09:00:00", "queued", None, "G1"), ("09:00:05", "human", "ann", "G1"), ("09:10:00", "ended", "ann", "G1")],
        [
            ("09:00:00", "b", "在吗"), ("09:00:03", "b", "发货了吗"), ("09:00:20", "ann", "在的"),
            ("09:00:30", "ann", "已发货"), ("09:01:00", "b", "哪个快递"), ("09:01:20", "note:ann", "老顾客"),
            ("09:01:30", "event", "invited"), ("09:01:40", "ann", "顺丰"),
        ],
        resolved=True,
    )  # fmt: skip

    # 2. Bot first. Its answers to the lines at 10:00:00 and 10:00:30 are no human's business. A person is asked for at
    # 10:01:00, so the wait begins there: bob answers at 10:03:00 = 120 s (slow: over 100 s; over 30 s; within 3 min).
    # Queue 10:01:00 → 10:01:30 = 30 s. What the bot says meanwhile is no answer.
    two = await day.case(
        "U-2",
        "10:00:00",
        [
            ("10:00:00", "bot", None, None), ("10:01:00", "queued", None, "G2"), ("10:01:30", "human", "bob", "G2"),
            ("10:20:00", "ended", "bob", "G2"),
        ],
        [
            ("10:00:00", "b", "退货"), ("10:00:01", "bot", "请看退货说明"), ("10:00:30", "b", "转人工"),
            ("10:01:10", "bot", "正在为您转接"),
            ("10:03:00", "bob", "您好"),
        ],
    )  # fmt: skip

    # 3. Bot alone: nobody waited for a person.
    await day.case(
        "U-3",
        "11:00:00",
        [("11:00:00", "bot", None, None), ("11:30:00", "ended", None, None)],
        [("11:00:00", "b", "几点关门"), ("11:00:01", "bot", "21 点")],
    )
    return one, two


async def afternoon(day: Script) -> None:
    """Cases 4 to 8."""
    # 4. Abandoned in the queue after 200 s without a word of a person: a wait of 200 s that was dropped. Over 30 s:
    # counts and misses; over 3 min: this buyer is missed; slow.
    await day.case(
        "U-4",
        "12:00:00",
        [("12:00:00", "queued", None, "G1"), ("12:03:20", "ended", None, "G1")],
        [("12:00:00", "b", "有人吗")],
    )

    # 5. Left after 10 s in the queue: a wait nobody could have missed yet. Counts for no rate, but is abandoned.
    await day.case(
        "U-5",
        "13:00:00",
        [("13:00:00", "queued", None, "G1"), ("13:00:10", "ended", None, "G1")],
        [("13:00:00", "b", "算了")],
    )

    # 6. Ann is given the case, does not answer; after 240 s it goes back to the queue, 60 s later to bob, who answers:
    # 14:00:00 → 14:05:10 = 310 s, bob's. Queue: 0 s and 60 s. One transfer, away from ann.
    await day.case(
        "U-6",
        "14:00:00",
        [
            ("14:00:00", "queued", None, "G1"), ("14:00:00", "human", "ann", "G1"), ("14:04:00", "queued", None, "G2"),
            ("14:05:00", "human", "bob", "G2"), ("14:30:00", "ended", "bob", "G2"),
        ],
        [("14:00:00", "b", "急"), ("14:05:10", "bob", "来了")],
    )  # fmt: skip

    # 7. At 23:30, outside the hours of both rates, answered after 300 s: counts for averages alone. Buyer 1 again.
    await day.case(
        "U-1",
        "23:30:00",
        [("23:30:00", "queued", None, "G1"), ("23:30:00", "human", "ann", "G1"), ("23:50:00", "ended", "ann", "G1")],
        [("23:30:00", "b", "还在吗"), ("23:35:00", "ann", "在")],
    )

    # 8. Still open at the end: ann answered after exactly 30 s (in time), and another line has waited since 23:58:30.
    # At 23:59:50 that is 80 s: over 30 s but no first wait; not yet 100 s; not yet 3 min.
    await day.case(
        "U-8",
        "20:00:00",
        [("20:00:00", "queued", None, "G1"), ("20:00:10", "human", "ann", "G1")],
        [("20:00:00", "b", "问一下"), ("20:00:30", "ann", "请说"), ("23:58:30", "b", "好的")],
    )


async def test_figures_of_a_scripted_day_are_those_computed_by_hand(db: Database) -> None:  # im-protocol §8 27, req I8
    clock = TestClock(at("00:00:00"))
    await scripted(db, clock)
    reports = Reports(db, clock)
    for turn in ("computed from the log", "read from kept facts"):
        whole = (await reports.report(staff(), *DAY, "agent")).whole
        assert (whole.opened, whole.closed, whole.bot_only, whole.served, whole.moved) == (8, 7, 1, 5, 1), turn
        # abandoned: cases 4 (200 s) and 5 (10 s): average 105 s
        assert (whole.abandoned, whole.abandoned_avg_ms) == (2, 105_000)
        # queue that ended with an agent: 5, 30, 0 and 60 (case 6), 0 (case 7), 10 s: 105 s / 6
        assert (whole.queue_count, whole.queue_avg_ms, whole.queue_max_ms) == (6, 17_500, 60_000)
        # first answered waits: 20, 120, 310, 300, 30 s: 780 s / 5
        assert (whole.first_count, whole.first_avg_ms) == (5, 156_000)
        # all answered waits: the five and 40 s: 820 s / 6 = 136.667 s
        assert (whole.answer_count, whole.answer_avg_ms) == (6, 136_667)
        # 30 s, first waits from 9 to 23: cases 1 yes, 2 no, 4 no, 6 no, 8 yes (exactly 30 s); 5 undecided, 7 too late
        assert (whole.fast_due, whole.fast_met, whole.fast_bp) == (5, 2, 4_000)
        # 3 min, buyers from 8 to 23: U-1, U-2, U-4, U-6, U-8; missed by U-4 and U-6
        assert (whole.human_buyers, whole.human_missed, whole.human_bp) == (5, 2, 6_000)
        # over 100 s: 120 (2), 200 (4), 310 (6), 300 s (7)
        assert whole.slow_count == 4
        # solved: 1 (the agent's ending), not 2 (the buyer's word); the others nobody judged
        assert (whole.solved, whole.unsolved, whole.solved_bp) == (1, 1, 5_000)
        # CSAT: 5 and 2 stars: one of two is good; 3.50 stars on average
        assert (whole.rated, whole.csat_bp, whole.stars_avg_hundredths) == (2, 5_000, 350)
    assert len(await store.kept(db, [case.id async for case in _cases(db)])) == 7  # only what is over is kept


async def test_parts_count_for_those_who_answered(db: Database) -> None:  # req I8
    clock = TestClock(at("00:00:00"))
    await scripted(db, clock)
    report = await Reports(db, clock).report(staff(), *DAY, "agent")
    parts = {part.key: part.figures for part in report.parts}
    assert {part.key: part.name for part in report.parts} == {"": "", "ann": "客服ann", "bob": "客服bob"}
    # ann: 20, 40, 300, 30 s = 390 s / 4; bob: 120, 310 s = 430 s / 2
    assert (parts["ann"].answer_count, parts["ann"].answer_avg_ms) == (4, 97_500)
    assert (parts["bob"].answer_count, parts["bob"].answer_avg_ms) == (2, 215_000)
    assert (parts["ann"].moved, parts["bob"].moved) == (1, 0)
    assert (parts["ann"].slow_count, parts["bob"].slow_count, parts[""].slow_count) == (1, 2, 1)
    # case 6 reached bob after 310 s; U-4 was nobody's
    assert (parts["bob"].human_missed, parts[""].human_missed, parts["ann"].human_missed) == (1, 1, 0)
    assert (parts["ann"].csat_bp, parts["bob"].csat_bp) == (10_000, 0)

    groups = {part.key: part.figures for part in (await Reports(db, clock).report(staff(), *DAY, "group")).parts}
    assert (groups["G1"].abandoned, groups["G2"].answer_count) == (2, 2)
    hours = {part.key: part.figures for part in (await Reports(db, clock).report(staff(), *DAY, "hour")).parts}
    assert (hours["09"].answer_count, hours["14"].answer_avg_ms, hours["23"].first_count) == (2, 310_000, 1)
    mine = await Reports(db, clock).mine(staff("bob"), *DAY)
    assert mine == parts["bob"]


async def test_a_report_of_the_next_day_holds_only_what_happened_then(db: Database) -> None:
    clock = TestClock(at("00:00:00"))
    await scripted(db, clock)
    clock.advance(10 * 60_000)  # 00:09:50: the open line of case 8 has waited 680 s, since yesterday
    found = await Reports(db, clock).report(staff(), DAY[1], at("00:00:00", "2026-03-04"), "day")
    assert found.whole.opened == 0
    yesterday = (await Reports(db, clock).report(staff(), *DAY, "all")).whole
    assert yesterday.slow_count == 5  # by now it was slow, and counts for the day on which the buyer asked


async def test_now_on_the_board(db: Database) -> None:  # req I8
    clock = TestClock(at("00:00:00"))
    await scripted(db, clock)
    live = await Reports(db, clock).live(staff())
    assert (live.now.queued, live.now.served, live.now.with_bot) == (0, 1, 0)
    assert live.today.opened == 8
    assert {part.key for part in live.hours} >= {"09", "14", "23"}


async def test_the_board_compares_with_yesterday_until_this_time_of_day(db: Database) -> None:  # req I8
    clock = TestClock(at("00:00:00"))
    await scripted(db, clock)
    clock.advance(at("12:00:00", "2026-03-03") - clock.now())
    live = await Reports(db, clock).live(staff())
    whole = (await Reports(db, clock).report(staff(), *DAY, "hour")).parts
    assert live.today.opened == 0
    assert live.before.opened == sum(part.figures.opened for part in whole if part.key < "12") > 0
    assert {part.key: part.figures for part in live.hours_before} == {part.key: part.figures for part in whole}


async def test_a_board_that_asks_every_few_seconds_reads_yesterday_once_a_minute(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:  # req I8
    clock = TestClock(at("00:00:00"))
    await scripted(db, clock)
    clock.advance(at("12:00:00", "2026-03-03") - clock.now())
    reports, asked = Reports(db, clock), list[int]()
    facts = reports.facts

    async def counted(shop_id: str, since: int, until: int) -> list[Fact]:
        asked.append(since)
        return await facts(shop_id, since, until)

    monkeypatch.setattr(reports, "facts", counted)
    first = await reports.live(staff())
    clock.advance(6_000)
    again = await reports.live(staff())
    assert again.hours_before == first.hours_before
    assert asked.count(DAY[0]) == 1
    other = await reports.live(staff(shop_id="S2"))
    assert other.before.opened == 0
    clock.advance(60_000)
    await reports.live(staff())
    assert asked.count(DAY[0]) == 3
    assert asked.count(DAY[1]) == 4


async def test_ones_own_figures_by_hour_are_those_of_the_report(db: Database) -> None:  # req I8
    clock = TestClock(at("00:00:00"))
    await scripted(db, clock)
    own = await Reports(db, clock).own(staff("bob"), *DAY, "hour")
    assert own.whole == await Reports(db, clock).mine(staff("bob"), *DAY)
    assert sum(part.figures.answer_count for part in own.parts) == own.whole.answer_count > 0


async def test_another_shop_has_none_of_it(db: Database) -> None:
    clock = TestClock(at("00:00:00"))
    await scripted(db, clock)
    found = await Reports(db, clock).report(staff(shop_id="S2"), *DAY, "agent")
    assert (found.whole.opened, found.parts) == (0, [])


async def _cases(db: Database):
    from octshop_rt.im.desk import store as desk_store

    async for case in desk_store.CASES.scan(db, {}):
        yield case
