"""Who comes back is written down once, however many nodes see them."""

from __future__ import annotations

import asyncio

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import SECOND, TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.desk import store
from tests.desk.kit import node


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
            rows = [row.now async for row in store.SHIFTS.scan(db, {"shop_id": agent.shop_id})]
            assert rows.count("back") == times
            assert (await one.desk.office.agent("S1", agent.id)).gone_at is None
