"""What the soak torments: a MongoDB, a Redis and chat nodes, each a process of its own, and the ways to hurt them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
from msgspec import Struct
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from octshop_rt.core.mongo import Database, declared
from octshop_rt.core.redis import RedisClients
from octshop_rt.core.settings import MongoSettings
from octshop_rt.embedded import EmbeddedMongo, EmbeddedRedis

PREFIX = "soak"
ROOT = Path(__file__).parents[1]


class Held(Struct, frozen=True):
    """What a node holds at a quiet moment."""

    tasks: int
    connections: int
    owing: int
    waiting: int
    caught: int
    clashes: int
    refused: int
    rss_kb: int = 0
    descriptors: int = 0


class NodeProcess:
    """One node on a port it keeps over its deaths. A `steady` one is paused but never ended: its memory is watched."""

    def __init__(self, arguments: tuple[str, str, str], name: str, log: Path, *, rough: bool, steady: bool) -> None:
        self._arguments = arguments
        self._name = name
        self._log = log
        self._rough = rough
        self.steady = steady
        self.port = 0
        self.lives = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None
        return self._process

    async def start(self) -> None:
        self.lives += 1
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "loadtests.soak_node", *self._arguments, str(self.port), self._name,
                *(["rough"] if self._rough else []), cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip
        line = await self._line(b"listening on ")
        self.port = int(line.split()[-1])

    async def _line(self, start: bytes) -> bytes:
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while not (line := await self.process.stdout.readline()).startswith(start):
                assert line, f"node {self._name} has ended by itself: {self._log}"
        return line

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    async def end(self, number: int) -> int:
        """With or without farewell; the exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.signal(number)
        return await asyncio.wait_for(self.process.wait(), 30)

    async def held(self) -> Held:
        """What it holds now. Connections to MongoDB and Redis come and go with load and are no leak."""
        self.signal(signal.SIGUSR1)
        told = json.loads(await self._line(b"{"))
        process = psutil.Process(self.process.pid)
        servers = [one for one in process.net_connections() if one.raddr and one.laddr.port != self.port]
        return Held(
            **told, rss_kb=process.memory_info().rss // 1024, descriptors=process.num_fds() - len(servers)
        )  # fmt: skip


class House:
    """All of it, running."""

    def __init__(
        self, mongo: EmbeddedMongo, uri: str, redis: EmbeddedRedis, url: str, nodes: list[NodeProcess]
    ) -> None:
        self.mongo = mongo
        self.uri = uri
        self.redis = redis
        self.url = url
        self.nodes = nodes
        self.db = Database.connect(MongoSettings(uri=uri, prefix=PREFIX))

    @property
    def mortal(self) -> list[NodeProcess]:
        return [node for node in self.nodes if not node.steady]


@contextlib.asynccontextmanager
async def standing(folder: Path, count: int) -> AsyncGenerator[House]:
    """`count` nodes; the first is never ended, the second is rough."""
    async with contextlib.AsyncExitStack() as stack:
        mongo = EmbeddedMongo(folder / "mongo", cache_gb=0.25, fail_points=True)
        uri = await mongo.start()
        stack.push_async_callback(mongo.stop)
        bus = EmbeddedRedis(folder / "redis")
        url = await bus.start()
        stack.push_async_callback(bus.stop)
        names = [chr(ord("a") + number) for number in range(count)]
        nodes = [
            NodeProcess((uri, PREFIX, url), name, folder / f"node-{name}.log", rough=name == "b", steady=name == "a")
            for name in names
        ]
        house = House(mongo, uri, bus, url, nodes)
        stack.push_async_callback(house.db.close)
        await house.db.create_indexes(declared)
        for node in nodes:
            await node.start()
            stack.push_async_callback(node.end, signal.SIGKILL)
        yield house


# --- faults: each ends with everything alive again --------------------------------------------------------------------

Fault = Callable[[House, Any], Awaitable[None]]


