"""Nodes killed with -9 while buyers buy, cashiers charge, clerks write off and people chat; then fsck and the history.

Every client keeps its request id until it has a definite answer. Afterwards: what was answered with success is there
exactly once, what was refused is not there, the books agree.

Run: `python loadtests/chaos.py [--seconds 90] [--seed 7] [--nodes 2] [--buyers 6]`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import aiohttp
import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from loadtests.chaos_people import History, buy_and_use, charge, chat
from octshop_rt import app, demo
from octshop_rt.cli.workers import variables
from octshop_rt.commerce.api.channel import notice_path
from octshop_rt.commerce.payment.settle import DEFAULT_ACCOUNT
from octshop_rt.core import mongo, outbox
from octshop_rt.core.clock import Clock
from octshop_rt.core.fsck import examine
from octshop_rt.core.http.routes import API
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import HttpSettings, MongoSettings, RedisSettings, SandboxSettings, Settings
from octshop_rt.embedded import EmbeddedMongo, EmbeddedRedis
from octshop_rt.embedded.process import Child, start
from octshop_rt.sandbox.server import Sandbox

FIRST_PORT = 18480
HOST = "127.0.0.1"
READY_SECONDS = 60
SETTLE_SECONDS = 90
console = Console()


class Node:
    """One server process that can be killed and comes back on its port."""

    def __init__(self, settings: Settings, folder: Path, number: int) -> None:
        port = FIRST_PORT + number
        http = msgspec.structs.replace(settings.http, port=port)
        self.origin = http.origin
        self.kills = 0
        self._settings = msgspec.structs.replace(settings, http=http)
        self._folder = folder
        self._number = number
        self._child: Child | None = None

    def start(self) -> None:
        """Start it; it is ready some time later."""
        own = dict(variables(msgspec.to_builtins(self._settings)))
        self._child = start(
            [sys.executable, "-m", "octshop_rt", "serve"],
            self._folder / f"node-{self._number}-{self.kills}.log",
            self._folder / f"node-{self._number}.pid",
            marker="octshop_rt serve",
            environment={**os.environ, **own},
        )

    def kill(self) -> None:
        """No farewell."""
        assert self._child is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child.pid, 9)
        self.kills += 1

    async def stop(self) -> None:
        """With farewell."""
        if self._child is not None:
            await self._child.stop(15)

    async def ready(self, http: aiohttp.ClientSession) -> None:
        """Wait until it answers."""
        async with asyncio.timeout(READY_SECONDS):
            while True:
                try:
                    async with http.get(f"{self.origin}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def installation(folder: Path, nodes: int) -> AsyncGenerator[tuple[list[Node], Settings, str]]:
    """MongoDB, Redis, the simulator with troublesome notices, demo data, and the nodes."""
    async with contextlib.AsyncExitStack() as stack:
        mongod = EmbeddedMongo(folder / "mongo")
        uri = await mongod.start()
        stack.push_async_callback(mongod.stop)
        redis = EmbeddedRedis(folder / "redis")
        redis_url = await redis.start()
        stack.push_async_callback(redis.stop)
        sandbox = Sandbox(folder / "sandbox", Clock(), production=False, notice_speed=20)
        merchant = sandbox.merchant("1900000109", "wxd678efh567hg6787", "chaos")
        gateway = await sandbox.start(HOST, 0)
        stack.push_async_callback(sandbox.stop)
        notify = f"http://{HOST}:{FIRST_PORT}{API}{notice_path(DEFAULT_ACCOUNT)}"
        settings = Settings(
            mode="demo",
            data_dir=str(folder),
            mongo=MongoSettings(uri=uri),
            redis=RedisSettings(url=redis_url),
            http=HttpSettings(host=HOST),
            wechat={DEFAULT_ACCOUNT: sandbox.settings(merchant, gateway, notify)},
            sandbox=SandboxSettings(url=gateway),
        )
        db = Database.connect(settings.mongo)
        await db.create_indexes(mongo.declared)
        await demo.seed(db, Clock())
        await db.close()
        running = [Node(settings, folder, number) for number in range(nodes)]
        for node in running:
            node.start()
            stack.push_async_callback(node.stop)
        yield running, settings, gateway


async def kill_now_and_then(nodes: list[Node], chance: random.Random, every: float) -> None:
    """One node at a time; it starts again at once, its peers serve meanwhile."""
    async with aiohttp.ClientSession() as http:
        while True:
            await asyncio.sleep(chance.uniform(0.5, 1.5) * every)
            node = chance.choice(nodes)
            node.kill()
            await asyncio.sleep(chance.uniform(0, 0.5))
            node.start()
            await node.ready(http)


async def settle(settings: Settings) -> tuple[Counter[str], list[str]]:
    """Wait for the outbox, then fsck. Returns counts and violations in words."""
    db = Database.connect(settings.mongo)
    try:
        for _ in range(SETTLE_SECONDS):
            if not (await outbox.counts(db, now=Clock().now()))["due"]:
                break
            await asyncio.sleep(1)
        report = await examine(db, app.CHECKS)
        words = [f"{one.check} {one.object_id}: expected {one.expected}, found {one.found}" for one in report.findings]
        return Counter(await outbox.counts(db, now=Clock().now())), words
    finally:
        await db.close()


async def run(chosen: argparse.Namespace) -> int:
    """The whole trial; 0 if nothing was lost, doubled or left crooked."""
    chance = random.Random(chosen.seed)
    history = History()
    with tempfile.TemporaryDirectory(prefix="octshop-chaos-") as place:
        async with installation(Path(place), chosen.nodes) as (nodes, settings, gateway):
            async with aiohttp.ClientSession() as http:
                await asyncio.gather(*(node.ready(http) for node in nodes))
                origins = [node.origin for node in nodes]
                stop = asyncio.Event()
                people = [
                    buy_and_use(http, origins, gateway, settings, number, history, stop, secrets.token_hex(4))
                    for number in range(chosen.buyers)
                ]
                people += [charge(http, origins, gateway, history, stop), chat(http, origins, history, stop)]
                working = [asyncio.create_task(one) for one in people]
                killing = asyncio.create_task(kill_now_and_then(nodes, chance, chosen.every))
                await watch(chosen.seconds, history, nodes, killing)
                killing.cancel()
                await asyncio.wait({killing})
                await asyncio.gather(*(node.ready(http) for node in nodes))
                stop.set()
                done, late = await asyncio.wait(working, timeout=60)
                for task in late:
                    task.cancel()
                faults = [repr(task.exception()) for task in done if task.exception()]
                faults += [f"{len(late)} clients found no end"] if late else []
            counts, violations = await settle(settings)
            violations += faults + await history.contradictions(settings)
    return show(history, nodes, counts, violations)


async def watch(seconds: float, history: History, nodes: list[Node], killing: asyncio.Task[None]) -> None:
    """A bar and figures while it runs; ends at once when the killing itself fails."""
    with Progress(console=console) as progress:
        bar = progress.add_task("chaos", total=seconds)
        for _ in range(int(seconds)):
            await asyncio.sleep(1)
            killed = sum(node.kills for node in nodes)
            progress.update(bar, advance=1, description=f"{killed} kills, {history.words()}")
            if killing.done():
                killing.result()


def show(history: History, nodes: list[Node], counts: Counter[str], violations: list[str]) -> int:
    """One table, then every violation."""
    table = Table("what", "how many")
    table.add_row("nodes killed with -9", str(sum(node.kills for node in nodes)))
    for name, value in history.figures().items():
        table.add_row(name, str(value))
    table.add_row("outbox rows parked", str(counts["parked"]))
    table.add_row("violations", str(len(violations)))
    console.print(table)
    for violation in violations:
        console.print(violation, style="red", markup=False)
    return 1 if violations or counts["parked"] else 0


def main() -> None:
    """Parse, run, exit."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=90)
    arguments.add_argument("--every", type=float, default=4, help="mean seconds between kills")
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--nodes", type=int, default=2)
    arguments.add_argument("--buyers", type=int, default=6)
    raise SystemExit(asyncio.run(run(arguments.parse_args())))


if __name__ == "__main__":
    main()
