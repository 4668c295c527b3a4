"""Acceptance 25: SLA timers are right on a node whose own clock is an hour wrong: the store's time is the time."""

from __future__ import annotations

import pytest

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import HOUR, SECOND, StoreClock, steady_ms, wall_ms
from octshop_rt.core.metrics import Metrics
from octshop_rt.core.mongo import Database
from octshop_rt.core.storetime import StoreTime
from octshop_rt.im.desk.model import Case
from tests.desk.kit import SHOP, Node, Town, node


class Machine:
    """A machine whose own clock is wrong. Time passes on it when the test says so, and besides as everywhere."""

    def __init__(self, wrong_by: int) -> None:
        self.passed = 0
        self.clock = StoreClock(lambda: wall_ms() + self.passed + wrong_by, lambda: steady_ms() + self.passed)


async def passes(seconds: int, *machines: Machine) -> None:
    for machine in machines:
        machine.passed += seconds * SECOND


async def turn(one: Node) -> None:
    await one.desk.upkeep.look()
    await one.desk.assigner.fill(SHOP)
    await one.quiet()


@pytest.mark.parametrize("wrong_by", [HOUR, -HOUR])
async def test_timers_are_right_on_a_node_whose_clock_is_an_hour_wrong(db: Database, wrong_by: int) -> None:
    bus, town = LocalBus(), Town()
    good, wrong = Machine(0), Machine(wrong_by)
    for machine in (good, wrong):  # as a process does before anything of it is dated
        time = StoreTime(db, machine.clock, Metrics())
        await time.start()
        await time.stop()
    async with (
        node(db, good.clock, bus=bus, town=town, name="good", works=False) as one,
        node(db, wrong.clock, bus=bus, town=town, name="wrong", works=False) as other,
    ):

        async def here() -> None:
            await one.desk.attendance.seen(["U1"])
            await other.desk.attendance.seen(["U2"])

        async def looked_at(c: str, by: Node) -> Case:
            await turn(by)
            return await by.case_when(c, lambda _case: True)

        await one.sits("U1")
        case = await one.asks("B1")
        await one.case_when(case.c, lambda case: case.state == "human")
        await other.sits("U2")
        served = await looked_at(case.c, other)
        assert [step.why for step in served.history] == ["spoke", "assigned"], "nothing is due, nobody was dropped"
        assert case.id < (fresh := await other.asks("B2")).id < (await one.asks("B3")).id, "ids sort by birth"
        assert abs(fresh.opened_at - case.opened_at) < 20 * SECOND

        await passes(175, good, wrong)
        await here()
        assert (await looked_at(case.c, other)).person_id == "U1", "not early"
        await passes(10, good, wrong)
        await here()
        late = await looked_at(case.c, other)
        assert (late.person_id, late.history[-2].why) == ("U2", "timeout"), "and not late"
        # What the wrong node gave is right for the good one too.
        assert (await looked_at(case.c, one)).person_id == "U2"
