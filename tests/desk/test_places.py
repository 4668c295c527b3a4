"""Who waits is told their place, wherever in the queue they are, and only when it has changed."""

from __future__ import annotations

from octshop_rt.core.bus import NOTICES, LocalBus, batches
from octshop_rt.core.clock import TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.desk import store
from octshop_rt.im.desk.model import Case
from octshop_rt.im.routing import watch_room
from octshop_rt.im.wire.codec import Encoding
from tests.desk.kit import SHOP, Node, buyer, node

WAITING = 620


class Page:
    """A buyer's page that watches its case."""

    encoding = Encoding.JSON

    def __init__(self, case_id: str) -> None:
        self.id = f"link-{case_id}"
        self.heard: list[bytes] = []

    def entry(self, c: str, s: int, framed: bytes) -> None:
        """Nothing is said here."""

    def hint(self, framed: bytes) -> None:
        self.heard.append(framed)


async def test_the_last_of_a_long_queue_is_told_when_the_first_has_left(db: Database, clock: TestClock) -> None:
    # req I2: everybody sees their place, not the first five hundred
    bus = LocalBus()
    async with (
        node(db, clock, bus=bus, works=False, name="a") as one,
        node(db, clock, bus=bus, works=False, name="b") as two,
    ):
        first, last = await _queue(db, clock, WAITING)
        page = Page(last)
        two.hub.enter(page, [watch_room("case", last)])
        sizes: list[int] = []
        bus.subscribe(NOTICES, lambda _channel, payload: sizes.append(len(batches.from_msgpack(payload).many)))
        await _push(one)
        assert b'"pos":620' in page.heard[-1] and b'"ahead":619' in page.heard[-1]
        assert sizes == [500, 120], "a message for each would be six hundred"
        await _push(one)
        assert (len(page.heard), len(sizes)) == (1, 2), "nothing has changed, nobody is told"
        await one.desk.end_by_buyer(buyer("B0"), first, one.request_id())
        await one.quiet()
        assert b'"pos":619' in page.heard[-1]
        assert sum(sizes) == WAITING + WAITING - 1


async def test_what_another_node_has_told_since_is_not_taken_for_ones_own(db: Database, clock: TestClock) -> None:
    # req I2
    bus = LocalBus()
    async with (
        node(db, clock, bus=bus, works=False, name="a") as one,
        node(db, clock, bus=bus, works=False, name="b") as two,
    ):
        first, last = await _queue(db, clock, 2)
        page = Page(last)
        one.hub.enter(page, [watch_room("case", last)])
        await _push(one)
        assert b'"pos":2' in page.heard[-1]
        assert await store.CASES.update(db, {"_id": first}, {"$set": {"group_id": "G2"}}) == 1
        await _push(two)
        assert b'"pos":1' in page.heard[-1]
        assert await store.CASES.update(db, {"_id": first}, {"$set": {"group_id": None}}) == 1
        await _push(one)
        assert b'"pos":2' in page.heard[-1], "as the first push of this node, but another has told since"


async def _push(one: Node) -> None:
    one.desk.telling.queue(SHOP)
    await one.quiet()


async def _queue(db: Database, clock: TestClock, length: int) -> tuple[str, str]:
    """Cases that wait, in order; the first and the last."""
    now = clock.now()
    rows = [
        Case(
            id=f"Z{place:04d}", c=f"C{place:04d}", shop_id=SHOP, merchant_id="M1", buyer_id=f"B{place}", state="queued",
            open=True, rev=2, opened_at=now, queued_at=now + place, waiting_since=now,
        )
        for place in range(length)
    ]  # fmt: skip
    for row in rows:
        await store.add_case(db, row)
    return rows[0].id, rows[-1].id
