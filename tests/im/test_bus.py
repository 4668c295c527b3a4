"""The bus and its in-process twin, held to one contract; what the Redis one does when Redis dies, freezes, forgets."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octshop_rt.core.bus import Bus, LocalBus
from octshop_rt.core.bus_redis import RedisBus
from octshop_rt.core.redis import RedisClients


@pytest.fixture(params=["local", "redis"])
async def buses(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Bus, Bus]]:
    """Two ends of one bus."""
    if request.param == "local":
        bus = LocalBus()
        yield bus, bus
        return
    url = request.getfixturevalue("redis_url")
    clients = RedisClients(url), RedisClients(url)
    one, two = RedisBus(clients[0]), RedisBus(clients[1])
    await asyncio.gather(one.start(), two.start())
    yield one, two
    await asyncio.gather(one.stop(), two.stop())
    await asyncio.gather(*(client.close() for client in clients))


async def eventually(true, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


async def test_whoever_listens_hears_in_order(buses: tuple[Bus, Bus]):
    here, there = buses
    heard: list[bytes] = []
    other: list[bytes] = []
    there.subscribe("a", lambda _, payload: heard.append(payload))
    there.subscribe("b", lambda _, payload: other.append(payload))
    await asyncio.sleep(0.1)
    for n in range(20):
        await here.publish("a", b"%d" % n)
    await eventually(lambda: len(heard) == 20)
    assert heard == [b"%d" % n for n in range(20)]
    assert other == []


async def test_one_hears_oneself_once(buses: tuple[Bus, Bus]):
    here, _ = buses
    heard: list[bytes] = []
    undo = here.subscribe("a", lambda _, payload: heard.append(payload))
    await asyncio.sleep(0.1)
    await here.publish("a", b"x")
    await asyncio.sleep(0.2)
    assert heard == [b"x"]
    undo()
    await here.publish("a", b"y")
    await asyncio.sleep(0.1)
    assert heard == [b"x"]


async def test_any_bytes_travel(buses: tuple[Bus, Bus]):
    here, there = buses
    heard: list[bytes] = []
    there.subscribe("a", lambda _, payload: heard.append(payload))
    await asyncio.sleep(0.1)
    odd = [b"", bytes(range(256)), b"x" * 100_000]
    for payload in odd:
        await here.publish("a", payload)
    await eventually(lambda: len(heard) == len(odd))
    assert heard == odd


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A Redis that a test may kill."""
    program = shutil.which("redis-server") or str(Path(sys.executable).parent / "redis-server")
    socket = tmp_path / "r.sock"
    servers: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        servers.append(
            subprocess.Popen(
                [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path)],
                stdout=subprocess.DEVNULL,
            )
        )

    start()
    await eventually(socket.exists)
    yield f"unix://{socket}", servers
    for server in servers:
        server.kill()
        server.wait()


async def test_a_dead_redis_is_a_gap_and_its_return_is_another(own_redis):
    url, servers = own_redis
    clients = RedisClients(url)
    bus = RedisBus(clients)
    await bus.start()
    gaps: list[int] = []
    heard: list[bytes] = []
    bus.on_gap(lambda: gaps.append(1))
    bus.subscribe("a", lambda _, payload: heard.append(payload))
    servers[0].kill()
    servers[0].wait()
    await eventually(lambda: gaps)
    await bus.publish("a", b"still here")  # never raises, and this process still hears itself
    assert heard == [b"still here"]
    assert bus.dropped == 1
    servers.append(subprocess.Popen(servers[0].args, stdout=subprocess.DEVNULL))
    await eventually(lambda: bus.connected, 8)
    await eventually(lambda: len(gaps) >= 2)
    other_clients = RedisClients(url)
    other = RedisBus(other_clients)
    await other.start()
    await other.publish("a", b"from another node")  # subscribed anew by itself
    await eventually(lambda: len(heard) == 2)
    assert heard == [b"still here", b"from another node"]
    await asyncio.gather(bus.stop(), other.stop(), clients.close(), other_clients.close())


async def test_a_frozen_redis_is_noticed_though_nothing_closes(own_redis):
    url, servers = own_redis
    clients = RedisClients(url)
    bus = RedisBus(clients)
    await bus.start()
    gaps: list[int] = []
    bus.on_gap(lambda: gaps.append(1))
    os.kill(servers[0].pid, signal.SIGSTOP)
    await eventually(lambda: gaps, 9)
    assert not bus.connected
    os.kill(servers[0].pid, signal.SIGCONT)
    await eventually(lambda: bus.connected, 8)
    assert len(gaps) == 2  # lost, and back
    await asyncio.gather(bus.stop(), clients.close())


async def test_a_cut_subscription_is_a_gap(own_redis):
    url, _ = own_redis
    clients = RedisClients(url)
    bus = RedisBus(clients)
    await bus.start()
    gaps: list[int] = []
    bus.on_gap(lambda: gaps.append(1))
    await clients.idempotent.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    await eventually(lambda: bus.connected and len(gaps) >= 2)
    assert len(gaps) == 2  # lost, and back
    await asyncio.gather(bus.stop(), clients.close())


async def test_a_receiver_that_fails_deafens_nobody(redis_url: str):
    clients = RedisClients(redis_url), RedisClients(redis_url)
    one, two = RedisBus(clients[0]), RedisBus(clients[1])
    await asyncio.gather(one.start(), two.start())
    heard: list[bytes] = []

    def fail(_channel: str, _payload: bytes) -> None:
        raise RuntimeError

    two.subscribe("bad", fail)
    two.subscribe("good", lambda _, payload: heard.append(payload))
    await asyncio.sleep(0.1)
    await one.publish("bad", b"")
    await one.publish("good", b"x")
    await eventually(lambda: heard)
    assert heard == [b"x"]
    await asyncio.gather(one.stop(), two.stop(), *(client.close() for client in clients))
