"""Who comes back is written down once, however many nodes see them."""

from __future__ import annotations

import asyncio

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import SECOND, TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.desk import store
from octshop_rt.im.desk.model import Shift
from octshop_rt.im.desk.shift_store import SHIFTS
from tests.desk.kit import at, node


async def test_two_nodes_that_see_somebody_come_back_write_it_once(db: Database, clock: TestClock) -> None:
    # req I5: the record of working time
    bus = LocalBus()
    async with (
        node(db, clock, bus=bus, works=False, name="a") as one,
        node(db, clock, bus=bus, works=False, name="b") as two,
    ):
        agent = await one.sits("U1")
        for times in range(1, 6):
            clock.advance(120 * SECOND)
            assert await store.gone(db, agent.id, clock.now(), clock.now() - 60 * SECOND) is not None
            await asyncio.gather(*(each.desk.attendance.seen(["U1"]) for each in (one, two, one, two)))
            rows = [row.now async for row in SHIFTS.scan(db, {"shop_id": agent.shop_id})]
            assert rows.count("back") == times
            assert (await one.desk.office.agent("S1", agent.id)).gone_at is None


async def test_a_closed_lid_is_written_down_when_they_come_back_from_the_last_sign_of_life_on(
    db: Database, clock: TestClock
) -> None:  # req I8: an agent without a buyer is nobody's business while they are away, but no working time either
    bus = LocalBus()
    async with (
        node(db, clock, bus=bus, works=False, name="a") as one,
        node(db, clock, bus=bus, works=False, name="b") as two,
    ):
        agent = await one.sits("U1")
        came = clock.now()
        clock.advance(30 * SECOND)
        await one.desk.attendance.seen(["U1"])  # in time: nothing is written
        clock.advance(3_600 * SECOND)
        await asyncio.gather(*(each.desk.attendance.seen(["U1"]) for each in (one, two, one, two)))
        rows = [(row.now, (row.at - came) // SECOND) for row in await _record(db, agent.id)]
        assert rows == [("online", 0), ("gone", 30 + 45), ("back", 3_630)]
        # By choosing a state, too; and who had signed off was not missed.
        clock.advance(600 * SECOND)
        await one.desk.attendance.choose(at("U1"), "offline", "")
        clock.advance(600 * SECOND)
        await one.desk.attendance.choose(at("U1"), "online", "")
        clock.advance(SECOND)
        await one.desk.attendance.seen(["U1"])
        rows = [(row.now, (row.at - came) // SECOND) for row in await _record(db, agent.id)][3:]
        assert rows == [("gone", 3_630 + 45), ("offline", 4_230), ("online", 4_830), ("back", 4_831)]


async def _record(db: Database, agent_id: str) -> list[Shift]:
    rows = [row async for row in SHIFTS.scan(db, {"shop_id": "S1", "agent_id": agent_id})]
    return sorted(rows, key=lambda row: (row.at, row.id))
