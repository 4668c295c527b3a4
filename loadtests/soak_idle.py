"""Ten thousand sockets that say nothing for ten minutes, on one node; then one message each way over every one of them.

Node, load and mongod are processes of their own on one machine (each side needs 10,000 descriptors). Everybody is
signed in for real, so that the checks a node makes of who is still there are part of the price. Latency is open-loop,
from the intended moment of sending.

Run: `python loadtests/soak_idle.py [--idle 10000] [--seconds 600] [--rate 200]`, with OCTSHOP_TEST_MONGO_URI set or on
a private mongod.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from rich.progress import Progress

from loadtests.im_send import PREFIX, Device, buyer, device, server, stage
from loadtests.report import Figure, at_most, measure, percentile
from octshop_rt.core.auth import model
from octshop_rt.core.auth.model import Audience, Grant, Right, Staff
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.fsck import examine
from octshop_rt.im.conversation.checks import CHECKS

AT_ONCE = 100
LATE_S = 60
SHOPS = 20  # one agent each, so that no single client has to read everything


async def enter(port: int, sessions: Sessions, number: int) -> Device:
    """A buyer with a session of his own."""
    opened = await sessions.open(Audience.BUYER, f"I{number}", model.Device(id="d", name="d"))
    proven = await sessions.proven(opened.session.id)
    assert proven is not None
    return await device(port, sessions.resume_token(proven.who, proven.until), "d")


async def come(port: int, sessions: Sessions, count: int, progress: Progress) -> list[Device]:
    bar = progress.add_task("connect", total=count)
    made: list[Device] = []
    for at in range(0, count, AT_ONCE):
        numbers = range(at, min(at + AT_ONCE, count))
        made += await asyncio.gather(*(enter(port, sessions, number) for number in numbers))
        progress.advance(bar, len(numbers))
    return made


async def silence(process: psutil.Process, seconds: float, progress: Progress) -> float:
    """Nobody says anything; per cent of a core that the node needs for it."""
    bar = progress.add_task("idle", total=seconds)
    times, began = process.cpu_times(), time.perf_counter()
    while (gone := time.perf_counter() - began) < seconds:
        await asyncio.sleep(min(1, seconds - gone))
        progress.update(bar, completed=gone)
    after = process.cpu_times()
    return (after.user + after.system - times.user - times.system) * 100 / (time.perf_counter() - began)


async def conversations(made: list[Device], progress: Progress) -> list[str]:
    bar = progress.add_task("open conversations", total=len(made))
    found: list[str] = []
    for at in range(0, len(made), AT_ONCE):
        asked = [
            one.ask({"t": 17, "i": 3, "op": "open", "a": {"shop_id": f"S{(at + n) % SHOPS}"}})
            for n, one in enumerate(made[at : at + AT_ONCE])
        ]
        found += [answer["d"]["c"] for answer in await asyncio.gather(*asked)]
        progress.advance(bar, len(asked))
    return found


async def agents(port: int, sessions: Sessions) -> list[Device]:
    made: list[Device] = []
    for shop in range(SHOPS):
        grant = Grant(merchant_id="M1", shop_id=f"S{shop}", role="agent", rights=frozenset({Right.CHAT}))
        who = Staff(session_id=f"NA{shop}", person_id=f"A{shop}", name="a", device_id="d", grants=(grant,))
        made.append(await device(port, sessions.resume_token(who), "d"))
    return made


async def each_way(
    made: list[Device], staff: list[Device], cs: list[str], rate: float, progress: Progress
) -> list[float]:
    """Every buyer a word to the shop and every shop a word to the buyer; milliseconds from the intended moment."""
    bar = progress.add_task("one message each way", total=len(made) * 2)
    intended: list[tuple[Device, str, float]] = []
    began = time.perf_counter()
    for number, (one, c) in enumerate(zip(made, cs, strict=True)):
        other = staff[number % SHOPS]
        for at, (sender, receiver) in enumerate(((one, other), (other, one))):
            moment = began + (number * 2 + at) / rate
            if (wait := moment - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            m = f"m-{number:09d}-{at}-each-way"
            sender.say(c, m)
            intended.append((receiver, m, moment))
        progress.advance(bar, 2)
    for _ in range(LATE_S * 20):
        if all(m in receiver.got for receiver, m, _ in intended):
            break
        await asyncio.sleep(0.05)
    return [(receiver.got[m] - moment) * 1000 for receiver, m, moment in intended]


async def run(uri: str, chosen: argparse.Namespace) -> list[Figure]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    count: int = chosen.idle
    with Progress(transient=True) as progress:
        async with stage(uri, PREFIX) as (db, sessions), server("chat", uri) as (port, process):
            warm = [await device(port, sessions.resume_token(buyer(f"W{n}")), "d") for n in range(50)]
            for one in warm:
                one.link.close()
            before = process.memory_info().rss
            made = await come(port, sessions, count, progress)
            grown = (process.memory_info().rss - before) / count / 1024
            share = await silence(process, chosen.seconds, progress)
            gone = sum(one.link.closed for one in made)
            later = (process.memory_info().rss - before) / count / 1024
            figures = [
                at_most(f"memory per idle connection, {count}", grown, "KiB", 20),
                at_most(f"the same after {chosen.seconds:g} s", later, "KiB", 20),
                at_most("CPU while idle, 25 s heartbeat", share, "% of a core", 3),
                Figure("connections lost", gone, "", "0", gone == 0),
            ]
            cs = await conversations(made, progress)
            staff = await agents(port, sessions)
            waits = await each_way(made, staff, cs, chosen.rate, progress)
            figures += [
                Figure("one message each way, p50", percentile(waits, 50), "ms"),
                at_most("one message each way, p99", percentile(waits, 99), "ms", 100),
            ]
            for one in [*made, *staff]:
                one.link.close()
            report = await examine(db, CHECKS)
            figures.append(Figure("fsck findings", len(report.findings), "", "0", report.clean))
    return figures


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--idle", type=int, default=10_000)
    arguments.add_argument("--seconds", type=float, default=600)
    arguments.add_argument("--rate", type=float, default=200, help="messages a second at the end")
    chosen = arguments.parse_args()
    measure("soak_idle", lambda uri: run(uri, chosen))


if __name__ == "__main__":
    main()
