"""The protocol's acceptance tests in their short form; a finished history is judged against the log each time.

Numbers are those of the acceptance list. The others stand where their subject is: 1 test_kill, 3 4 7 11 test_two_nodes,
5 6 test_failover, 12 test_lifecycle, 19 test_wire, 20 test_lifecycle and test_wire, 21 22 test_doors, 24 test_contents,
26 test_long_log, 28 test_soak; 23 and 27 in tests/desk and tests/insight.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Sequence

import pytest
from msgspec import structs

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import Clock, Millis, TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.conversation.net import Mesh
from octshop_rt.im.routing import PARCELS
from octshop_rt.im.wire.fields import Body
from tests.im.crowd import Person, Wire, judge, online, until
from tests.im.kit import FAST, Client, Node, Town, client_id, enter, running

DAY = 86_400_000
HOUR = 3_600_000


@pytest.fixture
def town() -> Town:
    town = Town()
    town.open_shop("S1", "agent-1", "agent-2")
    return town


@pytest.fixture
async def node(db: Database, town: Town) -> AsyncIterator[Node]:
    async with running(db, town) as node:
        yield node


class Bad(LocalBus):
    """Between nodes: every parcel up to half a second late, in any order, one in twenty lost."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance
        self._late: set[asyncio.Task[None]] = set()
        self.lost = 0

    async def publish(self, channel: str, payload: bytes) -> None:
        if not channel.startswith(PARCELS):
            await super().publish(channel, payload)
        elif self._chance.random() < 0.05:
            self.lost += 1
        else:
            task = asyncio.get_running_loop().create_task(self._later(channel, payload))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    async def _later(self, channel: str, payload: bytes) -> None:
        await asyncio.sleep(self._chance.random() * 0.5)
        await super().publish(channel, payload)


class Skewed(Clock):
    """A node whose clock is wrong."""

    def __init__(self, by: int) -> None:
        self._by = by

    def now(self) -> Millis:
        return super().now() + self._by


async def test_2_every_answer_is_lost_once_and_every_message_is_there_once(db: Database, town: Town):
    bus = LocalBus()
    async with running(db, town, bus=bus, name="a") as one, running(db, town, bus=bus, name="b") as two:
        buyer, agent = Person(one, "buyer-1"), Person(two, "agent-1", staff=True)
        async with online(buyer, agent):
            c = await buyer.client.open("S1")
            for number in range(12):
                saying = asyncio.create_task(buyer.say(c, str(number)))
                tail = await store.tail(db, c)
                await until(lambda: buyer.client.waiting() == 0 or buyer.link._out.empty())
                buyer.move(two if number % 2 else one)
                buyer.cut()  # stored or not: the client does not know
                await saying
                assert await store.tail(db, c) == tail + 1
            await judge(db, [buyer, agent], c)
        assert buyer.texts(c) == [str(number) for number in range(12)]


async def test_8_the_same_id_after_thirty_days_is_still_the_same_message(db: Database, town: Town):
    clock = TestClock()
    async with running(db, town, clock=clock) as node:
        buyer = await enter(node, "buyer-1")
        c = await buyer.open("S1")
        m = client_id()
        first = await buyer.say(c, "hi", m)
        await buyer.close()
        clock.advance(30 * DAY)
        later = await enter(node, "buyer-1")
        again = await later.say(c, "hi", m)
        assert (again["s"], again["dup"]) == (first["s"], True)
        assert await store.tail(db, c) == 1
        await later.close()


async def test_9_late_shuffled_and_lost_pushes_show_the_log(db: Database, town: Town):
    bus = Bad(random.Random(9))
    mesh = Mesh(period_s=1, overlap_s=10)
    async with (
        running(db, town, bus=bus, name="a", mesh=mesh) as one,
        running(db, town, bus=bus, name="b", mesh=mesh) as two,
    ):
        people = [Person(one, "buyer-1"), Person(two, "agent-1", staff=True), Person(one, "agent-2", staff=True)]
        async with online(*people):
            c = await people[0].client.open("S1")
            await people[0].say(c, "hello")  # a device shows a conversation from where it first heard of it
            await until(lambda: all(person.shown for person in people))
            await asyncio.gather(*(talk(person, c, 25) for person in people))
            await judge(db, people, c)
    assert bus.lost


async def talk(person: Person, c: str, count: int) -> None:
    for number in range(count):
        await person.say(c, f"{number}")


async def test_13_five_hundred_conversations_of_a_day_away_come_in_one_chain(db: Database, town: Town):
    shops = [town.open_shop(f"S{number}") for number in range(500)]
    async with running(db, town) as node:
        away = await enter(node, "buyer-1")
        cs = [await away.open(shop) for shop in shops]
        await away.close()
        rows = [line(c, s) for c in cs for s in range(1, 21)]
        for at in range(0, len(rows), 1_000):
            await store.append(db, rows[at : at + 1_000])
        back = await enter(node, "buyer-1", encoding="json")
        pages = 0
        cur: dict[str, str] = {}
        unread: dict[str, int] = {}
        while True:
            page = await back.ask({"t": 11, "heads": {}, **cur})
            pages += 1
            assert len(json.dumps(page, ensure_ascii=False).encode()) <= FAST.soft_bytes
            for one in page["convs"]:
                assert [ent["s"] for ent in one["ents"]] == list(range(1, 21))
                unread[one["c"]] = one["unread"]
            if page["done"]:
                break
            cur = {"cur": page["cur"]}
        assert unread == dict.fromkeys(cs, 20)
        assert pages < 60
        await back.close()


