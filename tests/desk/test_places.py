"""Who waits is told their place, wherever in the queue they are, and only when it has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from msgspec import structs

from octshop_rt.core.bus import NOTICES, LocalBus, Unsubscribe, batches
from octshop_rt.core.clock import SECOND, TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.desk import store, telling
from octshop_rt.im.desk.model import Case
from octshop_rt.im.routing import watch_room
from octshop_rt.im.wire.codec import Encoding
from tests.desk.kit import SHOP, Node, at, buyer, node

WAITING = 620


class Page:
    """A buyer's page that watches its case."""

    encoding = Encoding.JSON

    def __init__(self, case_id: str) -> None:
        self.id = f"link-{case_id}"
        self.heard: list[bytes] = []

    def entry(self, c: str, s: int, framed: bytes, now: int) -> None:
        """Nothing is said here."""

    def hint(self, framed: bytes) -> None:
        self.heard.append(framed)


class Torn(LocalBus):
    """A bus that may have lost something."""

    def __init__(self) -> None:
        super().__init__()
        self.torn: list[Callable[[], None]] = []

    def on_gap(self, callback: Callable[[], None]) -> Unsubscribe:
        self.torn.append(callback)
        return super().on_gap(callback)


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
        assert await store.CASES.update(db, {"_id": first}, {"$set": {"queued_at": clock.now() + 9}}) == 1
        await _push(two)
        assert b'"pos":1' in page.heard[-1]
        assert await store.CASES.update(db, {"_id": first}, {"$set": {"queued_at": clock.now()}}) == 1
        await _push(one)
        assert b'"pos":2' in page.heard[-1], "as the first push of this node, but another has told since"


async def test_a_hundred_pages_that_ask_at_once_are_one_look_at_the_queue(db: Database, clock: TestClock) -> None:
    # req I2: each used to read the whole queue
    async with node(db, clock, works=False) as one:
        await _queue(db, clock, 300)
        rows = {case.id: case async for case in store.CASES.scan(db, {"state": "queued"})}
        asked = [rows[f"Z{place:04d}"] for place in range(0, 300, 3)]
        places = await asyncio.gather(*(one.desk.place(case) for case in asked))
        assert [place.pos for place in places if place] == list(range(1, 301, 3))
        assert one.desk.places.read == 1
        fresh = structs.replace(rows["Z0299"], id="Z0300", c="C0300", buyer_id="B300", queued_at=clock.now() + 300)
        await store.add_case(db, fresh)
        assert (place := await one.desk.place(fresh)) is not None and place.pos == 301, "who has just come, at once"
        assert await one.desk.place(asked[0]) == places[0]
        assert one.desk.places.read == 2, "what was read for the new one serves both"


async def test_what_another_node_has_told_is_what_this_one_answers(db: Database, clock: TestClock) -> None:
    # req I2: a page that has heard of place 1 must not be told 2 again by an older look
    bus = LocalBus()
    async with (
        node(db, clock, bus=bus, works=False, name="a") as one,
        node(db, clock, bus=bus, works=False, name="b") as two,
    ):
        first, last = await _queue(db, clock, 2)
        mine = await one.desk.cases.one(last)
        assert (place := await one.desk.place(mine)) is not None and place.pos == 2
        assert await store.CASES.update(db, {"_id": first}, {"$set": {"queued_at": clock.now() + 9}}) == 1
        await _push(two)
        assert (place := await one.desk.place(mine)) is not None and place.pos == 1
        assert one.desk.places.read == 1


async def test_who_waits_hears_of_agents_who_come_leave_or_take_more(db: Database, clock: TestClock) -> None:
    # req I2: the wait is told when it changes, though nobody has moved up
    bus = LocalBus()
    async with node(db, clock, bus=bus, works=False) as one:
        await one.sits("A1", cap=1)
        assert await store.take_slots(db, f"{SHOP}:A1", ["Z-other"], clock.now(), seen_after=None) is not None
        _, last = await _queue(db, clock, 3)
        page = Page(last)
        one.hub.enter(page, [watch_room("case", last)])
        await _push(one)
        assert b'"eta_s":900,"attended":true' in page.heard[-1]
        await one.desk.attendance.choose(at("A1"), "offline", "")
        await one.quiet()
        assert b'"eta_s":null,"attended":false,"serves_now":true' in page.heard[-1]
        await one.desk.attendance.choose(at("A1"), "online", "")
        await one.quiet()
        assert b'"eta_s":900,"attended":true' in page.heard[-1]
        clock.advance(61 * SECOND)
        await one.desk.upkeep.agents()
        await one.quiet()
        assert b'"eta_s":null' in page.heard[-1], "dropped"
        await one.desk.attendance.seen(["A1"])
        await one.quiet()
        assert b'"eta_s":900' in page.heard[-1], "and back"


async def test_the_net_tells_what_nobody_said_and_everybody_after_a_gap(
    db: Database, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # req I2: an agent's lid is closed without a word; a message of the bus is lost
    bus = Torn()
    async with node(db, clock, bus=bus, works=False) as one:
        await one.sits("A1", cap=1)
        assert await store.take_slots(db, f"{SHOP}:A1", ["Z-other"], clock.now(), seen_after=None) is not None
        _, last = await _queue(db, clock, 2)
        page = Page(last)
        one.hub.enter(page, [watch_room("case", last)])
        await _push(one)
        told = len(page.heard)
        with monkeypatch.context() as at_once:
            at_once.setattr(telling, "_LOOK_MS", 0)  # the net's period, not what it does
            one.desk.telling.look(SHOP)
            await one.quiet()
            assert len(page.heard) == told, "nothing has changed"
            clock.advance(46 * SECOND)
            one.desk.telling.look(SHOP)
            await one.quiet()
        assert b'"eta_s":null,"attended":false' in page.heard[-1]
        page.heard.clear()
        for notice_it in bus.torn:
            notice_it()
        one.desk.telling.look(SHOP)
        await one.quiet()
        assert b'"pos":2' in page.heard[-1]


async def test_a_place_has_no_order_with_the_states_of_its_case(db: Database, clock: TestClock) -> None:
    """A client that keeps the highest rev must still hear of who serves after a place was told."""
    bus = LocalBus()
    async with node(db, clock, bus=bus, works=False) as one:
        _, last = await _queue(db, clock, 1)
        page = Page(last)
        one.hub.enter(page, [watch_room("case", last)])
        await _push(one)
        assert b'"rev":0' in page.heard[-1] and b'"pos":1' in page.heard[-1]
        await one.desk.messages.leave(buyer("B0"), await one.desk.cases.one(last), "请回电", "", one.request_id())
        await one.quiet()
        assert b'"rev":0' in page.heard[-1] and b'"message":' in page.heard[-1]
        ended = await one.desk.end_by_buyer(buyer("B0"), last, one.request_id())
        await one.quiet()
        assert f'"rev":{ended.rev}'.encode() in page.heard[-1] and ended.rev == 3


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
