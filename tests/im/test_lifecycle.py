"""A connection's life: heartbeat, silence, a slow reader, hostile bytes, and a node that stops with manners."""

from __future__ import annotations

import asyncio
import os
import random
import socket as sockets
import struct
from collections.abc import AsyncIterator

import msgpack
import psutil
import pytest
import websockets

from octshop_rt.core.clock import HOUR, TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.session import Policy
from octshop_rt.im.wire.codec import Encoding, encode
from tests.im.frames import TO_SERVER, packed
from tests.im.kit import FAST, Client, Node, Town, enter, running
from tests.im.test_wire import HOSTILE_JSON, HOSTILE_MSGPACK

SLOW = 4  # of one agent, who may have five


@pytest.fixture
def town() -> Town:
    town = Town()
    town.open_shop("S1", "agent-1", "agent-2")
    return town


@pytest.fixture
async def node(db: Database, town: Town) -> AsyncIterator[Node]:
    async with running(db, town) as node:
        yield node


def policy(**changes) -> Policy:
    return Policy(**{name: getattr(FAST, name) for name in Policy.__struct_fields__} | changes)


async def test_the_heartbeat_counts_entries_and_silence_ends(db: Database, town: Town):
    async with running(db, town, policy=policy(heartbeat_s=1, grace_ms=500)) as node:
        buyer = await enter(node, "buyer-1")
        agent = await enter(node, "agent-1", staff=True)
        c = await buyer.open("S1")
        for n in range(3):
            await buyer.say(c, str(n))
        await agent.sees(c, 3)
        await agent.until(lambda: agent.last_ping.get("uh") == 3, 4)
        assert agent.ents_received == 3
        buyer.auto_pong = False
        assert await buyer.ended(14) == 4007
        assert agent.closed is None  # it answers
        await asyncio.gather(buyer.close(), agent.close())


async def test_what_is_not_acked_is_told(db: Database, town: Town):
    async with running(db, town, policy=policy(heartbeat_s=1, unacked_ms=500)) as node:
        buyer = await enter(node, "buyer-1")
        agent = await enter(node, "agent-1", staff=True)
        c = await buyer.open("S1")
        await buyer.say(c, "one")
        assert (await agent.other(23))["heads"] == {c: 1}
        await buyer.say(c, "two")
        await agent.sees(c, 2)
        await agent.raw({"t": 7, "d": {c: 2}})
        await asyncio.sleep(1.6)
        assert [frame for frame in agent.others if frame["t"] == 23] == []
        await asyncio.gather(buyer.close(), agent.close())


async def test_slow_readers_lose_nothing_cost_little_and_delay_nobody(db: Database, town: Town):  # IM9, acceptance 12
    async with running(db, town) as node:
        buyer = await enter(node, "buyer-1")
        slow = [await enter(node, "agent-1", staff=True) for _ in range(SLOW)]
        quick = await enter(node, "agent-2", staff=True)
        c = await buyer.open("S1")
        for one in slow:
            assert one.ws is not None
            one.ws.transport.pause_reading()  # the network fills, nobody reads
        before = psutil.Process().memory_info().rss
        text = "x" * 9_000
        for _ in range(20):
            await asyncio.gather(*(buyer.say(c, text) for _n in range(40)))
        await quick.sees(c, 800, 10)
        assert len(node.im.owing) == SLOW
        for owing in node.im.owing:
            assert owing.buffered < 600_000
            assert owing.session.owed == {c: 800}
        assert psutil.Process().memory_info().rss - before < 80_000_000  # all ends and 7 MB of text live in here
        await asyncio.gather(*(converges(one, c) for one in slow))
        await buyer.say(c, "live again")
        for one in slow:
            await one.sees(c, 801)
            assert one.texts(c) == [*[text] * 800, "live again"]
            assert one.closed is None
        assert node.im.owing == set()
        await asyncio.gather(buyer.close(), quick.close(), *(one.close() for one in slow))


async def converges(slow: Client, c: str) -> None:
    """It reads again, is told by one GAP how far the log is, and pulls what it lacks."""
    assert slow.ws is not None
    slow.ws.transport.resume_reading()
    gap = await slow.other(23, 10)
    assert gap["heads"] == {c: 800}
    missing = [s for s in range(1, 801) if s not in slow.log.get(c, {})]
    assert missing
    while missing:
        await slow.pull(c, **{"from": missing[0], "to": min(missing[0] + 19, 800), "n": 20})
        missing = [s for s in range(1, 801) if s not in slow.log[c]]


