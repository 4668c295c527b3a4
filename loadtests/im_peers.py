"""The same 1:1 conversation on octshop-rt, ejabberd with an SQL archive, Synapse, and a bare aiohttp echo as the
ceiling: side by side in one run, repetitions interleaved, the load client on the same machine.

Each pair sends its next message when the server's ack and the other side's copy are in (closed loop); then all pairs
send at fixed rates, latency from the intended moment (open loop). A server is asked only for rates it can carry. What
an ack means differs: ours is given when a majority has the message journalled, ejabberd's when its session process has
handled it. A peer that cannot be brought or started is reported as not run, never as beaten.

Run: `python loadtests/im_peers.py [--pairs 200] [--runs 3] [--without Synapse]`, with OCTSHOP_TEST_MONGO_URI set or on
a private mongod. The table, `loadtests/out/im.json` and `loadtests/out/im.svg`; eight minutes, two more the first time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from msgspec import Struct
from rich.progress import Progress

from loadtests import chart
from loadtests.im_link import Link, connect
from loadtests.im_send import PREFIX, Device, audit, pairs, server, stage
from loadtests.peers.ejabberd import Ejabberd
from loadtests.peers.parts import NotRunError, cpu_seconds
from loadtests.peers.synapse import Synapse
from loadtests.report import OUT, Figure, measure, of_runs, percentile
from loadtests.talk import LostError, Speaker, closed_loop, open_loop
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.mongo import Database

OURS = "octshop-rt"
AIMS = {"ejabberd": 4.0, "Synapse": 100.0}
RATES = (10, 400, 1_000)
_PATIENCE_S = 150
CARRIES = 0.8  # of the closed loop's rate: more is only a queue


class Contender(Protocol):
    """A chat server and its clients. `start` raises NotRunError; `stop` may be called at any time."""

    name: str
    stores: str
    version: str

    async def start(self, place: Path) -> None: ...
    async def pairs(self, count: int) -> Sequence[tuple[Speaker, Speaker, str]]: ...
    def cpu(self) -> float: ...
    async def stop(self) -> None: ...


class Ours:
    """One node with everything on, and the mongod of the bench."""

    name = OURS
    stores = "MongoDB, majority and journal"

    def __init__(self, uri: str) -> None:
        self.version = f"octshop-rt {version('octshop-rt')}"
        self._uri = uri
        self._stack = AsyncExitStack()
        self._db: Database | None = None
        self._port = 0
        self._sessions: Sessions | None = None
        self._again = 0
        self._pids: list[int] = []
        self._made: list[tuple[Device, Device, str]] = []

    async def start(self, place: Path) -> None:
        self._place = place

    async def pairs(self, count: int) -> list[tuple[Device, Device, str]]:
        self._db, sessions = await self._stack.enter_async_context(stage(self._uri, PREFIX, range(count)))
        self._port, process = await self._stack.enter_async_context(server("chat", self._uri))
        children = psutil.Process().children(recursive=True)
        self._pids = [process.pid, *(one.pid for one in children if one.name() == "mongod")]
        self._sessions = sessions
        return await self.enter(count)

    async def enter(self, count: int) -> list[tuple[Device, Device, str]]:
        """All connected, those who were before anew: sign-ins of a bench are in no database, and a node asks there for
        who has been connected for five minutes.
        """
        assert self._sessions is not None
        self._leave()
        self._made = await pairs(self._port, self._sessions, count)
        return self._made

    def _leave(self) -> None:
        for one, two, _ in self._made:
            one.link.close()
            two.link.close()
        self._made = []

    def cpu(self) -> float:
        return cpu_seconds(self._pids)

    def refused(self) -> int:
        """How often a client was told to say it again later."""
        return self._again

    async def audit(self) -> int:
        """Every ack in the log at its number, fsck clean; SystemExit if not."""
        assert self._db is not None
        self._again += sum(one.refused + two.refused for one, two, _ in self._made)
        return await audit(self._db, self._made)

    async def stop(self) -> None:
        self._leave()
        await self._stack.aclose()


class Echoed:
    """A talk.Speaker on the bare echo: what comes back is the ack to it and the copy to the other."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.acked: dict[str, Any] = {}
        self.got: dict[str, float] = {}
        self.events: dict[str, asyncio.Event] = {}
        self.other = self
        link.heard = self.heard

    def say(self, c: str, m: str) -> None:
        self.link.send({"t": 5, "i": 7, "c": c, "m": m, "k": "text", "b": {"text": "x" * 100}})

    def heard(self, frame: dict[str, Any]) -> None:
        m = frame["m"]
        self.acked[m] = self.other.got[m] = time.perf_counter()
        for one in (self, self.other):
            if event := one.events.get(m):
                event.set()


