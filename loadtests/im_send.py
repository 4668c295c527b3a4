"""Durable chat: sends/s and send→receive latency over 1:1 pairs, and memory of idle connections, beside two ceilings.

Server, load and mongod are processes of their own on one machine. Latency is open-loop, from the intended moment of
sending. Afterwards every ack is looked for in the log and fsck runs over it.

Run: `python loadtests/im_send.py [--pairs 200] [--seconds 4] [--idle 5000]`, with OCTSHOP_TEST_MONGO_URI set or on a
private mongod.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec
import psutil

from loadtests.im_link import Link, connect
from loadtests.im_server import KEY, Town
from loadtests.report import Figure, at_least, at_most, measure, percentile
from octshop_rt.core import mongo
from octshop_rt.core.auth.model import Buyer, Grant, Right, Staff
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import Clock
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Collection, Database
from octshop_rt.core.settings import MongoSettings
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.checks import CHECKS

PREFIX = "bench_im"
TEXT = "x" * 100


class Bare(msgspec.Struct, frozen=True, kw_only=True):
    """A row of an entry's size for the store's ceiling."""

    id: str
    c: str
    s: int
    m: str
    text: str


BARE = Collection("im", "bench_bare", Bare, shard_key=("c",))


class Device:
    """One side of a pair: knows what it waits for and notes when it came."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.acked: dict[str, int] = {}
        self.got: dict[str, float] = {}
        self.answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.events: dict[str, asyncio.Event] = {}
        self.refused = 0
        link.heard = self.heard

    def heard(self, frame: dict[str, Any]) -> None:
        kind = frame["t"]
        if kind == 4:
            self.acked[frame["m"]] = frame["s"]
            self._tell(frame["m"])
        elif kind == 20:
            self.got[frame["m"]] = time.perf_counter()
            self._tell(frame["m"])
        elif kind == 29:
            self.link.send({"t": 30, "n": frame["n"]})
        elif kind == 28:
            self.refused += 1
        elif kind in {2, 25, 27}:
            self.answers.pop(frame.get("i", 0)).set_result(frame)

    def _tell(self, m: str) -> None:
        if event := self.events.get(m):
            event.set()

    async def ask(self, frame: dict[str, Any]) -> dict[str, Any]:
        answer = self.answers[frame.get("i", 0)] = asyncio.get_running_loop().create_future()
        self.link.send(frame)
        return await asyncio.wait_for(answer, 30)


@asynccontextmanager
async def server(mode: str, uri: str) -> AsyncGenerator[tuple[int, psutil.Process]]:
    """A server process; yields its port and itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.im_server", mode, uri, PREFIX,
        cwd=Path(__file__).parents[1], stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    port = int(await asyncio.wait_for(process.stdout.readline(), 30))
    try:
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)


def buyer(name: str) -> Buyer:
    return Buyer(session_id=f"N{name}", person_id=name, device_id="d")


async def device(port: int, token: str, name: str) -> Device:
    one = Device(await connect(port))
    await one.ask({"t": 1, "v": 1, "tok": token, "dev": name})
    return one


async def pairs(port: int, sessions: Sessions, count: int) -> list[tuple[Device, Device, str]]:
    """Buyer n and the one agent of shop n, with their conversation."""
    made: list[tuple[Device, Device, str]] = []
    for n in range(count):
        grant = Grant(merchant_id="M1", shop_id=f"S{n}", role="agent", rights=frozenset({Right.CHAT}))
        agent = Staff(session_id=f"NA{n}", person_id=f"A{n}", name="a", device_id="d", grants=(grant,))
        one = await device(port, sessions.resume_token(buyer(f"B{n}")), "d")
        two = await device(port, sessions.resume_token(agent), "d")
        opened = await one.ask({"t": 17, "i": 1, "op": "open", "a": {"shop_id": f"S{n}"}})
        made.append((one, two, opened["d"]["c"]))
    return made


def say(sender: Device, c: str) -> str:
    m = secrets.token_hex(8)
    sender.link.send({"t": 5, "i": 7, "c": c, "m": m, "k": "text", "b": {"text": TEXT}})
    return m


async def closed_loop(made: list[tuple[Device, Device, str]], seconds: float) -> float:
    """Each pair in turn: the next line when the ack and the other side's copy are in. Acked sends a second."""
    until = time.perf_counter() + seconds

    async def talk(one: Device, two: Device, c: str) -> int:
        count = 0
        while time.perf_counter() < until:
            sender, receiver = (one, two) if count % 2 == 0 else (two, one)
            m = secrets.token_hex(8)
            acked, got = asyncio.Event(), asyncio.Event()
            sender.events[m], receiver.events[m] = acked, got
            sender.link.send({"t": 5, "i": 7, "c": c, "m": m, "k": "text", "b": {"text": TEXT}})
            await acked.wait()
            await got.wait()
            del sender.events[m], receiver.events[m]
            count += 1
        return count

    started = time.perf_counter()
    counts = await asyncio.gather(*(talk(*pair) for pair in made))
    return sum(counts) / (time.perf_counter() - started)


