"""Durable chat on one node: sends/s and send→receive latency over 1:1 pairs, beside what the store alone carries.

Server, load and mongod are processes of their own on one machine. Everything is on: authorisation, the guard, limits
(checked, their settings raised for load clients), delivery marks, routing, metrics. Latency is open-loop, from the
intended moment of sending. After each run every ack is looked for in the log and fsck runs over it.

Run: `python loadtests/im_send.py [--pairs 200] [--seconds 4] [--runs 3]`, with OCTSHOP_TEST_MONGO_URI set or on a
private mongod. About a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import secrets
import sys
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec
import psutil

from loadtests.im_link import Link, connect
from loadtests.im_server import KEY, Town
from loadtests.report import Figure, measure, of_runs, percentile
from loadtests.talk import TEXT, closed_loop, open_loop
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
from octshop_rt.im.guard.model import FloodRules, RuleBook
from octshop_rt.im.guard.store import BOOKS

PREFIX = "bench_im"
ACK_S = 0.8  # as the web client
# Per conversation and second, as an operator would allow load clients; still counted and checked for each message.
FLOOD = FloodRules(burst=10_000, burst_s=1, repeats=1_000, repeats_s=1)


class Bare(msgspec.Struct, frozen=True, kw_only=True):
    """A row of an entry's size for the store's ceiling."""

    id: str
    c: str
    s: int
    m: str
    text: str


class Device:
    """One side of a pair (a talk.Speaker): knows what it waits for and notes when it came."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.acked: dict[str, int] = {}
        self.got: dict[str, float] = {}
        self.answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.events: dict[str, asyncio.Event] = {}
        self.refused = 0
        self._heads: dict[str, int] = {}  # received and not yet told to the server
        link.heard = self.heard

    def say(self, c: str, m: str) -> None:
        self.link.send({"t": 5, "i": 7, "c": c, "m": m, "k": "text", "b": {"text": TEXT}})

    def heard(self, frame: dict[str, Any]) -> None:
        kind = frame["t"]
        if kind == 4:
            self.acked[frame["m"]] = frame["s"]
            self._tell(frame["m"])
        elif kind == 20:
            self.got[frame["m"]] = time.perf_counter()
            self._tell(frame["m"])
            if not self._heads:
                asyncio.get_running_loop().call_later(ACK_S, self._mark)
            self._heads[frame["c"]] = frame["s"]
        elif kind == 29:
            self.link.send({"t": 30, "n": frame["n"]})
        elif kind == 28:
            self.refused += 1
            if frame["retry"] and "m" in frame:  # as every client does
                wait = frame.get("after", 200) / 1000
                asyncio.get_running_loop().call_later(wait, self.say, frame["c"], frame["m"])
            elif asked := self.answers.pop(frame.get("i", 0), None):
                asked.set_exception(ConnectionError(frame["code"]))
        elif kind in {2, 25, 27}:
            self.answers.pop(frame.get("i", 0)).set_result(frame)

    def _mark(self) -> None:
        heads, self._heads = self._heads, {}
        if not self.link.closed:
            self.link.send({"t": 7, "d": heads})

    def _tell(self, m: str) -> None:
        if event := self.events.get(m):
            event.set()

    async def ask(self, frame: dict[str, Any]) -> dict[str, Any]:
        answer = self.answers[frame.get("i", 0)] = asyncio.get_running_loop().create_future()
        self.link.send(frame)
        return await asyncio.wait_for(answer, 30)


@asynccontextmanager
async def stage(uri: str, prefix: str, shops: Iterable[int] = ()) -> AsyncGenerator[tuple[Database, Sessions]]:
    """Empty databases with shops whose flood limits are raised; dropped afterwards."""
    clock = Clock()
    db = Database.connect(MongoSettings(uri=uri, prefix=prefix))
    await db.drop()
    await db.create_indexes(mongo.declared)
    await BOOKS.insert_many(db, [RuleBook(id=f"S{n}", rev=1, flood=FLOOD) for n in shops])
    sessions = Sessions(db=db, bus=LocalBus(), clock=clock, ids=Ids(clock), people=Town(), resume_key=KEY)
    try:
        yield db, sessions
    finally:
        sessions.close()
        await db.drop()
        await db.close()


