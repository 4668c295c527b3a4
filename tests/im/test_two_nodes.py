"""Two nodes, one log: they deliver to each other over Redis, number without gaps, and find what the bus has lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octshop_rt.core.bus import Bus
from octshop_rt.core.bus_redis import RedisBus
from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.core.redis import RedisClients
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.checks import CHECKS
from octshop_rt.im.conversation.net import Mesh
from octshop_rt.im.routing import PARCELS
from tests.im.history import Person, Shipped, judge, settled
from tests.im.kit import Client, Node, Town, client_id, enter, running
from tests.im.raw import Raw

QUICK = Mesh(period_s=0.5, overlap_s=5)


@pytest.fixture
def town() -> Town:
    town = Town()
    town.open_shop("S1", "agent-1", "agent-2")
    return town


@pytest.fixture
async def buses(redis_url: str) -> AsyncIterator[tuple[RedisBus, RedisBus]]:
    clients = RedisClients(redis_url), RedisClients(redis_url)
    pair = RedisBus(clients[0]), RedisBus(clients[1])
    await asyncio.gather(*(bus.start() for bus in pair))
    yield pair
    await asyncio.gather(*(bus.stop() for bus in pair), *(client.close() for client in clients))


@pytest.fixture
async def nodes(db: Database, town: Town, buses: tuple[RedisBus, RedisBus]) -> AsyncIterator[tuple[Node, Node]]:
    async with running(db, town, bus=buses[0], name="a") as one, running(db, town, bus=buses[1], name="b") as two:
        yield one, two
        assert (await examine(db, CHECKS)).findings == ()


class Lossy:
    """A bus whose publishes about chat go nowhere beyond this node while `lose` is on."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.lose = True
        self.lost = 0

    async def publish(self, channel: str, payload: bytes) -> None:
        if self.lose and channel.startswith(f"{PARCELS}:"):
            self.lost += 1
            return
        await self._bus.publish(channel, payload)

    def subscribe(self, channel, receive):
        return self._bus.subscribe(channel, receive)

    def on_gap(self, callback):
        return self._bus.on_gap(callback)


async def test_people_on_different_nodes_talk(nodes: tuple[Node, Node]):  # req 9
    buyer = await enter(nodes[0], "buyer-1")
    agent = await enter(nodes[1], "agent-1", staff=True, encoding="json")
    c = await buyer.open("S1")
    await buyer.say(c, "hi")
    assert await agent.sees(c, 1) == ["hi"]
    await agent.say(c, "hello")
    await buyer.until(lambda: 2 in buyer.log.get(c, {}))
    await agent.raw({"t": 9, "c": c, "s": 1})
    assert (await buyer.other(21))["r"] == 1
    await buyer.raw({"t": 15, "c": c, "k": "typing"})
    assert (await agent.other(22))["u"] == "buyer-1"
    await asyncio.gather(buyer.close(), agent.close())


async def test_both_nodes_write_one_conversation_without_gaps(nodes: tuple[Node, Node], db: Database):
    buyer = await enter(nodes[0], "buyer-1")
    agent = await enter(nodes[1], "agent-1", staff=True)
    watcher = await enter(nodes[1], "agent-2", staff=True)
    c = await buyer.open("S1")

    async def talk(client: Client, count: int) -> list[int]:
        return [(await client.say(c, f"{n}"))["s"] for n in range(count)]

    mine, theirs = await asyncio.gather(talk(buyer, 60), talk(agent, 60))
    assert sorted(mine + theirs) == list(range(1, 121))
    assert mine == sorted(mine)
    assert theirs == sorted(theirs)
    await watcher.sees(c, 120)
    assert [row.s for row in await store.page(db, c, 1, 999, 999, newest=False)] == list(range(1, 121))
    print("clashes", [node.im.conversations.appender.clashes for node in nodes])
    await asyncio.gather(buyer.close(), agent.close(), watcher.close())


