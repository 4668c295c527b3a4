"""Many sockets on one node: what an idle one costs, how long a crowd needs to come back, how fast one line reaches all.

Server, load and mongod are processes of their own on one machine. Every client that comes back must be synced and hear
what is said next; afterwards fsck runs over the log.

Run: `python loadtests/im_crowd.py [--idle 10000] [--audience 1000] [--runs 3]`, with OCTSHOP_TEST_MONGO_URI set or on a
private mongod. About five minutes.
"""

from __future__ import annotations

import argparse
import asyncio
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

AT_ONCE = 100  # sockets opened side by side
WATCH_S = 25  # one whole heartbeat
LINES = 10  # told to everybody, a run


class Crowd:
    """Buyers with one conversation each, all on one node."""

    def __init__(self, port: int, sessions: Sessions, progress: Progress) -> None:
        self._port = port
        self._sessions = sessions
        self._progress = progress
        self.devices: list[Device] = []
        self.conversations: list[str] = []

    async def come(self, count: int, *, sync: bool, words: str) -> None:
        """`count` buyers connect, in waves; with `sync` each asks what has changed."""
        bar = self._progress.add_task(words, total=count)
        self.devices = []
        for at in range(0, count, AT_ONCE):
            numbers = range(at, min(at + AT_ONCE, count))
            self.devices += await asyncio.gather(*(self._enter(number, sync=sync) for number in numbers))
            self._progress.advance(bar, len(numbers))

    async def _enter(self, number: int, *, sync: bool) -> Device:
        one = await device(self._port, self._sessions.resume_token(buyer(f"I{number}")), "d")
        if sync:
            await one.ask({"t": 11, "i": 2, "heads": {}})
        return one

    async def open(self) -> None:
        """Each its conversation, one of a hundred with a line in it."""
        bar = self._progress.add_task("open conversations", total=len(self.devices))
        for at in range(0, len(self.devices), AT_ONCE):
            part = self.devices[at : at + AT_ONCE]
            asked = {"t": 17, "i": 3, "op": "open", "a": {"shop_id": "S1"}}
            answers = await asyncio.gather(*(one.ask(asked) for one in part))
            self.conversations += [answer["d"]["c"] for answer in answers]
            part[0].say(self.conversations[at], secrets.token_hex(8))
            self._progress.advance(bar, len(part))

    def leave(self) -> None:
        """All at once, without a word."""
        for one in self.devices:
            one.link.close()


class Run(Struct):
    """What one run measured."""

    kib: float = 0.0
    cpu: float = 0.0
    synced_s: float = 0.0
    spreads: list[float] = []
    waits: list[float] = []


async def cost(crowd: Crowd, process: psutil.Process, count: int, seen: Run) -> None:
    """Memory of each idle connection, and CPU of them all over one heartbeat."""
    before = process.memory_info().rss
    await crowd.come(count, sync=False, words="connect")
    seen.kib = (process.memory_info().rss - before) / count / 1024
    times = process.cpu_times()
    await asyncio.sleep(WATCH_S)
    after = process.cpu_times()
    seen.cpu = (after.user + after.system - times.user - times.system) * 100 / WATCH_S


async def storm(crowd: Crowd, count: int, seen: Run) -> None:
    """Everybody drops and comes back: seconds until the last one is synced."""
    crowd.leave()
    await asyncio.sleep(1)
    began = time.perf_counter()
    await crowd.come(count, sync=True, words="come back")
    seen.synced_s = time.perf_counter() - began


async def broadcast(port: int, sessions: Sessions, crowd: Crowd, audience: int, seen: Run) -> None:
    """One line to `audience` agents of one shop. The server tells its writes; here is when the last has heard it."""
    grant = Grant(merchant_id="M1", shop_id="S1", role="agent", rights=frozenset({Right.CHAT}))
    agents: list[Device] = []
    for number in range(audience):
        who = Staff(session_id=f"NA{number}", person_id=f"A{number}", name="a", device_id="d", grants=(grant,))
        agents.append(await device(port, sessions.resume_token(who), "d"))
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
    async with server("chat", uri, counted=counted) as (port, process):
        warm = [await connect(port) for _ in range(50)]
        for link in warm:
            link.close()
        crowd = Crowd(port, sessions, progress)
        await cost(crowd, process, chosen.idle, seen)
        await crowd.open()
        await storm(crowd, chosen.idle, seen)
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
        *of_runs(f"memory per idle connection, {idle}", [one.kib for one in runs], "KiB", most=20, stretch=16),
        *of_runs(f"CPU for {idle} idle, 25 s heartbeat", [one.cpu for one in runs], "% of a core", most=3),
        *of_runs(f"{idle} clients reconnect and are synced", [one.synced_s for one in runs], "s", most=30),
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