@asynccontextmanager
async def server(
    mode: str, uri: str, *more: str, prefix: str = PREFIX, counted: dict[str, Any] | None = None
) -> AsyncGenerator[tuple[int, psutil.Process]]:
    """A server process; yields its port and itself. What it has counted stands in `counted` after the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.im_server", mode, uri, prefix, *more,
        cwd=Path(__file__).parents[1], stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        while not (line := await asyncio.wait_for(process.stdout.readline(), 30)).strip().isdigit():
            assert line, "the server did not start"
        yield int(line), psutil.Process(process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself, and said why
            process.terminate()
        try:
            told, _ = await asyncio.wait_for(process.communicate(), 30)
        except TimeoutError:
            process.kill()
            raise
        for line in told.splitlines():
            if counted is not None and line.startswith(b"{"):
                counted |= json.loads(line)


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


async def store_ceiling(db: Database, seconds: float) -> float:
    """Majority-journalled rows a second through the same driver in writes of 64, two on their way."""
    bare = Collection("im", "bench_bare", Bare, shard_key=("c",))  # declared where it is used, for no other program
    until = time.perf_counter() + seconds
    done = 0

    async def write(lane: int) -> None:
        nonlocal done
        n = 0
        while time.perf_counter() < until:
            rows = [Bare(id=f"{lane}-{n}-{k}", c=f"C{k}", s=n, m=secrets.token_hex(8), text=TEXT) for k in range(64)]
            await bare.insert_many(db, rows)
            done += 64
            n += 1

    await asyncio.gather(write(1), write(2))
    return done / seconds


async def run(uri: str, chosen: argparse.Namespace) -> list[Figure]:
    """Everything `chosen.runs` times; the figures."""
    rates: list[float] = []
    costs: list[float] = []
    waits: dict[int, list[list[float]]] = {500: [], 1000: []}
    looked = refused = 0
    async with stage(uri, PREFIX, range(chosen.pairs)) as (db, sessions):
        ceiling = await store_ceiling(db, 2)
        async with server("chat", uri) as (port, process):
            made = await pairs(port, sessions, chosen.pairs)
            await closed_loop(made, 1)  # warm
            for _ in range(chosen.runs):
                before = process.cpu_times()
                rates.append(await closed_loop(made, chosen.seconds))
                after = process.cpu_times()
                spent = after.user + after.system - before.user - before.system
                costs.append(spent / (rates[-1] * chosen.seconds) * 1e6)
                for rate, found in waits.items():
                    found.append(await open_loop(made, rate, chosen.seconds))
                looked = await audit(db, made)
            refused = sum(one.refused + two.refused for one, two, _ in made)
            memory = process.memory_info().rss / 2**20
            for one, two, _ in made:
                one.link.close()
                two.link.close()
    figures = of_runs(
        f"durable 1:1 sends, {chosen.pairs} pairs, closed loop", rates, "/s", least=6_000, stretch=9_000
    )  # fmt: skip
    figures += of_runs("server CPU per send, closed loop", costs, "us", bigger=False)
    for rate, found in waits.items():
        for part, most in ((50, 5), (99, 25)):
            values = [percentile(one, part) for one in found]
            figures += of_runs(f"send to receive at {rate}/s, p{part}", values, "ms", most=most)
    return [
        *figures,
        Figure("bare durable rows, writes of 64, same driver", ceiling, "/s", "ceiling"),
        Figure("refused for a moment and said again", refused, "", "0", refused == 0),
        Figure("acks found in the log, fsck clean after each run", looked, "", "all", ok=True),
        Figure("server memory with that load", memory, "MiB"),
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pairs", type=int, default=200)
    arguments.add_argument("--seconds", type=float, default=4)
    arguments.add_argument("--runs", type=int, default=3)
    chosen = arguments.parse_args()
    measure("im_send", lambda uri: run(uri, chosen))


if __name__ == "__main__":
    main()