class Echo:
    """aiohttp alone: nothing stored, nothing asked, nobody told."""

    name = "bare aiohttp echo"
    stores = "nothing"

    def __init__(self, uri: str) -> None:
        self.version = f"aiohttp {version('aiohttp')}"
        self._uri = uri
        self._stack = AsyncExitStack()
        self._pid = 0
        self._port = 0
        self._sides: list[Echoed] = []

    async def start(self, place: Path) -> None:
        self._place = place
        self._port, process = await self._stack.enter_async_context(server("echo", self._uri))
        self._pid = process.pid

    async def pairs(self, count: int) -> list[tuple[Echoed, Echoed, str]]:
        self._sides = [Echoed(await connect(self._port)) for _ in range(count * 2)]
        made = list(zip(self._sides[::2], self._sides[1::2], strict=True))
        for one, two in made:
            one.other, two.other = two, one
        return [(one, two, "C" * 27) for one, two in made]

    def cpu(self) -> float:
        return cpu_seconds([self._pid])

    async def stop(self) -> None:
        for side in self._sides:
            side.link.close()
        await self._stack.aclose()


class Seen(Struct):
    """What was measured of one contender; a list has one item a repetition."""

    contender: Contender
    made: Sequence[tuple[Speaker, Speaker, str]] = ()
    not_run: str = ""
    rates: list[float] = []
    server_us: list[float] = []
    client_us: list[float] = []
    waits: dict[int, list[list[float]]] = {}
    audited: int = 0


async def ready(seen: Seen, place: Path, count: int) -> None:
    """Start it and connect everybody; what prevents it is noted and ends nothing but this contender."""
    contender = seen.contender
    try:
        await contender.start(place)
        seen.made = await contender.pairs(count)
    except (NotRunError, OSError, ConnectionError, TimeoutError) as fault:
        if contender.name not in AIMS:
            raise
        seen.not_run = str(fault) or type(fault).__name__
        await contender.stop()