def line(c: str, s: int) -> Entry:
    return Entry(
        id=f"E{c}{s:06}", c=c, s=s, f="agent-1", fr="staff", m=f"message-{s:012}", k="text", ts=1, h="",
        b=Body(text=f"您好, 这是第 {s} 条消息, 请问还有什么可以帮您? " * 3),
    )  # fmt: skip


async def test_13_long_texts_come_in_pages_that_fit(node: Node):
    buyer = await enter(node, "buyer-1")
    agent = await enter(node, "agent-1", staff=True, encoding="json")
    c = await buyer.open("S1")
    for number in range(12):
        await buyer.say(c, f"{number}" + "长" * 9_900)
    page = await agent.pull(c, n=200)
    assert page["more"]
    assert len(json.dumps(page, ensure_ascii=False).encode()) <= FAST.soft_bytes
    while len(agent.log[c]) < 12:
        page = await agent.pull(c, **{"from": max(agent.log[c]) + 1, "n": 200})
    newest = await agent.pull(c, n=200, rev=True)
    assert newest["ents"][-1]["s"] == 12
    assert newest["more"]
    person = Person(node, "agent-1", staff=True)
    async with online(person):
        await until(lambda: person.shown and person.shown[-1].s == 12)
    await asyncio.gather(buyer.close(), agent.close())


async def test_14_nothing_falls_between_the_sync_and_the_live(node: Node, db: Database):
    agent = Person(node, "agent-1", staff=True)
    buyer = Person(node, "buyer-1")
    async with online(agent, buyer):
        c = await buyer.client.open("S1")
        await buyer.say(c, "hello")
        talking = asyncio.create_task(talk(agent, c, 150))
        while not talking.done():
            await buyer.client.online()
            buyer.cut()
            await asyncio.sleep(0.05)
        await talking
        await judge(db, [agent, buyer], c)
        assert buyer.texts(c) == ["hello", *map(str, range(150))]
        assert buyer.client.reconnects


@pytest.mark.parametrize("nodes", [1, 2])
async def test_14_one_word_at_the_moment_of_coming_back_is_heard_though_nothing_follows(
    db: Database, town: Town, nodes: int
):
    """Nothing else may help: no later word, no heartbeat, no net. Said before, with and right after the SYNC, by
    somebody on the same node and on another, which may not yet know that anybody is listening here.
    """
    bus, never = LocalBus(), Mesh(period_s=3_600)
    async with (
        running(db, town, bus=bus, name="a", mesh=never) as one,
        running(db, town, bus=bus, name="b", mesh=never) as two,
    ):
        agent = await enter(one, "agent-1", staff=True)
        host = (one, two)[nodes - 1]
        opener = await enter(host, "buyer-1")
        c = await opener.open("S1")
        await opener.close()
        for held in range(24):
            back = await enter(host, "buyer-1")
            match held % 3:
                case 0:
                    await asyncio.gather(agent.say(c, "before"), back.sync({c: held}))
                case 1:
                    await asyncio.gather(back.sync({c: held}), agent.say(c, "with"))
                case _:
                    await back.sync({c: held})
                    await agent.say(c, "after")
            await back.until(lambda back=back, held=held: held + 1 in back.log.get(c, {}))
            await back.close()
        await agent.close()


async def test_15_a_crowd_that_drops_and_returns_at_once_is_synced(node: Node, db: Database):
    crowd = [Person(node, f"buyer-{number}") for number in range(60)]
    agent = Person(node, "agent-1", staff=True)
    async with online(agent, *crowd):
        cs = [await person.client.open("S1") for person in crowd]
        for person in crowd:
            person.cut()
        await asyncio.gather(*(agent.say(c, f"while you were away {c}") for c in cs))
        await until(lambda: all(person.shown for person in crowd))
        for person, c in zip(crowd, cs, strict=True):
            await judge_display(db, person, c)
            assert person.texts(c) == [f"while you were away {c}"]


async def judge_display(db: Database, person: Person, c: str) -> None:
    rows = await store.page(db, c, 1, 2**40, 0, newest=False)
    assert [ent.id for ent in person.shown if ent.c == c] == [row.id for row in rows]


