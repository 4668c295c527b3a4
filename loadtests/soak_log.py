"""One conversation with a million entries: a page of 50 costs the same at its head, in its middle and at its tail.

Node, load and mongod are processes of their own on one machine; pages are asked for over a socket, one at a time. The
same is measured while the log is short, so that "flat" is a figure.

Run: `python loadtests/soak_log.py [--entries 1000000] [--pulls 500]`. Some minutes; the log takes about 400 MB of disk.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rich.progress import Progress

from loadtests.report import Figure, at_most, percentile, tell
from loadtests.soak_house import House, standing
from loadtests.soak_node import Anywhere
from octshop_rt.core.auth.model import Audience, Buyer, Device
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import Clock
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.checks import CHECKS
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.conversation.rules import fingerprint
from octshop_rt.im.wire.fields import Body
from tests.im.kit import Client

PAGE = 50
BATCH = 5_000
SHORT = 10_000


async def enters(house: House) -> Client:
    sessions = Sessions(
        db=house.db, bus=LocalBus(), clock=Clock(), ids=Ids(Clock()), people=Anywhere(), resume_key=b"k" * 32
    )
    opened = await sessions.open(Audience.BUYER, "B1", Device(id="d", name="d"))
    who = await sessions.by_session(opened.session.id)
    assert isinstance(who, Buyer)
    client = await Client().connect(house.nodes[0].port)
    await client.hello((await sessions.ticket(who)).ticket)
    sessions.close()
    return client


async def grow(house: House, c: str, first: int, last: int, ids: Ids, progress: Progress) -> None:
    """Entries first…last, written as the server would, but many at once."""
    bar = progress.add_task(f"{last:,} entries", total=last - first + 1)
    clock = Clock()
    for at in range(first, last + 1, BATCH):
        rows = [line(c, s, ids.new("E"), clock.now()) for s in range(at, min(at + BATCH, last + 1))]
        await store.append(house.db, rows)
        progress.advance(bar, len(rows))


def line(c: str, s: int, entry_id: str, now: int) -> Entry:
    body = Body(text=f"第 {s} 条: 请问这个还有货吗?")
    return Entry(
        id=entry_id, c=c, s=s, f="B1", fr="buyer", m=f"message-{s:012}", k="text", ts=now, b=body,
        h=fingerprint("text", body, None),
    )  # fmt: skip


async def pulls(client: Client, c: str, start: int, count: int) -> float:
    """The p99 of `count` pages near `start`, in milliseconds."""
    waits: list[float] = []
    for number in range(count):
        first = max(1, start - number * 7 % 500)
        client.log.clear()
        began = time.perf_counter()
        page = await client.pull(c, **{"from": first, "n": PAGE})
        waits.append((time.perf_counter() - began) * 1000)
        assert [ent["s"] for ent in page["ents"]] == list(range(first, first + PAGE)), first
    return percentile(waits, 99)


async def places(client: Client, c: str, entries: int, count: int) -> list[Figure]:
    found: list[Figure] = []
    for place, start in (("head", entries - PAGE + 1), ("middle", entries // 2), ("tail", 501)):
        await pulls(client, c, start, 20)
        waited = await pulls(client, c, start, count)
        found.append(at_most(f"a page at the {place} of {entries:,}, p99", waited, "ms", 20))
    return found


async def run(entries: int, count: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="octshop-soak-") as place, Progress(transient=True) as progress:
        async with standing(Path(place), 1) as house:
            client, ids = await enters(house), Ids(Clock())
            c = await client.open("S1")
            short = min(SHORT, entries)
            await grow(house, c, 1, short, ids, progress)
            figures = await places(client, c, short, count)
            await grow(house, c, short + 1, entries, ids, progress)
            figures += await places(client, c, entries, count)
            began = time.perf_counter()
            await client.sync({c: entries - 5})
            figures.append(at_most("SYNC of that conversation", (time.perf_counter() - began) * 1000, "ms", 20))
            said = await client.say(c, "and on")
            figures.append(Figure("the next number", said["s"], "", f"{entries + 1}", said["s"] == entries + 1))
            await client.close()
            report = await examine(house.db, CHECKS)
            figures.append(Figure("fsck findings", len(report.findings), "", "0", report.clean))
    return figures


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--entries", type=int, default=1_000_000)
    arguments.add_argument("--pulls", type=int, default=500)
    chosen = arguments.parse_args()
    figures = asyncio.run(run(chosen.entries, chosen.pulls))
    tell("soak_log", figures)
    raise SystemExit(0 if all(one.ok is not False for one in figures) else 1)


if __name__ == "__main__":
    main()