async def measured(seen: Seen, seconds: float) -> None:
    """One repetition; a peer that loses a message, so that a pair waits for ever, is out."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await repetition(seen, seconds)
    except (TimeoutError, LostError, ConnectionError) as fault:
        if seen.contender.name not in AIMS:
            raise
        seen.not_run = str(fault) or f"did not deliver everything within {_PATIENCE_S} s"
        await seen.contender.stop()


async def repetition(seen: Seen, seconds: float) -> None:
    """One closed loop, one open loop a rate."""
    contender = seen.contender
    await asyncio.to_thread(os.sync)  # nobody pays for what another, or the installing, has still to write
    if isinstance(contender, Ours):
        seen.made = await contender.enter(len(seen.made))
    await closed_loop(seen.made, 1)  # warm
    server_cpu, client_cpu, began = contender.cpu(), time.process_time(), time.perf_counter()
    rate = await closed_loop(seen.made, seconds)
    done = rate * (time.perf_counter() - began)
    seen.rates.append(rate)
    seen.server_us.append((contender.cpu() - server_cpu) / done * 1e6)
    seen.client_us.append((time.process_time() - client_cpu) / done * 1e6)
    for wanted in RATES:
        if wanted <= CARRIES * seen.rates[0]:
            waits = await open_loop(seen.made, wanted, max(seconds, 60 / wanted))
            seen.waits.setdefault(wanted, []).append(waits)
    if isinstance(contender, Ours):
        seen.audited += await contender.audit()


async def run(uri: str, chosen: argparse.Namespace) -> list[Figure]:
    """Everything; the figures. What runs is stopped, whatever happens."""
    contenders: list[Contender] = [Ours(uri), Ejabberd(), Synapse(), Echo(uri)]
    everyone = [Seen(one) for one in contenders if one.name not in chosen.without]
    with (
        tempfile.TemporaryDirectory(prefix="octshop-bench-", ignore_cleanup_errors=True) as place,
        Progress(transient=True) as progress,
    ):
        try:
            bar = progress.add_task("", total=len(everyone) * (chosen.runs + 1))
            for seen in everyone:
                progress.update(bar, description=f"start {seen.contender.name}")
                await ready(seen, Path(place) / seen.contender.name.replace(" ", "-"), chosen.pairs)
                progress.advance(bar)
            for number in range(chosen.runs):
                for seen in everyone:
                    progress.update(bar, description=f"{seen.contender.name}, {number + 1} of {chosen.runs}")
                    if not seen.not_run:
                        await measured(seen, chosen.seconds)
                    progress.advance(bar)
        finally:
            for seen in everyone:
                if not seen.not_run:
                    await seen.contender.stop()
    figures = told(everyone, chosen)
    picture(everyone, chosen)
    return figures


def told(everyone: Sequence[Seen], chosen: argparse.Namespace) -> list[Figure]:
    """The figures of all, then how often ours goes into each."""
    figures: list[Figure] = []
    ours = next((seen for seen in everyone if seen.contender.name == OURS), None)
    for seen in everyone:
        name = seen.contender.name
        if seen.not_run:
            figures.append(Figure(f"{name}: not run: {seen.not_run}"[:160], 0, ""))
            continue
        what = f"{name}: acked and received, {chosen.pairs} pairs, closed loop"
        figures += of_runs(what, seen.rates, "/s", least=6_000 if seen is ours else None)
        figures.append(Figure(f"{name}: server and store, CPU a message", statistics.median(seen.server_us), "us"))
        figures.append(Figure(f"{name}: load client, CPU a message", statistics.median(seen.client_us), "us"))
        for rate, found in seen.waits.items():
            for part in (50, 99):
                values = [percentile(one, part) for one in found]
                most = {50: 5, 99: 25}[part] if seen is ours and rate == 1_000 else None
                figures += of_runs(
                    f"{name}: send to receive at {rate}/s, p{part}", values, "ms", most=most, bigger=False
                )
    for seen in everyone:
        name = seen.contender.name
        if name not in AIMS or ours is None:
            continue
        if seen.not_run:
            figures.append(Figure(f"{OURS} beside {name}: not run, so not judged", 0, "times", f">= {AIMS[name]:g}"))
        else:
            times = [mine / theirs for mine, theirs in zip(ours.rates, seen.rates, strict=True)]
            figures += of_runs(f"{OURS} beside {name}", times, "times", least=AIMS[name])
    if ours is not None:
        again = ours.contender.refused() if isinstance(ours.contender, Ours) else 0
        figures.append(Figure("refused by ours for a moment and said again", again, "", "0", again == 0))
        figures.append(Figure("our acks found in the log, fsck clean after each", ours.audited, "", "all", ok=True))
    versions = ", ".join(seen.contender.version for seen in everyone if not seen.not_run)
    print(f"{versions}; PyMongo {version('pymongo')}, uvloop {version('uvloop')}")
    return figures


def picture(everyone: Sequence[Seen], chosen: argparse.Namespace) -> None:
    """loadtests/out/im.svg."""
    ours = next((seen for seen in everyone if seen.contender.name == OURS), None)
    mine = statistics.median(ours.rates) if ours is not None else 0.0
    through: list[chart.Bar] = []
    for seen in everyone:
        name = seen.contender.name
        if seen.not_run:
            through.append(chart.Bar(name=name, missing=f"not run: {seen.not_run}"[:90]))
            continue
        rate = statistics.median(seen.rates)
        times = f" · ours is {mine / rate:,.1f} ×" if name in AIMS and mine else ""
        through.append(chart.Bar(name=name, high=rate, words=f"{rate:,.0f}/s{times}", ours=seen is ours))
    late: list[chart.Bar] = []
    for seen in everyone:
        for rate, found in seen.waits.items():
            low, high = (statistics.median(percentile(one, part) for one in found) for part in (50, 99))
            words = f"{low:,.1f} to {high:,.1f} ms"
            late.append(
                chart.Bar(name=f"{seen.contender.name}, {rate:,}/s", low=low, high=high, words=words, ours=seen is ours)
            )
    stores = "; ".join(f"{seen.contender.name}: {seen.contender.stores}" for seen in everyone)
    foot = [
        f"Stored in: {stores}.",
        "What an ack means: ours: a majority has journalled it; ejabberd: handled by the session; Synapse: answered.",
        ", ".join(seen.contender.version for seen in everyone if not seen.not_run),
        f"{os.cpu_count()} cores, {platform.platform()}; servers, stores and load client together on them.",
    ]
    panels = [
        chart.Panel(
            title=f"1:1 messages a second, {chosen.pairs} pairs, closed loop",
            note=f"acked and received, median of {chosen.runs}; logarithmic",
            bars=through,
        ),
        chart.Panel(
            title="Send to receive at a fixed rate, milliseconds from the intended moment",
            note="from p50 to p99, medians; only rates that a server carries; logarithmic",
            bars=late,
        ),
    ]
    chart.write(OUT / "im.svg", panels, foot)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pairs", type=int, default=200)
    arguments.add_argument("--seconds", type=float, default=4)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--without", action="append", default=[], help="leave out: ejabberd, Synapse")
    chosen = arguments.parse_args()
    measure("im", lambda uri: run(uri, chosen))


if __name__ == "__main__":
    main()