async def kill_a_node(house: House, chance: Any) -> None:
    """kill -9; it is back within a second."""
    node = chance.choice(house.mortal)
    await node.end(signal.SIGKILL)
    await asyncio.sleep(chance.random() * 0.5)
    await node.start()


async def replace_a_node(house: House, chance: Any) -> None:
    """A deploy: drained, ended, started anew."""
    node = chance.choice(house.mortal)
    code = await node.end(signal.SIGTERM)
    assert code == 0, f"a drained node ended with {code}"
    await node.start()


async def pause_a_node(house: House, chance: Any) -> None:
    """Long enough for the others to forget it."""
    node = chance.choice(house.nodes)
    node.signal(signal.SIGSTOP)
    await asyncio.sleep(chance.uniform(2, 12))
    node.signal(signal.SIGCONT)


async def _tell_redis(house: House, *command: str) -> None:
    clients = RedisClients(house.url)
    await clients.once.execute_command(*command)  # pyright: ignore[reportUnknownMemberType]  (redis-py is untyped here)
    await clients.close()


async def empty_redis(house: House, _chance: Any) -> None:
    await _tell_redis(house, "FLUSHALL")


async def cut_subscriptions(house: House, _chance: Any) -> None:
    await _tell_redis(house, "CLIENT", "KILL", "TYPE", "pubsub")


async def pause_redis(house: House, chance: Any) -> None:
    assert house.redis.pid is not None
    os.kill(house.redis.pid, signal.SIGSTOP)
    await asyncio.sleep(chance.uniform(1, 8))
    os.kill(house.redis.pid, signal.SIGCONT)


async def kill_redis(house: House, chance: Any) -> None:
    """Gone with all it held, and back empty at the same address."""
    assert house.redis.pid is not None
    os.kill(house.redis.pid, signal.SIGKILL)
    await asyncio.sleep(chance.uniform(0.2, 3))
    await house.redis.stop()
    await house.redis.start()


async def pause_mongo(house: House, chance: Any) -> None:
    assert house.mongo.pid is not None
    os.kill(house.mongo.pid, signal.SIGSTOP)
    await asyncio.sleep(chance.uniform(1, 7))
    os.kill(house.mongo.pid, signal.SIGCONT)


async def kill_mongo(house: House, _chance: Any) -> None:
    """kill -9 of the only primary; back with what its journal holds."""
    assert house.mongo.pid is not None
    os.kill(house.mongo.pid, signal.SIGKILL)
    await house.mongo.stop()
    await house.mongo.start()


async def step_down(house: House, _chance: Any) -> None:
    """No primary for two seconds."""
    async with AsyncMongoClient[dict[str, Any]](house.uri, serverSelectionTimeoutMS=5_000) as client:
        with contextlib.suppress(PyMongoError):  # it may close the connection that asks
            await client.admin.command({"replSetStepDown": 2, "secondaryCatchUpPeriodSecs": 0, "force": True})
        await asyncio.sleep(3)


async def _failing(house: House, seconds: float, **how: Any) -> None:
    data = {"failCommands": ["insert"], "appName": "octshop-rt", **how}
    async with AsyncMongoClient[dict[str, Any]](house.uri) as client:
        await client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
        await asyncio.sleep(seconds)
        await client.admin.command("configureFailPoint", "failCommand", mode="off")


async def full_disk(house: House, _chance: Any) -> None:
    """OutOfDiskSpace, for two seconds."""
    await _failing(house, 2, errorCode=14031)


async def slow_mongo(house: House, _chance: Any) -> None:
    """Every insert takes 700 ms more, for four seconds."""
    await _failing(house, 4, blockConnection=True, blockTimeMS=700)


async def lost_answers(house: House, _chance: Any) -> None:
    """Written, and the answer is lost: the connection closes, for a second."""
    await _failing(house, 1, closeConnection=True)


FAULTS: tuple[Fault, ...] = (
    kill_a_node, replace_a_node, pause_a_node, empty_redis, cut_subscriptions, pause_redis, kill_redis, pause_mongo,
    step_down, full_disk, slow_mongo, lost_answers, kill_mongo,
)  # fmt: skip