async def test_a_burst_that_clashes_keeps_each_senders_order(nodes: tuple[Node, Node], db: Database):
    buyer = await enter(nodes[0], "buyer-1")
    agent = await enter(nodes[1], "agent-1", staff=True)
    c = await buyer.open("S1")
    for _ in range(4):
        mine, theirs = await asyncio.gather(
            asyncio.gather(*(buyer.say(c, f"{n}") for n in range(60))),
            asyncio.gather(*(agent.say(c, f"{n}") for n in range(60))),
        )
        for answers in (mine, theirs):
            assert [answer["s"] for answer in answers] == sorted(answer["s"] for answer in answers)
    assert sum(node.im.conversations.appender.clashes for node in nodes) > 0
    assert await store.tail(db, c) == 480
    await asyncio.gather(buyer.close(), agent.close())


async def test_five_devices_of_two_people_show_one_list_and_one_mark(
    nodes: tuple[Node, Node], db: Database, tmp_path: Path
):  # acceptance 11
    """Three of the agent, two of the buyer, on both nodes; all of them speak."""

    def on(node: Node) -> dict[str, object]:
        async def ticket(person: str, staff: bool) -> str:
            return await node.ticket(person, staff=staff)

        return {"ports": [node.port], "ticket": ticket, "chance": random.Random(11)}

    agents: list[Person] = [
        Shipped("agent-1", tmp_path, staff=True, **on(nodes[0])),
        Shipped("agent-1", tmp_path, staff=True, **on(nodes[1])),
        Raw("agent-1", staff=True, **on(nodes[0])),
    ]
    buyers: list[Person] = [
        Shipped("buyer-1", tmp_path, staff=False, **on(nodes[0])),
        Raw("buyer-1", staff=False, **on(nodes[1])),
    ]
    people = agents + buyers
    for person in people:
        person.start()
    await asyncio.gather(*(person.online() for person in people))
    c = await buyers[0].open("S1")
    await buyers[0].say(c, "hello")
    await settled(db, people, [c], 10)

    async def speak(person: Person) -> None:
        for number in range(8):
            await person.say(c, f"{number}")

    await asyncio.gather(*(speak(person) for person in people))
    await settled(db, people, [c], 10)
    assert await judge(db, people, [c]) == []  # no device shows its own words twice, all show 41 lines
    agents[0].read(c)
    async with asyncio.timeout(5):  # only the push is that quick: the heartbeat and the net take ten seconds and more
        while not all(person.marks.get((c, "agent-1")) == 41 for person in people[1:]):
            await asyncio.sleep(0.02)
    assert await judge(db, people, [c]) == []
    await asyncio.gather(*(person.stop() for person in people))


async def test_one_message_fifty_times_through_two_nodes_and_devices(nodes: tuple[Node, Node], db: Database):
    devices = [await enter(nodes[n % 2], "buyer-1") for n in range(4)]
    c = await devices[0].open("S1")
    m = client_id()
    answers = await asyncio.gather(*(devices[n % 4].say(c, "hi", m) for n in range(50)))
    assert {(answer["t"], answer["s"], answer["m"]) for answer in answers} == {(4, 1, m)}
    assert len({answer["ts"] for answer in answers}) == 1
    assert len(await store.page(db, c, 1, 99, 99, newest=False)) == 1
    conflict = await devices[1].say(c, "other words", m)
    assert conflict["code"] == "im.idem_conflict"
    await asyncio.gather(*(client.close() for client in devices))


async def test_a_lost_push_is_found_without_further_traffic(db: Database, town: Town, buses: tuple[RedisBus, RedisBus]):
    lossy = Lossy(buses[0])
    async with running(db, town, bus=lossy, name="a") as one, running(db, town, bus=buses[1], mesh=QUICK) as two:
        buyer = await enter(one, "buyer-1")
        agent = await enter(two, "agent-1", staff=True)
        c = await buyer.open("S1")
        for n in range(3):
            await buyer.say(c, f"lost {n}")
        assert await agent.sees(c, 3, seconds=4) == ["lost 0", "lost 1", "lost 2"]
        assert lossy.lost >= 1
        assert two.im.conversations.net.caught == 3
        lossy.lose = False
        await agent.say(c, "and on")  # the tail was raised by what the net found
        assert two.im.conversations.appender.clashes == 0
        await asyncio.gather(buyer.close(), agent.close())


