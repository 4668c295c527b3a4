"""A reconnect storm, and what a hot tail in Redis could spare it: where the time of 10,000 who come back goes.

Every client has one to three conversations and has missed the newest entries of each. Three storms: the log read from
MongoDB; the pages of the log (and nothing else) taken from the node's own memory, which is faster than any Redis; and
nobody asking for anything, which is what coming back costs in itself. A hot tail could win at most the distance between
the first two. Told are the seconds until the last one is synced, the CPU of node and mongod for each client (which a
busy machine blurs less), and the reads that MongoDB counts.

Run: `python loadtests/im_storm.py [--clients 10000]`, on a private mongod (whose CPU is read).
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
import uvloop
from pymongo import AsyncMongoClient
from rich.progress import Progress

from loadtests import im_server
from loadtests.im_send import PREFIX, Device, buyer, device, stage
from loadtests.report import Figure, at_most, measure
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.clock import Clock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.model import Conversation, Entry
from octshop_rt.im.conversation.rules import fingerprint
from octshop_rt.im.wire.fields import Body

AT_ONCE = 100
ENTRIES = 8
MISSED = 3


async def seeded(db: Database, count: int) -> list[dict[str, int]]:
    """What each client holds of each of its conversations."""
    ids, clock = Ids(Clock()), Clock()
    held: list[dict[str, int]] = []
    conversations: list[Conversation] = []
    entries: list[Entry] = []
    for number in range(count):
        mine: dict[str, int] = {}
        for shop in range(1 + number % 3):
            c = ids.new("C")
            conversations.append(
                Conversation(id=c, merchant_id="M1", shop_id=f"S{shop}", buyer_id=f"I{number}", created_at=clock.now())
            )
            entries += [line(c, s, number, ids.new("E"), clock.now()) for s in range(1, ENTRIES + 1)]
            mine[c] = ENTRIES - MISSED
        held.append(mine)
    for at in range(0, len(conversations), 2_000):
        await store.CONVERSATIONS.insert_many(db, conversations[at : at + 2_000])
    for at in range(0, len(entries), 5_000):
        await store.append(db, entries[at : at + 5_000])
    return held


def line(c: str, s: int, number: int, entry_id: str, now: int) -> Entry:
    body = Body(text=f"第 {s} 条: 请问这个还有货吗?")
    return Entry(
        id=entry_id, c=c, s=s, f=f"I{number}", fr="buyer", m=f"message-{s:012}", k="text", ts=now, b=body,
        h=fingerprint("text", body, None),
    )  # fmt: skip


class Scene:
    """A node, the load, and where CPU goes."""

    def __init__(self, uri: str, port: int, node: psutil.Process, sessions: Sessions) -> None:
        self._uri = uri
        self._port = port
        self._node = node
        self._mongod = next(one for one in psutil.Process().children(recursive=True) if "mongod" in one.name())
        self._sessions = sessions

    async def storm(self, held: list[dict[str, int]], name: str, *, sync: bool) -> list[Figure]:
        reads, cpu = await self._reads(), self._cpu()
        began = time.perf_counter()
        made: list[Device] = []
        for at in range(0, len(held), AT_ONCE):
            part = range(at, min(at + AT_ONCE, len(held)))
            made += await asyncio.gather(*(self._back(number, held[number], sync=sync) for number in part))
        took = time.perf_counter() - began
        after, count = self._cpu(), len(held)
        for one in made:
            one.link.close()
        await asyncio.sleep(1)
        return [
            at_most(f"{name}: until the last of {count} is there", took, "s", 30),
            Figure(f"{name}: CPU of the node for each", (after[0] - cpu[0]) * 1e6 / count, "us"),
            Figure(f"{name}: CPU of mongod for each", (after[1] - cpu[1]) * 1e6 / count, "us"),
            Figure(f"{name}: reads for each", (await self._reads() - reads) / count, ""),
        ]

    async def _back(self, number: int, heads: dict[str, int], *, sync: bool) -> Device:
        one = await device(self._port, self._sessions.resume_token(buyer(f"I{number}")), "d")
        if sync:
            page = await one.ask({"t": 11, "i": 2, "heads": heads})
            assert {each["c"]: len(each["ents"]) for each in page["convs"]} == dict.fromkeys(heads, MISSED)
        return one

    def _cpu(self) -> tuple[float, float]:
        return sum(self._node.cpu_times()[:2]), sum(self._mongod.cpu_times()[:2])

    async def _reads(self) -> int:
        async with AsyncMongoClient[dict[str, Any]](self._uri) as client:
            told = await client.admin.command("serverStatus")
        commands: dict[str, Any] = told["metrics"]["commands"]
        return sum(int(commands[name]["total"]) for name in ("find", "aggregate", "count") if name in commands)


@asynccontextmanager
async def node(uri: str, *, tail: bool) -> AsyncGenerator[tuple[int, psutil.Process]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.im_storm", "node", uri, *(["tail"] if tail else []),
        cwd=Path(__file__).parents[1], stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    port = int(await asyncio.wait_for(process.stdout.readline(), 30))
    try:
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)


def remember_pages() -> None:
    """In a node's own process: pages of the log that were read once cost nothing any more."""
    read, kept = store.pages, dict[str, list[Entry]]()

    async def pages(db: Database, ranges: Mapping[str, tuple[int, int]]) -> dict[str, list[Entry]]:
        if not ranges.keys() <= kept.keys():
            kept.update(await read(db, ranges))
        return {c: kept[c] for c in ranges}

    store.pages = pages


async def run(uri: str, chosen: argparse.Namespace) -> list[Figure]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    figures: list[Figure] = []
    with Progress(transient=True) as progress:
        async with stage(uri, PREFIX) as (db, sessions):
            bar = progress.add_task("storms", total=5)
            held = await seeded(db, chosen.clients)
            for name, tail in (("from the log", False), ("pages for nothing", True)):
                async with node(uri, tail=tail) as (port, process):
                    scene = Scene(uri, port, process, sessions)
                    await scene.storm(held, "warm", sync=True)
                    progress.advance(bar)
                    figures += await scene.storm(held, name, sync=True)
                    progress.advance(bar)
                    if not tail:
                        figures += await scene.storm(held, "only coming back", sync=False)
                        progress.advance(bar)
    return figures


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--clients", type=int, default=10_000)
    chosen = arguments.parse_args()
    measure("im_storm", lambda uri: run(uri, chosen))


if __name__ == "__main__":
    if sys.argv[1:2] == ["node"]:
        if "tail" in sys.argv[3:]:
            remember_pages()
        uvloop.run(im_server.main("chat", sys.argv[2], PREFIX))
    else:
        main()
