"""Many sockets on one node: what an idle one costs, how long a crowd needs to come back, how fast one line reaches all.

Server, load and mongod are processes of their own on one machine. Every client that comes back must be synced and hear
what is said next; afterwards fsck runs over the log.

Run: `python loadtests/im_crowd.py [--idle 10000] [--audience 1000]`, with OCTSHOP_TEST_MONGO_URI set or on a private
mongod.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import secrets
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from rich.progress import Progress

from loadtests.im_link import connect
from loadtests.im_send import PREFIX, Device, buyer, device, server
from loadtests.im_server import KEY, Town
from loadtests.report import Figure, at_most, measure
from octshop_rt.core import mongo
from octshop_rt.core.auth.model import Grant, Right, Staff
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import Clock
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from octshop_rt.im.conversation.checks import CHECKS

AT_ONCE = 100  # sockets opened side by side
WATCH_S = 25  # one whole heartbeat


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


async def cost(crowd: Crowd, process: psutil.Process, count: int) -> list[Figure]:
    """Memory of each idle connection, and CPU of them all over one heartbeat."""
    before = process.memory_info().rss
    await crowd.come(count, sync=False, words="connect")
    grown = process.memory_info().rss - before
    times = process.cpu_times()
    await asyncio.sleep(WATCH_S)
    after = process.cpu_times()
    spent = after.user + after.system - times.user - times.system
    return [
        at_most(f"memory per idle connection, {count}", grown / count / 1024, "KiB", 20),
        at_most(f"CPU for {count} idle, 25 s heartbeat", spent * 100 / WATCH_S, "% of a core", 3),
    ]


async def storm(crowd: Crowd, count: int) -> list[Figure]:
    """Everybody drops and comes back: seconds until the last one is synced."""
    crowd.leave()
    await asyncio.sleep(1)
    began = time.perf_counter()
    await crowd.come(count, sync=True, words="come back")
    return [at_most(f"{count} clients reconnect and are synced", time.perf_counter() - began, "s", 30)]


async def broadcast(port: int, sessions: Sessions, crowd: Crowd, audience: int) -> list[Figure]:
    """One line to `audience` agents of one shop: from the first copy to the last, and from the saying to the last."""
    grant = Grant(merchant_id="M1", shop_id="S1", role="agent", rights=frozenset({Right.CHAT}))
    agents: list[Device] = []
    for number in range(audience):
        who = Staff(session_id=f"NA{number}", person_id=f"A{number}", name="a", device_id="d", grants=(grant,))
        agents.append(await device(port, sessions.resume_token(who), "d"))
    spreads: list[float] = []
    waits: list[float] = []
    for _ in range(20):
        began = time.perf_counter()
        m = secrets.token_hex(8)
        crowd.devices[0].say(crowd.conversations[0], m)
        while not all(m in one.got for one in agents):  # noqa: ASYNC110  (a thousand devices tell nobody)
            await asyncio.sleep(0.002)
        moments = [one.got[m] for one in agents]
        spreads.append((max(moments) - min(moments)) * 1000)
        waits.append((max(moments) - began) * 1000)
    for one in agents:
        one.link.close()
    return [
        at_most(f"one line to {audience} sockets, first to last, median", sorted(spreads)[10], "ms", 15),
        Figure(f"one line to {audience} sockets, from the saying to the last, median", sorted(waits)[10], "ms"),
    ]


async def run(uri: str, chosen: argparse.Namespace) -> list[Figure]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    clock = Clock()
    db = Database.connect(MongoSettings(uri=uri, prefix=PREFIX))
    await db.drop()
    await db.create_indexes(mongo.declared)
    sessions = Sessions(db=db, bus=LocalBus(), clock=clock, ids=Ids(clock), people=Town(), resume_key=KEY)
    with Progress(transient=True) as progress:
        async with server("chat", uri) as (port, process):
            warm = [await connect(port) for _ in range(50)]
            for link in warm:
                link.close()
            crowd = Crowd(port, sessions, progress)
            figures = await cost(crowd, process, chosen.idle)
            await crowd.open()
            figures += await storm(crowd, chosen.idle)
            figures += await broadcast(port, sessions, crowd, chosen.audience)
            crowd.leave()
    report = await examine(db, CHECKS)
    figures.append(Figure("fsck findings", len(report.findings), "", "0", report.clean))
    sessions.close()
    await db.drop()
    await db.close()
    return figures


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--idle", type=int, default=10_000)
    arguments.add_argument("--audience", type=int, default=1_000)
    chosen = arguments.parse_args()
    measure("im_crowd", lambda uri: run(uri, chosen))


if __name__ == "__main__":
    main()