async def open_loop(made: list[tuple[Device, Device, str]], rate: int, seconds: float) -> list[float]:
    """`rate` sends a second whatever happens; milliseconds from the intended moment to the other side's copy."""
    intended: list[tuple[Device, str, float]] = []
    started = time.perf_counter()
    total = int(rate * seconds)
    for n in range(total):
        moment = started + n / rate
        if (wait := moment - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        one, two, c = made[n * 7 % len(made)]
        sender, receiver = (one, two) if n % 2 == 0 else (two, one)
        intended.append((receiver, say(sender, c), moment))
    for _ in range(100):
        if all(m in receiver.got for receiver, m, _ in intended):
            break
        await asyncio.sleep(0.05)
    return [(receiver.got[m] - moment) * 1000 for receiver, m, moment in intended]


async def audit(db: Database, made: list[tuple[Device, Device, str]]) -> int:
    """Every ack is in the log at its number, and fsck is clean; how many acks were looked at."""
    looked = 0
    for one, two, c in made:
        rows = {row.m: row.s for row in await store.page(db, c, 1, 2**50, 0, newest=False)}
        for m, s in (one.acked | two.acked).items():
            looked += 1
            if rows.get(m) != s:
                message = f"acked and not in the log: {c} {m}"
                raise SystemExit(message)
    report = await examine(db, CHECKS)
    if not report.clean:
        message = f"fsck: {report.findings[:5]}"
        raise SystemExit(message)
    return looked


async def echo_ceiling(port: int, count: int, seconds: float) -> float:
    """The same client against the bare echo: round trips a second with one message in flight per socket."""
    links = [await connect(port) for _ in range(count)]
    done = 0
    until = time.perf_counter() + seconds
    frame = {"t": 5, "i": 7, "c": "C" * 27, "m": "m" * 16, "k": "text", "b": {"text": TEXT}}

    for link in links:

        def again(_: dict[str, Any], link: Link = link) -> None:
            nonlocal done
            done += 1
            if time.perf_counter() < until:
                link.send(frame)

        link.heard = again
        link.send(frame)
    await asyncio.sleep(seconds + 0.2)
    for link in links:
        link.close()
    return done / seconds


async def store_ceiling(db: Database, seconds: float) -> float:
    """Majority-journalled rows a second through the same driver in writes of 64, two on their way."""
    until = time.perf_counter() + seconds
    done = 0

    async def write(lane: int) -> None:
        nonlocal done
        n = 0
        while time.perf_counter() < until:
            rows = [Bare(id=f"{lane}-{n}-{k}", c=f"C{k}", s=n, m=secrets.token_hex(8), text=TEXT) for k in range(64)]
            await BARE.insert_many(db, rows)
            done += 64
            n += 1

    await asyncio.gather(write(1), write(2))
    return done / seconds


async def idle(uri: str, sessions: Sessions, count: int) -> tuple[float, float]:
    """KiB of server memory per greeted idle connection, and per cent of a core that `count` of them take."""
    async with server("chat", uri) as (port, process):
        first = [await device(port, sessions.resume_token(buyer(f"W{n}")), "d") for n in range(50)]
        before = process.memory_info().rss
        for at in range(0, count, 100):
            some = [f"I{n}" for n in range(at, min(at + 100, count))]
            first += await asyncio.gather(*(device(port, sessions.resume_token(buyer(who)), "d") for who in some))
        grown = process.memory_info().rss - before
        times = process.cpu_times()
        await asyncio.sleep(10)
        after = process.cpu_times()
        spent = after.user + after.system - times.user - times.system
        for one in first:
            one.link.close()
        return grown / count / 1024, spent * 10


async def run(uri: str, chosen: argparse.Namespace) -> list[Figure]:
    """Everything once; a table and loadtests/out/im.json."""
    clock = Clock()
    db = Database.connect(MongoSettings(uri=uri, prefix=PREFIX))
    await db.drop()
    await db.create_indexes(mongo.declared)
    sessions = Sessions(db=db, bus=LocalBus(), clock=clock, ids=Ids(clock), people=Town(), resume_key=KEY)
    figures: list[Figure] = []
    async with server("echo", uri) as (port, _):
        figures.append(Figure("bare aiohttp echo, 200 sockets", await echo_ceiling(port, 200, 2), "/s", "ceiling"))
    figures.append(Figure("bare durable rows, writes of 64", await store_ceiling(db, 2), "/s", "ceiling"))
    async with server("chat", uri) as (port, process):
        made = await pairs(port, sessions, chosen.pairs)
        await closed_loop(made, 1)  # warm
        before = process.cpu_times()
        rate = await closed_loop(made, chosen.seconds)
        after = process.cpu_times()
        spent = after.user + after.system - before.user - before.system
        name = f"durable 1:1 sends, {chosen.pairs} pairs, closed loop"
        figures.append(at_least(name, rate, "/s", 1_000))
        figures.append(Figure("server CPU per send, closed loop", spent / (rate * chosen.seconds) * 1e6, "us"))
        for wanted, aim50, aim99 in ((500, 15, 80), (1000, 15, 80)):
            waits = await open_loop(made, wanted, chosen.seconds)
            for part, aim in ((50, aim50), (99, aim99)):
                name = f"send to receive at {wanted}/s, p{part}"
                figures.append(at_most(name, percentile(waits, part), "ms", aim))
        refused = sum(one.refused + two.refused for one, two, _ in made)
        figures.append(Figure("refusals seen by clients", refused, "", "0", refused == 0))
        figures.append(Figure("acks found in the log, fsck clean", await audit(db, made), "", "all", ok=True))
        figures.append(Figure("server memory with that load", process.memory_info().rss / 2**20, "MiB"))
        for one, two, _ in made:
            one.link.close()
            two.link.close()
    if chosen.idle:
        per_link, per_cent = await idle(uri, sessions, chosen.idle)
        figures.append(at_most(f"memory per idle connection, {chosen.idle}", per_link, "KiB", 20))
        figures.append(at_most(f"CPU for {chosen.idle} idle, 25 s heartbeat", per_cent, "% of a core", 3))
    sessions.close()
    await db.drop()
    await db.close()
    return figures


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pairs", type=int, default=200)
    arguments.add_argument("--seconds", type=float, default=4)
    arguments.add_argument("--idle", type=int, default=5_000)
    chosen = arguments.parse_args()
    measure("im", lambda uri: run(uri, chosen))


if __name__ == "__main__":
    main()
