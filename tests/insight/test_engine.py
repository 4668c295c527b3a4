"""The same through the real engine: a case served by the desk on a clock of our own, found, rated and counted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import SECOND, TestClock
from octshop_rt.core.errors import NotFound
from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.im.insight import checks
from octshop_rt.im.insight.indexing import Indexer
from octshop_rt.im.insight.lookup import Lookup, Place
from octshop_rt.im.insight.naming import Naming
from octshop_rt.im.insight.ratings import Ratings
from octshop_rt.im.insight.reports import Reports
from octshop_rt.im.insight.search import Search, Wanted
from tests.desk.kit import MANAGER, SHOP, at, buyer, node, staff
from tests.insight.days import at as moment


async def names(people: Sequence[str]) -> dict[str, str]:
    return {one: f"买家{one}" for one in people if one != "U-nobody"}


async def test_what_the_desk_does_is_what_the_report_tells(db: Database) -> None:  # im-protocol §8 27, req I8
    clock = TestClock(moment("09:00:00"))
    async with node(db, clock) as one:
        indexer = Indexer(db, clock, "a")
        one.conversations.on_said(indexer.hear)
        case = await one.asks("U-1", text="在吗，我的快递呢")
        clock.advance(12 * SECOND)  # waits in the queue: nobody is there
        await one.sits("ann")
        one.desk.cases.wake(SHOP)
        case = await one.case_when(case.c, lambda found: found.state == "human")
        clock.advance(8 * SECOND)
        ann = staff("ann")
        await one.says(ann, case.c, "您好，在路上")  # 20 s after the question
        clock.advance(30 * SECOND)
        thanks = await one.says(buyer("U-1"), case.c, "好的")
        await one.case_when(case.c, lambda found: found.buyer_s >= thanks.entry.s)
        clock.advance(150 * SECOND)
        last = await one.says(ann, case.c, "不客气")  # 150 s: slow
        await one.case_when(case.c, lambda found: found.staff_s >= last.entry.s)
        clock.advance(10 * SECOND)
        await one.desk.end(at("ann"), case.id, one.request_id(), resolved=True)
        await one.quiet()
        await indexer.flush()

        await Ratings(db, clock, LocalBus()).rate(
            buyer("U-1"), case.id, request_id="r" * 16, stars=4, solved=None, tags=(), text=""
        )
        boss = at("boss", rights=MANAGER)
        span = (moment("00:00:00"), moment("23:59:59"))
        for _ in range(2):
            whole = (await Reports(db, clock).report(boss, *span, "agent")).whole
            assert (whole.opened, whole.closed, whole.served, whole.moved, whole.abandoned) == (1, 1, 1, 0, 0)
            assert (whole.queue_count, whole.queue_avg_ms) == (1, 12_000)
            assert (whole.first_avg_ms, whole.answer_count, whole.answer_avg_ms) == (20_000, 2, 85_000)
            assert (whole.fast_bp, whole.human_bp, whole.slow_count) == (10_000, 10_000, 1)
            assert (whole.solved, whole.csat_bp) == (1, 10_000)
            clock.advance(120 * SECOND)  # the second time from kept facts
        hits, _ = await Search(db).find(boss, Wanted(text="快递"))
        assert [hit.c for hit in hits] == [case.c]
        people = await Naming(db, names).of(SHOP, ["U-1", "ann", None, "U-nobody"], [case.c])
        assert people == {"U-1": "买家U-1", "ann": "名 ann", case.c: "买家U-1"}
        await indexer.sweep()
        assert (await examine(db, checks.CHECKS)).clean


async def test_a_conversation_is_read_at_any_place_and_by_its_shop_alone(db: Database) -> None:  # req I6
    clock = TestClock(moment("09:00:00"))
    async with node(db, clock, works=False) as one:
        case = await one.asks("U-1", text="第 1 句")
        for number in range(2, 121):
            clock.advance(SECOND)
            await one.says(buyer("U-1"), case.c, f"第 {number} 句")
        lookup = Lookup(db, one.conversations)

        async def numbers(**place: int) -> list[int]:
            page = await lookup.read(at("ann"), case.c, Place(**place))
            assert (page.buyer_id, page.held) == ("U-1", False)
            return [entry.s for entry in page.ents]

        head = (await lookup.read(at("ann"), case.c, Place())).head
        assert await numbers() == list(range(head - 49, head + 1))
        assert await numbers(before=71) == list(range(21, 71))
        assert await numbers(after=head - 2) == [head - 1, head]
        assert (await numbers(around=60))[:16] == list(range(45, 61))
        (third,) = (await lookup.read(at("ann"), case.c, Place(before=4))).ents[-1:]
        assert (await numbers(at=third.ts))[0] == 3
        with pytest.raises(NotFound):
            await lookup.read(at("ann", "S2"), case.c, Place())
        with pytest.raises(NotFound):
            await lookup.read(at("ann"), "C-none", Place())
