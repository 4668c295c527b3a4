"""Many sockets on one node: what an idle one costs, how long a crowd needs to come back, how fast one line reaches all.

Server, load and mongod are processes of their own on one machine. Everybody has a conversation with a line in it; an
idle connection is weighed after its SYNC. Then all drop at once and each comes back when its own jitter says so, not
waiting for anybody, with the heads it holds; every tenth has missed a line and must be given it, the others nothing.
Afterwards fsck runs over the log.

Run: `python loadtests/im_crowd.py [--idle 10000] [--audience 1000] [--runs 3]`, with OCTSHOP_TEST_MONGO_URI set or on a
private mongod. About five minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import resource
import secrets
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from msgspec import Struct
from rich.progress import Progress

from loadtests.im_link import connect
from loadtests.im_send import PREFIX, Device, buyer, device, server, stage
from loadtests.report import Figure, measure, of_runs
from octshop_rt.core.auth.model import Grant, Right, Staff
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.fsck import examine
from octshop_rt.im.conversation.checks import CHECKS

AT_ONCE = 100  # sockets opened side by side before anything is measured
WATCH_S = 25  # one whole heartbeat
LINES = 10  # told to everybody, a run
MISSED = 10  # every tenth has missed a line
JITTER_S = 0.5  # the first wait of a client that was cut is a random part of this; it doubles with every try
LONGEST_S = 30
ATTEMPT_S = 30  # then a client gives up on a socket
WARM = 50


class Crowd:
    """Buyers with one conversation each, all on one node."""

    def __init__(self, sessions: Sessions, progress: Progress, count: int) -> None:
        self._progress = progress
        self.tokens = [sessions.resume_token(buyer(f"I{number}")) for number in range(count)]
        self.devices: list[Device] = []
        self.conversations: list[str] = []
        self.refused = 0

    async def settle(self, port: int) -> None:
        """Each comes for the first time, opens its conversation and says something."""
        bar = self._progress.add_task("open conversations", total=len(self.tokens))
        for at in range(0, len(self.tokens), AT_ONCE):
            self.conversations += await asyncio.gather(
                *(self._opened(port, token) for token in self.tokens[at : at + AT_ONCE])
            )
            self._progress.advance(bar, AT_ONCE)

    async def _opened(self, port: int, token: str) -> str:
        one = await device(port, token, "d")
        answer = await one.ask({"t": 17, "i": 3, "op": "open", "a": {"shop_id": "S1"}})
        c, m = answer["d"]["c"], secrets.token_hex(8)
        told = one.events[m] = asyncio.Event()
        one.say(c, m)
        await asyncio.wait_for(told.wait(), 30)
        one.link.close()
        return c

    async def come(self, port: int) -> None:
        """In waves, each synced: nothing of this is a figure of speed."""
        bar = self._progress.add_task("connect", total=len(self.tokens))
        self.devices = []
        for at in range(0, len(self.tokens), AT_ONCE):
            numbers = range(at, min(at + AT_ONCE, len(self.tokens)))
            self.devices += await asyncio.gather(*(self._enter(port, number, missed=False) for number in numbers))
            self._progress.advance(bar, len(numbers))

    async def _enter(self, port: int, number: int, *, missed: bool) -> Device:
        one, c = await device(port, self.tokens[number], "d"), self.conversations[number]
        page = await one.ask({"t": 11, "i": 2, "heads": {c: 1}})
        given = {each["c"]: [ent["s"] for ent in each.get("ents", [])] for each in page["convs"]}
        assert given == {c: [2] if missed else []}, f"{number} was given {given}"
        return one

    def leave(self) -> None:
        """All at once, without a word."""
        for one in self.devices:
            one.link.close()

    async def back(self, port: int) -> list[float]:
        """Everybody, each in its own time; the seconds until each was synced."""
        bar = self._progress.add_task("come back", total=len(self.tokens))
        began = time.perf_counter()

        async def one(number: int) -> tuple[Device, float]:
            for tries in itertools.count():
                await asyncio.sleep(0.1 + random.random() * min(LONGEST_S, JITTER_S * 2**tries))
                try:
                    async with asyncio.timeout(ATTEMPT_S):
                        found = await self._enter(port, number, missed=number % MISSED == 0)
                except OSError:  # refused, cut, or too slow (TimeoutError)
                    self.refused += 1
                else:
                    self._progress.advance(bar)
                    return found, time.perf_counter() - began
            raise AssertionError

        returned = await asyncio.gather(*(one(number) for number in range(len(self.tokens))))
        self.devices = [found for found, _ in returned]
        return [seconds for _, seconds in returned]


class Run(Struct):
    """What one run measured."""

    kib: float = 0.0
    cpu: float = 0.0
    synced_s: float = 0.0
    half_synced_s: float = 0.0
    refused: int = 0
    spreads: list[float] = []
    waits: list[float] = []


async def cost(crowd: Crowd, port: int, process: psutil.Process, seen: Run) -> None:
    """Memory of each connection, synced and idle, and CPU of them all over one heartbeat."""
    before = process.memory_info().rss
    await crowd.come(port)
    seen.kib = (process.memory_info().rss - before) / len(crowd.tokens) / 1024
    times = process.cpu_times()
    await asyncio.sleep(WATCH_S)
    after = process.cpu_times()
    seen.cpu = (after.user + after.system - times.user - times.system) * 100 / WATCH_S


def agent(sessions: Sessions, number: int) -> str:
    """The token of somebody who answers for the shop."""
    grant = Grant(merchant_id="M1", shop_id="S1", role="agent", rights=frozenset({Right.CHAT}))
    who = Staff(session_id=f"NA{number}", person_id=f"A{number}", name="a", device_id="d", grants=(grant,))
    return sessions.resume_token(who)


async def storm(crowd: Crowd, port: int, sessions: Sessions, seen: Run) -> None:
    """Everybody drops, some are written to, and all come back: seconds until the last one is synced."""
    crowd.leave()
    one = await device(port, agent(sessions, 0), "d")
    for c in crowd.conversations[::MISSED]:
        m = secrets.token_hex(8)
        told = one.events[m] = asyncio.Event()
        one.say(c, m)
        await asyncio.wait_for(told.wait(), 30)
    one.link.close()
    took = await crowd.back(port)
    seen.synced_s, seen.half_synced_s, seen.refused = max(took), statistics.median(took), crowd.refused


async def broadcast(port: int, sessions: Sessions, crowd: Crowd, audience: int, seen: Run) -> None:
    """One line to `audience` agents of one shop. The server tells its writes; here is when the last has heard it."""
    agents = [await device(port, agent(sessions, number), "d") for number in range(audience)]
    for _ in range(LINES):
        began = time.perf_counter()
        m = secrets.token_hex(8)
        crowd.devices[0].say(crowd.conversations[0], m)
        while not all(m in one.got for one in agents):  # noqa: ASYNC110  (a thousand devices tell nobody)
            await asyncio.sleep(0.002)
        seen.waits.append((max(one.got[m] for one in agents) - began) * 1000)
        await asyncio.sleep(1)  # their acks are no part of the next line
    for one in agents:
        one.link.close()


async def one_run(uri: str, sessions: Sessions, progress: Progress, chosen: argparse.Namespace) -> Run:
    seen, counted = Run(), dict[str, Any]()
    crowd = Crowd(sessions, progress, chosen.idle)
    async with server("chat", uri) as (port, _):
        await crowd.settle(port)
    async with server("chat", uri, counted=counted) as (port, process):  # a fresh one is weighed
        warm = [await connect(port) for _ in range(WARM)]
        for link in warm:
            link.close()
        await cost(crowd, port, process, seen)
        await storm(crowd, port, sessions, seen)
        await broadcast(port, sessions, crowd, chosen.audience, seen)
        crowd.leave()
    seen.spreads = counted["spreads"][-LINES:]
    return seen


async def run(uri: str, chosen: argparse.Namespace) -> list[Figure]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    async with stage(uri, PREFIX, [1]) as (db, sessions):
        with Progress(transient=True) as progress:
            runs = [await one_run(uri, sessions, progress, chosen) for _ in range(chosen.runs)]
        report = await examine(db, CHECKS)
    spreads = [statistics.median(one.spreads) for one in runs]
    waits = [statistics.median(one.waits) for one in runs]
    idle, heard = chosen.idle, chosen.audience
    return [
        *of_runs(f"memory per synced, idle connection, {idle}", [one.kib for one in runs], "KiB", most=20, stretch=16),
        *of_runs(f"CPU for {idle} idle, 25 s heartbeat", [one.cpu for one in runs], "% of a core", most=3),
        *of_runs(f"{idle} clients reconnect and are synced", [one.synced_s for one in runs], "s", most=30),
        *of_runs(f"half of {idle} are synced again after", [one.half_synced_s for one in runs], "s", bigger=False),
        Figure("tries refused, cut or given up", sum(one.refused for one in runs), ""),
        *of_runs(f"one line to {heard} sockets, first to last server write", spreads, "ms", most=15),
        *of_runs(f"one line to {heard} sockets, saying it to the last client", waits, "ms", bigger=False),
        Figure("fsck findings", len(report.findings), "", "0", report.clean),
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--idle", type=int, default=10_000)
    arguments.add_argument("--audience", type=int, default=1_000)
    arguments.add_argument("--runs", type=int, default=3)
    chosen = arguments.parse_args()
    measure("im_crowd", lambda uri: run(uri, chosen))


if __name__ == "__main__":
    main()