async def test_after_a_gap_of_the_bus_the_log_is_read_at_once(
    db: Database, town: Town, buses: tuple[RedisBus, RedisBus], redis_url: str
):
    lossy = Lossy(buses[0])
    async with running(db, town, bus=lossy, name="a") as one, running(db, town, bus=buses[1], mesh=Mesh()) as two:
        buyer = await enter(one, "buyer-1")
        agent = await enter(two, "agent-1", staff=True)
        c = await buyer.open("S1")
        await buyer.say(c, "lost")
        with pytest.raises(TimeoutError):
            await agent.sees(c, 1, seconds=0.3)
        clients = RedisClients(redis_url)
        await clients.once.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        assert await agent.sees(c, 1, seconds=4) == ["lost"]
        await asyncio.gather(buyer.close(), agent.close(), clients.close())


async def test_the_newer_connection_of_a_device_wins_across_nodes(nodes: tuple[Node, Node]):
    old = await enter(nodes[0], "buyer-1", dev="phone")
    other = await enter(nodes[0], "buyer-1", dev="tablet")
    new = await enter(nodes[1], "buyer-1", dev="phone")
    assert await old.ended() == 4006
    assert old.others[-1]["code"] == "im.replaced"
    again = await enter(nodes[1], "buyer-1", dev="phone")
    assert await new.ended() == 4006
    assert other.closed is None
    await asyncio.gather(other.close(), again.close(), old.close(), new.close())


async def test_signing_out_on_one_node_closes_the_socket_on_the_other(nodes: tuple[Node, Node], town: Town):
    buyer = await enter(nodes[0], "buyer-1")
    agent = await enter(nodes[0], "agent-1", staff=True)
    c = await buyer.open("S1")
    await nodes[1].sessions.revoke_person("buyer-1")
    assert await buyer.ended() == 4003  # at once; five seconds are allowed
    assert buyer.others[-1]["code"] == "im.signed_out"
    town.grants["agent-1"] = ()
    await nodes[1].sessions.rights_changed("agent-1")
    assert await agent.ended() == 4010  # signed in still, with other rights: come back
    back = await enter(nodes[0], "agent-1", staff=True)
    assert (await back.say(c, "hi"))["code"] == "im.no_conversation"
    assert await back.sync({c: 1}) == []
    await asyncio.gather(buyer.close(), agent.close(), back.close())


async def test_a_message_sent_again_on_the_other_node_is_the_same_message(nodes: tuple[Node, Node]):
    buyer = await enter(nodes[0], "buyer-1", dev="phone")
    c = await buyer.open("S1")
    m = client_id()
    await buyer.raw({"t": 5, "i": 1, "c": c, "m": m, "k": "text", "b": {"text": "hi"}})
    buyer.cut()
    back = await enter(nodes[1], "buyer-1", dev="phone")
    again = await back.say(c, "hi", m)
    assert (again["t"], again["s"]) == (4, 1)
    await asyncio.gather(buyer.close(), back.close())


async def test_redis_gone_changes_nothing_but_time(db: Database, town: Town, redis_url: str):
    """The bus never connects: both nodes still number one log, and the net carries what is said."""
    clients = [RedisClients("unix:///nowhere/redis.sock") for _ in range(2)]
    buses = [RedisBus(client) for client in clients]
    await asyncio.gather(*(bus.start() for bus in buses))
    slow = Mesh(period_s=30)
    async with (
        running(db, town, bus=buses[0], name="a", mesh=slow) as one,
        running(db, town, bus=buses[1], name="b", mesh=slow) as two,
    ):
        buyer = await enter(one, "buyer-1")
        agent = await enter(two, "agent-1", staff=True)
        c = await buyer.open("S1")
        await buyer.say(c, "hi")
        assert await agent.sees(c, 1, seconds=5) == ["hi"]
        await agent.say(c, "hello")
        await buyer.until(lambda: 2 in buyer.log.get(c, {}), 5)
        for turn in range(3):  # in turn and too fast for the net: each finds the tail moved by the other
            for client in (buyer, agent):
                answers = await asyncio.gather(*(client.say(c, "x") for _ in range(5)))
                assert max(answer["s"] for answer in answers) == 7 + turn * 10 + (5 if client is agent else 0)
        await asyncio.gather(buyer.close(), agent.close())
    await asyncio.gather(*(bus.stop() for bus in buses), *(client.close() for client in clients))