async def test_16_a_crowd_that_says_nothing_stays_and_then_hears_each_word_once(db: Database, town: Town):
    """The long form, 10,000 for ten minutes with their memory, is loadtests/soak_idle.py."""
    policy = structs.replace(FAST, heartbeat_s=1, links_staff=5)
    async with running(db, town, policy=policy) as node:
        agent = await enter(node, "agent-1", staff=True)
        crowd = [await enter(node, f"buyer-{number}") for number in range(100)]
        cs = [await one.open("S1") for one in crowd]
        await asyncio.sleep(2.5)  # beyond the second heartbeat, before the third
        assert all(one.closed is None and one.last_ping["uh"] == 0 for one in crowd)
        await asyncio.gather(*(one.say(c, "hello") for one, c in zip(crowd, cs, strict=True)))
        await asyncio.gather(*(agent.say(c, "welcome") for c in cs))
        for one, c in zip(crowd, cs, strict=True):
            await one.until(lambda one=one, c=c: 2 in one.log.get(c, {}))
            assert list(agent.log[c]) == [1]
        await agent.until(lambda: agent.last_ping["uh"] == 100)
        assert (agent.ents_received, {one.ents_received for one in crowd}) == (100, {1})
        await asyncio.gather(agent.close(), *(one.close() for one in crowd))


async def test_17_a_half_open_line_is_noticed_on_both_ends(db: Database, town: Town):
    policy = structs.replace(FAST, heartbeat_s=1, grace_ms=500)
    async with running(db, town, policy=policy) as node, Wire(node.port) as wire:
        buyer, agent = Person(node, "buyer-1", port=wire.port), Person(node, "agent-1", staff=True)
        async with online(buyer, agent):
            c = await buyer.client.open("S1")
            await buyer.say(c, "1")
            before = buyer.link
            wire.freeze()
            await agent.say(c, "into the dark")
            await until(lambda: buyer.client._link not in {None, before})
            await judge(db, [buyer, agent], c)
            await until(lambda: node.im.connections == 2)  # the dead one is not among them
            assert buyer.texts(c) == ["1", "into the dark"]


async def test_18_three_nodes_are_replaced_one_after_the_other_and_nobody_sees_it(db: Database, town: Town):
    bus = LocalBus()
    async with (
        running(db, town, bus=bus, name="a") as a,
        running(db, town, bus=bus, name="b") as b,
        running(db, town, bus=bus, name="c") as c_,
        running(db, town, bus=bus, name="d") as d,
    ):
        ring = [a, b, c_, d]
        people = [Person(ring[number % 3], f"buyer-{number}") for number in range(6)]
        agent = Person(a, "agent-1", staff=True)
        async with online(agent, *people):
            cs = [await person.client.open("S1") for person in people]
            over = asyncio.Event()

            async def chatter(person: Person, c: str) -> None:
                number = 0
                while not over.is_set():
                    await person.say(c, f"{number}")
                    number += 1
                    await asyncio.sleep(0.02)

            talking = [asyncio.create_task(chatter(person, c)) for person, c in zip(people, cs, strict=True)]
            for old, new in itertools.pairwise(ring):
                for person in [agent, *people]:
                    if person.node is old:
                        person.move(new)
                await old.im.drain(by_ms=10_000, spread_ms=300)
                assert old.im.connections == 0
            over.set()
            await asyncio.gather(*talking)
            assert [person.client.reconnects for person in [agent, *people]] == [0] * 7  # no one was cut off
            told = {fault.code for person in [agent, *people] for fault in person.faults}
            assert told <= {"im.replaced"}  # the socket that was left; nothing was refused
            for person, c in zip(people, cs, strict=True):
                await judge(db, [person, agent], c)


async def test_18_a_node_that_ends_sends_its_people_away_little_by_little(node: Node):
    """With the drain's own measure: 30 s in all, 20 s of spread. Everybody leaves when told, so it takes the waves' two
    seconds; what GOAWAY says tells when each was told and when a client would have moved.
    """
    crowd = [await enter(node, f"buyer-{number}") for number in range(200)]

    async def told(one: Client) -> tuple[int, int]:
        goaway = await one.other(33, 20)
        await one.close()
        return 30_000 - goaway["by"], 30_000 - goaway["by"] + goaway["after"]

    draining = asyncio.create_task(node.im.drain())
    moments = await asyncio.gather(*(told(one) for one in crowd))
    await draining
    assert most_within(90, [at for at, _ in moments]) <= 10  # a wave is a twentieth, the next comes after 100 ms
    assert most_within(1_000, [at for _, at in moments]) <= 30  # of 200, whom chance puts 10 a second
    assert max(at for _, at in moments) < 30_000


def most_within(span_ms: int, moments: Sequence[int]) -> int:
    """How many fall into the busiest stretch of that length."""
    return max(sum(start <= at < start + span_ms for at in moments) for start in moments)


async def test_25_nodes_an_hour_apart_keep_one_order(db: Database, town: Town):
    bus = LocalBus()
    async with (
        running(db, town, bus=bus, name="a", clock=Skewed(HOUR)) as one,
        running(db, town, bus=bus, name="b", clock=Skewed(-HOUR)) as two,
    ):
        buyer, agent = Person(one, "buyer-1"), Person(two, "agent-1", staff=True)
        async with online(buyer, agent):
            c = await buyer.client.open("S1")
            for number in range(10):
                await (agent, buyer)[number % 2].say(c, str(number))
            await judge(db, [buyer, agent], c)
    assert buyer.texts(c) == agent.texts(c) == [str(number) for number in range(10)]
