"""How fast the outbox is: commit to effect when idle, and a backlog drained, beside the bare driver doing the writes.

Run: `python loadtests/outbox.py [--events 20000]` with OCTSHOP_TEST_MONGO_URI set, or it starts a private mongod.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from octshop_rt.core import outbox
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import Clock, monotonic_ms
from octshop_rt.core.dispatcher import Dispatcher, Subscription
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Collection, Database, Transaction
from octshop_rt.core.outbox import Event, Outbox
from octshop_rt.core.settings import MongoSettings
from octshop_rt.embedded.mongod import EmbeddedMongo

WRITE_BATCH = 200
IDLE_ROUNDS = 100
MOST_LOOKS = 3_000  # five minutes


class Tick(Event, frozen=True, kw_only=True):
    """One event, one effect."""

    number: int


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """The effect: one inserted row."""

    id: str


EFFECTS = Collection("common", "bench_effects", Effect, shard_key=("_id",))


async def idle_latency(db: Database, clock: Clock) -> list[float]:
    """Milliseconds from the commit's return to the handler's effect, one event at a time."""
    arrived = asyncio.Event()

    async def effect(tx: Transaction, event: Tick) -> None:
        await EFFECTS.insert(tx, Effect(id=f"idle-{event.number}"))
        arrived.set()

    box = Outbox(clock, Ids(clock))
    worker = Dispatcher(db, clock, LocalBus(), [Subscription(event=Tick, name="bench", run=effect)], owner="bench-idle")
    await worker.start()
    loop = asyncio.get_running_loop()
    waits: list[float] = []
    for number in range(IDLE_ROUNDS):
        arrived.clear()
        await db.transact(lambda tx, number=number: box.write(tx, Tick(number=number)))
        committed = loop.time()
        await arrived.wait()
        waits.append((loop.time() - committed) * 1000)
        await asyncio.sleep(0.02)
    await worker.stop()
    return waits


async def backlog(db: Database, clock: Clock, events: int, progress: Progress) -> float:
    """Effects per second over a backlog of `events`."""

    async def effect(tx: Transaction, event: Tick) -> None:
        await EFFECTS.insert(tx, Effect(id=f"backlog-{event.number}"))

    box = Outbox(clock, Ids(clock))
    filling = progress.add_task("write the backlog", total=events)
    for first in range(0, events, WRITE_BATCH):

        async def write(tx: Transaction, first: int = first) -> None:
            for number in range(first, min(first + WRITE_BATCH, events)):
                await box.write(tx, Tick(number=number))

        await db.transact(write)
        progress.update(filling, advance=WRITE_BATCH)
    worker = Dispatcher(
        db,
        clock,
        LocalBus(),
        [Subscription(event=Tick, name="bench", run=effect, together=True)],
        owner="bench-backlog",
    )
    draining = progress.add_task("drain it", total=None)
    started = monotonic_ms()
    await worker.start()
    for _ in range(MOST_LOOKS):
        if not (await outbox.counts(db, now=clock.now()))["due"]:
            break
        await asyncio.sleep(0.1)
    spent = monotonic_ms() - started
    await worker.stop()
    effects = await EFFECTS.count(db, {"_id": {"$regex": "^backlog-"}})
    progress.update(draining, total=events, completed=effects)
    if effects != events:
        message = f"lost or doubled: {effects} of {events}"
        raise SystemExit(message)
    return effects * 1000 / spent


async def ceiling(db: Database, events: int) -> float:
    """The same inserts in transactions of one batch each, without any outbox: what the driver and mongod allow."""
    started = monotonic_ms()
    for first in range(0, events, Dispatcher.BATCH):

        async def write(tx: Transaction, first: int = first) -> None:
            for number in range(first, min(first + Dispatcher.BATCH, events)):
                await EFFECTS.insert(tx, Effect(id=f"bare-{number}"))

        await db.transact(write)
    return events * 1000 / (monotonic_ms() - started)


async def run(uri: str, events: int) -> None:
    """Measure and print one table."""
    clock = Clock()
    db = Database.connect(MongoSettings(uri=uri, prefix="bench"))
    await db.drop()
    await db.create_indexes([outbox.ROWS, EFFECTS])
    with Progress() as progress:
        waits = await idle_latency(db, clock)
        rate = await backlog(db, clock, events, progress)
        bare = await ceiling(db, events)
    table = Table("figure", "value", "aim")
    table.add_row("commit → effect, idle, p50", f"{statistics.median(waits):.1f} ms", "≤ 20 ms")
    table.add_row("commit → effect, idle, p99", f"{statistics.quantiles(waits, n=100)[98]:.1f} ms", "")
    table.add_row(f"backlog of {events} drained", f"{rate:.0f}/s", "≥ 800/s")
    table.add_row("bare inserts in equal transactions", f"{bare:.0f}/s", "ceiling")
    Console().print(table)
    await db.drop()
    await db.close()


async def main() -> None:
    """Parse arguments, find or start a MongoDB."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=20_000)
    chosen = arguments.parse_args()
    if uri := os.environ.get("OCTSHOP_TEST_MONGO_URI"):
        await run(uri, chosen.events)
        return
    with tempfile.TemporaryDirectory(prefix="octshop-bench-") as place:
        server = EmbeddedMongo(Path(place))
        try:
            await run(await server.start(), chosen.events)
        finally:
            await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