async def test_a_reader_that_takes_nothing_at_all_is_cut(db: Database, town: Town):
    async with running(db, town, policy=policy(stuck_ms=700)) as node:
        buyer = await enter(node, "buyer-1")
        dead = await enter(node, "agent-1", staff=True)
        c = await buyer.open("S1")
        assert dead.ws is not None
        dead.ws.transport.pause_reading()
        for _ in range(20):
            await asyncio.gather(*(buyer.say(c, "x" * 9_000) for _ in range(40)))
        async with asyncio.timeout(8):
            while node.im.connections > 1:
                await asyncio.sleep(0.05)
        dead.ws.transport.resume_reading()
        await asyncio.gather(buyer.close(), dead.close())


async def test_a_node_that_stops_lets_everyone_move_first(db: Database, town: Town):  # P9
    async with running(db, town, name="old") as old, running(db, town, name="new", bus=old.bus) as new:
        buyer = await enter(old, "buyer-1", dev="d")
        c = await buyer.open("S1")
        draining = asyncio.create_task(old.im.drain(by_ms=3_000, spread_ms=10))
        away = await buyer.other(33)
        assert away["code"] == "im.draining"
        with pytest.raises(websockets.InvalidStatus):
            await Client().connect(old.port)
        assert (await buyer.say(c, "still served"))["s"] == 1
        moved = await enter(new, "buyer-1", dev="d")  # the new one first; the old one is replaced by it
        assert await buyer.ended() == 4006
        await asyncio.wait_for(draining, 2)
        assert (await moved.say(c, "moved"))["s"] == 2
        await asyncio.gather(moved.close(), buyer.close())


async def test_a_hello_that_comes_late_does_not_put_out_the_connection_opened_after_it(node: Node):
    """A client that has given up on a slow connection and opened the next one: the first HELLO is read last."""
    first = await Client().connect(node.port)
    tickets = [await node.ticket("buyer-1"), await node.ticket("buyer-1")]
    second = await (await Client().connect(node.port)).hello(tickets[1], "phone")
    with pytest.raises(AssertionError, match=r"im\.replaced"):
        await first.hello(tickets[0], "phone")
    assert (await second.say(await second.open("S1"), "still here"))["s"] == 1
    assert second.closed is None
    third = await (await Client().connect(node.port)).hello(await node.ticket("buyer-1"), "phone")
    assert await second.ended() == 4006
    assert node.im.connections == 1
    await asyncio.gather(first.close(), second.close(), third.close())


async def test_a_device_comes_back_after_the_clock_was_set_back(db: Database, town: Town, clock: TestClock):
    """Ids of links are wall time; the half-open connection of before is the older one all the same."""
    async with running(db, town, clock=clock) as node:
        before = await enter(node, "buyer-1", dev="phone")
        clock._now -= HOUR
        after = await enter(node, "buyer-1", dev="phone")
        assert await before.ended() == 4006
        assert (await after.say(await after.open("S1"), "here again"))["s"] == 1
        await asyncio.gather(before.close(), after.close())


async def test_whoever_stays_is_closed_in_the_end(db: Database, town: Town):
    async with running(db, town) as node:
        buyer = await enter(node, "buyer-1")
        await node.im.drain(by_ms=300, spread_ms=10)
        assert await buyer.ended() == 4010
        await buyer.close()


# --- hostile bytes ----------------------------------------------------------------------------------------------------


async def end_of(client: Client) -> int:
    assert client.ws is not None
    with pytest.raises(websockets.ConnectionClosed) as end:
        while True:
            await asyncio.wait_for(client.ws.recv(), 5)
    return end.value.rcvd.code if end.value.rcvd else 1006


