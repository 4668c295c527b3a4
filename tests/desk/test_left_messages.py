"""A message that is left stands in the log, whichever node dies meanwhile."""

from __future__ import annotations

import pytest

from octshop_rt.core.clock import SECOND, TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store as log
from octshop_rt.im.desk import office_store
from tests.desk.kit import buyer, node


async def test_a_message_left_stands_in_the_log_though_the_node_that_took_it_died(
    db: Database, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # req I5: stored, and the node dies before its word is said
    async with node(db, clock, works=False, name="dies") as dies, node(db, clock, works=False, name="lives") as lives:
        case = await dies.asks("B1")
        await dies.quiet()
        monkeypatch.setattr(dies.tasks, "spawn", lambda task, **_: task.close())  # nothing it begins comes to be
        left = await dies.desk.messages.leave(buyer("B1"), case, "明天请回电", "", dies.request_id())

        async def said() -> list[str | None]:
            rows = await log.page(db, case.c, 1, 100, 100, newest=False)
            return [row.b.id for row in rows if row.b.ev == "message_left"]

        await lives.desk.upkeep.look()
        await lives.quiet()
        assert await said() == [], "a moment ago: it may be on its way"
        for _ in range(3):
            clock.advance(10 * SECOND)
            await lives.desk.upkeep.look()
            await lives.quiet()
        assert await said() == [left.id], "said, and once"
        assert await office_store.owed_messages(db, clock.now(), 10) == []
