"""The server side of the outbox bench, a process of its own: a dispatcher, and a writer of events that is told when.

Run by outbox.py: `python -m loadtests.outbox_server idle|together|apart URI PREFIX`. It prints `ready`. In idle mode
each number on its input becomes one event; for each it prints the number and the moments of the commit and of the
effect (seconds of the machine's monotonic clock, which processes share). It ends with its input.
"""

from __future__ import annotations

import asyncio
import sys
import time

import msgspec
import uvloop

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import Clock
from octshop_rt.core.dispatcher import Dispatcher, Subscription
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Collection, Database, Transaction
from octshop_rt.core.outbox import Event, Outbox
from octshop_rt.core.settings import MongoSettings
from octshop_rt.embedded.process import end_with_parent


class Tick(Event, frozen=True, kw_only=True):
    """One event, one effect."""

    number: int


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """The effect: one inserted row."""

    id: str


EFFECTS = Collection("common", "bench_effects", Effect, shard_key=("_id",))


class Pen:
    """Writes events when told and says when each was committed and when it took effect."""

    def __init__(self, db: Database) -> None:
        self._db = db
        clock = Clock()
        self._box = Outbox(clock, Ids(clock))
        self._committed: dict[int, float] = {}
        self._done: dict[int, float] = {}

    async def write(self, number: int) -> None:
        """One transaction with one event in it."""
        await self._db.transact(lambda tx: self._box.write(tx, Tick(number=number)))
        self._committed[number] = time.perf_counter()
        self._tell(number)

    async def effect(self, tx: Transaction, event: Tick) -> None:
        """The handler."""
        await EFFECTS.insert(tx, Effect(id=f"E{event.number}"))
        self._done[event.number] = time.perf_counter()
        self._tell(event.number)

    def _tell(self, number: int) -> None:
        if number in self._committed and number in self._done:
            print(number, self._committed.pop(number), self._done.pop(number), flush=True)


async def main(mode: str, uri: str, prefix: str) -> None:
    db = Database.connect(MongoSettings(uri=uri, prefix=prefix))
    pen = Pen(db)
    heard = Subscription(event=Tick, name="bench", run=pen.effect, together=mode == "together")
    worker = Dispatcher(db, Clock(), LocalBus(), [heard], owner=f"bench-{mode}")
    told = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    print("ready", flush=True)
    await worker.start()
    async with asyncio.TaskGroup() as writes:
        while line := await told.readline():
            writes.create_task(pen.write(int(line)))
    await worker.stop()
    await db.close()


if __name__ == "__main__":
    end_with_parent()
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3]))
