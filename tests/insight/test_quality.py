"""Quality: sheets add up, samples are fair, drawn once and repeatable; scores fit; the agent answers once."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octshop_rt.core.auth.model import Right
from octshop_rt.core.clock import TestClock
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.insight import checks, quality_store, sampling
from octshop_rt.im.insight.model import BadMarks, BadSheet, BadSpan, CheckSettled, NoSheet, SheetItem
from octshop_rt.im.insight.quality import Quality
from tests.insight.days import Script, at, staff

ITEMS = (
    SheetItem(name="礼貌", points=40),
    SheetItem(name="准确", points=50),
    SheetItem(name="不骂人", points=10, fatal=True),
)
SPAN = {"since": at("00:00:00"), "until": at("23:00:00")}


async def shop(db: Database) -> tuple[Quality, TestClock]:
    clock = TestClock(at("22:00:00"))
    script = Script(db)
    for number in range(12):
        agent = "ann" if number < 9 else "bob"
        await script.case(
            f"U-{number}", f"09:{number:02d}:00",
            [(f"09:{number:02d}:00", "human", agent, None), (f"09:{number:02d}:30", "ended", agent, None)],
        )  # fmt: skip
    await script.case("U-99", "09:00:00", [("09:00:00", "bot", None, None), ("09:01:00", "ended", None, None)])
    return Quality(db, clock, Ids(clock)), clock


async def test_a_sample_is_fair_drawn_once_and_repeatable(db: Database) -> None:  # req I6
    quality, _ = await shop(db)
    with pytest.raises(NoSheet):
        await quality.draw(staff(), request_id="r" * 16, size=6, agent_id=None, **SPAN)
    await quality.put_sheet(staff(), ITEMS)
    twice = await asyncio.gather(
        *(quality.draw(staff(), request_id="r" * 16, size=6, agent_id=None, **SPAN) for _ in range(2))
    )
    drawn = await quality.draw(staff(), request_id="r" * 16, size=6, agent_id=None, **SPAN)
    assert {one.case_id for one in twice[0]} | {one.case_id for one in twice[1]} == {one.case_id for one in drawn}
    assert Counter(one.agent_id for one in drawn) == {"ann": 3, "bob": 3}
    with pytest.raises(RequestConflict):
        await quality.draw(staff(), request_id="r" * 16, size=7, agent_id=None, **SPAN)
    rest = await quality.draw(staff(), request_id="s" * 16, size=50, agent_id=None, **SPAN)
    assert len(rest) == 6
    assert not {one.case_id for one in rest} & {one.case_id for one in drawn}
    with pytest.raises(BadSpan):
        await quality.draw(staff(), request_id="t" * 16, size=1, agent_id=None, since=5, until=5)
    assert await quality.listed(staff(shop_id="S2"), agent_id=None, state=None, below=None) == ([], None)


async def test_scores_fit_the_sheet_of_the_day_and_are_answered_once(db: Database) -> None:  # req I6
    quality, _ = await shop(db)
    await quality.put_sheet(staff(), ITEMS)
    assert (await quality.put_sheet(staff(), ITEMS)).version == 1
    check = (await quality.draw(staff(), request_id="r" * 16, size=1, agent_id="ann", **SPAN))[0]
    await quality.put_sheet(staff(), (SheetItem(name="一切", points=100),))
    for marks in ((40, 50), (41, 50, 10), (100,)):
        with pytest.raises(BadMarks):
            await quality.score(staff(), check.id, marks=marks, text="")
    assert (await quality.score(staff(), check.id, marks=(40, 30, 10), text="可以")).score == 80
    assert (await quality.score(staff(), check.id, marks=(40, 50, 0), text="骂人")).score == 0
    with pytest.raises(NotFound):
        await quality.appeal(staff("bob"), check.id, "没有")
    assert (await quality.appeal(staff("ann"), check.id, "没有骂")).state == "appealed"
    with pytest.raises(CheckSettled):
        await quality.appeal(staff("ann"), check.id, "真的")
    settled = await quality.score(staff(), check.id, marks=(40, 50, 10), text="看错了")
    assert (settled.state, settled.score) == ("settled", 100)
    with pytest.raises(CheckSettled):
        await quality.score(staff(), check.id, marks=(0, 0, 0), text="")
    with pytest.raises(NotFound):
        await quality.score(staff(shop_id="S2"), check.id, marks=(0, 0, 0), text="")
    assert (await examine(db, checks.CHECKS[3:])).clean
    await quality_store.CHECKS.update(db, {"_id": check.id}, {"$set": {"score": 101}})
    assert [one.check for one in (await examine(db, checks.CHECKS[3:])).findings] == ["F108"]


async def test_agents_see_their_own_scores_alone_and_averages_are_sums_over_checks(db: Database) -> None:  # req I6
    quality, clock = await shop(db)
    await quality.put_sheet(staff(), ITEMS)
    drawn = await quality.draw(staff(), request_id="r" * 16, size=4, agent_id=None, **SPAN)
    ann, bob = (staff(name, Right.CHAT) for name in ("ann", "bob"))
    first, second = [one for one in drawn if one.agent_id == "ann"]
    with pytest.raises(NotFound):
        await quality.one(ann, first.id)  # not scored yet
    for check, marks in ((first, (40, 50, 10)), (second, (40, 35, 10))):
        await quality.score(staff(), check.id, marks=marks, text="")
    await quality.appeal(ann, second.id, "第二项不对")
    seen, case, sheet = await quality.one(ann, first.id)
    assert (seen.score, case.id, sheet.items) == (100, first.case_id, ITEMS)
    with pytest.raises(NotFound):
        await quality.one(bob, first.id)
    with pytest.raises(NotFound):
        await quality.one(staff(shop_id="S2"), first.id)
    span = (clock.now() - 1, clock.now() + 1)
    rows = await quality.averages(staff(), *span)
    assert [(one.agent_id, one.checks, one.hundredths, one.lowest, one.appealed) for one in rows] == [
        ("ann", 2, 9_250, 85, 1)
    ]
    assert await quality.averages(staff(shop_id="S2"), *span) == []


@pytest.mark.parametrize(
    "items",
    [
        (SheetItem(name="a", points=99),),
        (SheetItem(name="a", points=50), SheetItem(name="a", points=50)),
        (SheetItem(name=" ", points=100),),
    ],
)
def test_a_sheet_must_add_up(items: tuple[SheetItem, ...]) -> None:
    with pytest.raises(BadSheet):
        sampling.check_sheet(items)


@given(
    st.dictionaries(st.text(min_size=1, max_size=4), st.sampled_from(["a", "b", "c"])), st.integers(0, 40), st.text()
)
def test_nobody_is_drawn_two_more_than_somebody_with_cases_left(agents: dict[str, str], size: int, seed: str) -> None:
    drawn = sampling.spread(agents, seed, size)
    assert len(drawn) == min(size, len(agents)) == len(set(drawn))
    have, took = Counter(agents.values()), Counter(agents[one] for one in drawn)
    for agent, count in took.items():
        for other in have:
            assert took[other] >= min(have[other], count - 1), (agent, other)