@pytest.mark.parametrize("greeted", [False, True])
async def test_hostile_messages_close_with_4002(node: Node, greeted: bool):  # F27
    for encoding, attacks in (("msgpack", HOSTILE_MSGPACK), ("json", HOSTILE_JSON)):
        for name, data in attacks.items():
            client = await Client(encoding).connect(node.port)
            assert client.ws is not None
            if greeted:
                await client.raw(
                    {"t": 1, "v": 1, "tok": await node.ticket(f"buyer-{name}".replace(" ", "-")), "dev": "d"}
                )
                await client.ws.recv()
            if encoding == "json" and name == "bad utf-8":
                await client.ws.send(data, text=True)  # refused by the WebSocket layer itself
                assert await end_of(client) == 1007, name
            else:
                await client.ws.send(data.decode(errors="replace") if encoding == "json" else data)
                assert await end_of(client) == 4002, name
    alive = await enter(node, "buyer-1")
    assert await alive.open("S1")
    await alive.close()


async def test_wrong_sizes_and_types_close_with_their_codes(node: Node):
    for data, code in ((b"\x00" * 4_097, 4002), (b"\x00" * 70_000, 1009), ("text", 4002)):
        client = await Client().connect(node.port)
        assert client.ws is not None
        await client.ws.send(data)
        assert await end_of(client) == code
    client = await enter(node, "buyer-1")
    assert client.ws is not None
    await client.ws.send(b"\x00" * 70_000)
    assert await client.ended() == 1009
    await client.close()


async def test_a_ping_flood_is_abuse(node: Node):
    client = await enter(node, "buyer-1")
    assert client.ws is not None
    with pytest.raises(websockets.ConnectionClosed):
        for _ in range(200):
            await client.ws.ping()
            await asyncio.sleep(0)
        await client.ended()
        await client.ws.ping()
    assert await client.ended() == 4009
    await client.close()


async def test_mutated_frames_never_hurt_the_node(node: Node):
    """Seeded byte mutation of every frame over real sockets; the node lives and does not grow."""
    chance = random.Random(9)
    rss = psutil.Process().memory_info().rss
    frames = [encode(frame, Encoding.MSGPACK) for name, frame in TO_SERVER.items() if name != "hello"]
    ended: list[int] = []
    for round_ in range(120):
        client = await Client().connect(node.port)
        assert client.ws is not None
        await client.raw({"t": 1, "v": 1, "tok": await node.ticket(f"fuzzer-{round_}"), "dev": "d"})
        await client.ws.recv()
        try:
            for frame in chance.sample(frames, 3):
                data = bytearray(frame)
                data[chance.randrange(1, len(data))] = chance.randrange(256)
                await client.ws.send(bytes(data))
            await client.ws.send(packed({"t": 11, "i": 999_999}))
            while msgpack.unpackb(await asyncio.wait_for(client.ws.recv(), 5)).get("i") != 999_999:
                pass
            ended.append(0)
        except websockets.ConnectionClosed as end:
            ended.append(end.rcvd.code if end.rcvd else 1006)
        client.cut()
    assert {0, 4002} == set(ended)  # some rounds lived through all of it
    alive = await enter(node, "buyer-1")
    assert await alive.open("S1")
    assert psutil.Process().memory_info().rss - rss < 50_000_000
    await alive.close()


async def test_raw_sockets_that_break_the_protocol_or_say_nothing(db: Database, town: Town):
    async with running(db, town, policy=policy(hello_ms=1_000)) as node:
        await hostile_sockets(node)
        alive = await enter(node, "buyer-1")
        assert await alive.open("S1")
        await alive.close()


async def hostile_sockets(node: Node) -> None:
    async def talk(after_upgrade: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(
            b"GET /im HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mall.im.v1.msgpack\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        writer.write(after_upgrade)
        try:
            return await asyncio.wait_for(reader.read(200), 8)
        finally:
            writer.close()

    huge = b"\x82\xff" + struct.pack("!Q", 2**63 - 1) + b"mask"
    unmasked = b"\x82\x01\x00"
    reserved = b"\xc2\x81mask\x00"
    fragments = b"\x02\x80mask" + b"\x00\x80mask" * 5_000
    for data in (huge, unmasked, reserved, fragments, os.urandom(500)):
        answer = await talk(data)
        assert answer == b"" or answer[0] == 0x88, data[:4]
    # half-open: connect, upgrade, vanish
    for _ in range(20):
        raw = sockets.create_connection(("127.0.0.1", node.port))
        raw.send(b"GET /im HTTP/1.1\r\n")
        raw.close()
