"""How fast the outbox is: commit to effect when idle, and a backlog drained, beside the bare driver doing the writes.

Server, load and mongod are processes of their own on one machine. Latency is open-loop, from the intended moment of
writing the event. Afterwards every event must have had its effect exactly once.

Run: `python loadtests/outbox.py [--events 20000] [--rate 20]`, with OCTSHOP_TEST_MONGO_URI set or on a private mongod.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rich.progress import Progress

from loadtests.outbox_server import EFFECTS, Effect, Tick
from loadtests.report import Figure, at_least, at_most, measure, percentile
from octshop_rt.core import outbox
from octshop_rt.core.clock import Clock
from octshop_rt.core.dispatcher import Dispatcher
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.core.settings import MongoSettings

PREFIX = "bench_outbox"
WRITE_BATCH = 200
IDLE_EVENTS = 200
MOST_SECONDS = 300


@asynccontextmanager
async def server(mode: str, uri: str) -> AsyncGenerator[Process]:
    """A dispatcher process, ready; it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.outbox_server", mode, uri, PREFIX,
        cwd=Path(__file__).parents[1], stdin=PIPE, stdout=PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        while (line := await asyncio.wait_for(process.stdout.readline(), 30)) != b"ready\n":
            assert line, "the server did not start"
        yield process
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 30)


async def idle(uri: str, rate: int) -> list[Figure]:
    """One event at a time, `rate` a second, at moments fixed beforehand."""
    from_intended: list[float] = []
    from_commit: list[float] = []
    async with server("idle", uri) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers = process.stdout
        began = time.perf_counter() + 0.2

        async def listen() -> None:
            while len(from_commit) < IDLE_EVENTS:
                number, committed, done = (await asyncio.wait_for(answers.readline(), 30)).split()
                from_commit.append(max(0.0, float(done) - float(committed)) * 1000)
                from_intended.append((float(done) - began - int(number) / rate) * 1000)

        listening = asyncio.create_task(listen())
        for number in range(IDLE_EVENTS):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            process.stdin.write(b"%d\n" % number)
        await listening
    return [
        at_most("commit to effect, idle, p50", percentile(from_commit, 50), "ms", 20),
        Figure("commit to effect, idle, p99", percentile(from_commit, 99), "ms"),
        Figure(f"intended write to effect at {rate}/s, p50", percentile(from_intended, 50), "ms"),
        Figure(f"intended write to effect at {rate}/s, p99", percentile(from_intended, 99), "ms"),
    ]


async def fill(db: Database, first: int, count: int, progress: Progress) -> None:
    """A backlog that nobody works on yet."""
    clock = Clock()
    box = Outbox(clock, Ids(clock))
    bar = progress.add_task("write the backlog", total=count)
    for start in range(first, first + count, WRITE_BATCH):
        numbers = range(start, min(start + WRITE_BATCH, first + count))

        async def write(tx: Transaction, numbers: range = numbers) -> None:
            for number in numbers:
                await box.write(tx, Tick(number=number))

        await db.transact(write)
        progress.advance(bar, len(numbers))


async def drained(uri: str, db: Database, mode: str, count: int, progress: Progress) -> float:
    """Effects per second of one dispatcher process from its start to the last effect."""
    before = await EFFECTS.count(db, {})
    bar = progress.add_task(f"drain it, {mode}", total=count)
    async with server(mode, uri):
        began = time.perf_counter()
        while (done := await EFFECTS.count(db, {}) - before) < count:
            if time.perf_counter() - began > MOST_SECONDS:
                message = f"{done} of {count} effects after {MOST_SECONDS} s"
                raise SystemExit(message)
            progress.update(bar, completed=done)
            await asyncio.sleep(0.1)
        return count / (time.perf_counter() - began)


async def ceiling(db: Database, count: int) -> float:
    """The same inserts in transactions of one batch each, without any outbox: what the driver and mongod allow."""
    began = time.perf_counter()
    for first in range(0, count, Dispatcher.BATCH):

        async def write(tx: Transaction, first: int = first) -> None:
            for number in range(first, min(first + Dispatcher.BATCH, count)):
                await EFFECTS.insert(tx, Effect(id=f"bare-{number}"))

        await db.transact(write)
    return count / (time.perf_counter() - began)


async def audit(db: Database, written: int) -> Figure:
    """Each event one effect (its id is unique), none waiting, none parked."""
    effects, states = await EFFECTS.count(db, {}), await outbox.counts(db, now=Clock().now())
    if effects != written or states["due"] or states["parked"]:
        message = f"{effects} effects of {written} events; {states}"
        raise SystemExit(message)
    return Figure("events with exactly one effect", effects, "", "all", ok=True)


async def run(uri: str, chosen: argparse.Namespace) -> list[Figure]:
    db = Database.connect(MongoSettings(uri=uri, prefix=PREFIX))
    await db.drop()
    await db.create_indexes([outbox.ROWS, EFFECTS])
    figures = await idle(uri, chosen.rate)
    apart = chosen.events // 4
    with Progress() as progress:
        await fill(db, IDLE_EVENTS, chosen.events, progress)
        rate = await drained(uri, db, "together", chosen.events, progress)
        await fill(db, IDLE_EVENTS + chosen.events, apart, progress)
        alone = await drained(uri, db, "apart", apart, progress)
    figures.append(at_least(f"backlog of {chosen.events} drained, effects share transactions", rate, "/s", 800))
    figures.append(Figure(f"backlog of {apart} drained, a transaction for each effect", alone, "/s"))
    figures.append(await audit(db, IDLE_EVENTS + chosen.events + apart))
    figures.append(Figure("bare inserts in equal transactions", await ceiling(db, chosen.events), "/s", "ceiling"))
    await db.drop()
    await db.close()
    return figures


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=20_000)
    arguments.add_argument("--rate", type=int, default=20)
    chosen = arguments.parse_args()
    measure("outbox", lambda uri: run(uri, chosen))


if __name__ == "__main__":
    main()
