"""Entries travel only to nodes where somebody listens; a lost or late announcement never costs a message its push."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.net import Mesh
from octshop_rt.im.interest import DEAD_MS, Mine, Others, Rooms
from octshop_rt.im.routing import PARCELS, inbox
from tests.im.kit import Node, Town, enter, running

LATE = Mesh(period_s=3_600)  # the net does not help here


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.booleans()), max_size=40))
def test_who_is_known_for_sure_is_known_rightly(steps: list[tuple[str, bool, bool]]):  # req I11
    mine, others, rooms = Mine("n"), Others(), set[str]()
    others.take(mine.whole(), 0)
    for room, there, lost in steps:
        if there == (room in rooms):
            continue
        mine.room(room, there)
        (rooms.add if there else rooms.discard)(room)
        told = mine.news()
        if not lost and others.take(told, 0):
            others.take(mine.whole(), 0)
    # The beat repeats the last number: whatever was lost is asked for.
    if others.take(mine.news(), 0):
        others.take(mine.whole(), 0)
    for room in "abcd":
        assert (others.interested([room]) == ["n"]) == (room in rooms)


def test_a_node_that_is_in_doubt_hears_everything_and_a_silent_one_nothing():
    others = Others()
    assert others.take(Rooms(node="n", serial=4, enter=["a"]), 0)  # began in the middle: ask
    assert others.interested(["z"]) == ["n"]
    assert not others.take(Rooms(node="n", serial=5, enter=["a"], whole=True), 0)
    assert others.interested(["z"]) == []
    others.doubt()
    assert others.interested(["z"]) == ["n"]
    others.forget(DEAD_MS + 1)
    assert others.interested(["a"]) == others.names() == []


class Counting(LocalBus):
    """Counts publishes by channel; can lose announcements."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: Counter[str] = Counter()
        self.lose = False

    async def publish(self, channel: str, payload: bytes) -> None:
        self.sent[channel] += 1
        if not (self.lose and channel == PARCELS):
            await super().publish(channel, payload)


@pytest.fixture
def town() -> Town:
    town = Town()
    town.open_shop("S1", "agent-1")
    town.open_shop("S2", "agent-2")
    return town


@pytest.fixture
def bus() -> Counting:
    return Counting()


@pytest.fixture
async def three(db: Database, town: Town, bus: Counting) -> AsyncIterator[list[Node]]:
    async with (
        running(db, town, bus=bus, name="a", mesh=LATE) as one,
        running(db, town, bus=bus, name="b", mesh=LATE) as two,
        running(db, town, bus=bus, name="c", mesh=LATE) as three,
    ):
        yield [one, two, three]


async def known(nodes: list[Node]) -> None:
    """Every node is sure of every other."""
    async with asyncio.timeout(10):
        while not all(
            len(node.im.router._others.names()) == 2 and not node.im.router._others.interested(["nobody"])
            for node in nodes
        ):
            await asyncio.sleep(0.02)


async def test_only_the_node_that_listens_is_told(three: list[Node], bus: Counting):  # req I11
    one, two, third = three
    buyer, agent, other = (
        await enter(one, "buyer-1"), await enter(two, "agent-1", staff=True), await enter(third, "agent-2", staff=True)
    )  # fmt: skip
    c = await buyer.open("S1")
    await known(three)
    bus.sent.clear()
    for number in range(5):
        await buyer.say(c, str(number))
    assert await agent.sees(c, 5) == list("01234")
    assert bus.sent[inbox(two.im.router._node)] >= 1
    assert bus.sent[inbox(third.im.router._node)] == 0
    await asyncio.gather(buyer.close(), agent.close(), other.close())


async def test_what_was_just_said_follows_to_a_room_that_was_announced_late(three: list[Node], bus: Counting):
    one, two, _ = three
    buyer = await enter(one, "buyer-1")
    c = await buyer.open("S1")
    await known(three)
    bus.lose = True
    agent = await enter(two, "agent-1", staff=True)
    await buyer.say(c, "nobody there, as far as one knows")
    assert agent.log == {}
    bus.lose = False  # the next beat says that something was lost; the whole is asked for
    await buyer.say(c, "still")
    agent_room = await enter(two, "agent-1", staff=True)
    await buyer.say(c, "heard")
    await agent.sees(c, 1)
    await known(three)
    await buyer.say(c, "known")
    await agent.until(lambda: "known" in agent.texts(c))
    await asyncio.gather(buyer.close(), agent.close(), agent_room.close())


async def test_a_node_that_ends_is_sent_nothing_more(db: Database, town: Town, bus: Counting):
    async with running(db, town, bus=bus, name="a", mesh=LATE) as one:
        async with running(db, town, bus=bus, name="b", mesh=LATE) as two:
            await asyncio.wait_for(known_pair(one, two), 10)
            gone = inbox(two.im.router._node)
        buyer = await enter(one, "buyer-1")
        c = await buyer.open("S1")
        one.im.router._others.forget(2**62)
        bus.sent.clear()
        await buyer.say(c, "alone")
        assert bus.sent[gone] == 0
        await buyer.close()


async def known_pair(one: Node, two: Node) -> None:
    while not (one.im.router._others.names() and two.im.router._others.names()):
        await asyncio.sleep(0.02)
