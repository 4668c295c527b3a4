"""Two chat nodes on one log: pairs that talk across nodes, and one busy conversation with fifty writers.

Nodes, load, mongod and Redis are processes of their own on one machine. Latency is open-loop, from the intended moment
of sending. After each run every ack is looked for in the log and fsck runs over it.

Run: `python loadtests/im_nodes.py [--pairs 200] [--writers 50] [--seconds 4] [--runs 3]`, with OCTSHOP_TEST_MONGO_URI
set or on a private mongod. About a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from msgspec import Struct

from loadtests.im_send import Device, audit, buyer, device, server, stage
from loadtests.report import Figure, measure, of_runs, percentile
from loadtests.talk import closed_loop, open_loop
from octshop_rt.core.auth.model import Grant, Right, Staff
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.mongo import Database
from octshop_rt.embedded.redisd import EmbeddedRedis

PREFIX = "bench_nodes"
Pair = tuple[Device, Device, str]


@asynccontextmanager
async def nodes(uri: str, redis: str, count: int) -> AsyncGenerator[tuple[list[int], dict[str, int]]]:
    """Ports of `count` nodes; what they counted stands in the dict after the block."""
    counts: list[dict[str, Any]] = [{} for _ in range(count)]
    summed: dict[str, int] = {}
    async with AsyncExitStack() as stack:
        ports: list[int] = []
        for number, counted in enumerate(counts):
            one = server("chat", uri, f"node{number}", redis, prefix=PREFIX, counted=counted)
            ports.append((await stack.enter_async_context(one))[0])
        yield ports, summed
    for name in ("clashes", "caught"):
        summed[name] = sum(counted.get(name, 0) for counted in counts)


def agent(number: int, shop: int) -> Staff:
    grant = Grant(merchant_id="M1", shop_id=f"S{shop}", role="agent", rights=frozenset({Right.CHAT}))
    return Staff(session_id=f"NA{number}", person_id=f"A{number}", name="a", device_id="d", grants=(grant,))


async def across(ports: list[int], sessions: Sessions, count: int) -> list[Pair]:
    """Buyer n at the first node and the agent of shop n at the second."""
    made: list[Pair] = []
    for n in range(count):
        one = await device(ports[0], sessions.resume_token(buyer(f"B{n}")), "d")
        two = await device(ports[-1], sessions.resume_token(agent(n, n)), "d")
        opened = await one.ask({"t": 17, "i": 1, "op": "open", "a": {"shop_id": f"S{n}"}})
        made.append((one, two, opened["d"]["c"]))
    return made


async def crowd(ports: list[int], sessions: Sessions, writers: int, shop: int) -> list[tuple[Device, str]]:
    """One conversation; its buyer and its many agents, spread over the nodes."""
    one = await device(ports[0], sessions.resume_token(buyer(f"C{shop}")), "d")
    c = (await one.ask({"t": 17, "i": 1, "op": "open", "a": {"shop_id": f"S{shop}"}}))["d"]["c"]
    tokens = [sessions.resume_token(agent(shop * 1_000 + n, shop)) for n in range(1, writers)]
    agents = [await device(ports[n % len(ports)], token, "d") for n, token in enumerate(tokens, 1)]
    return [(one, c), *((other, c) for other in agents)]


async def busy(made: list[tuple[Device, str]], seconds: float) -> tuple[float, list[float]]:
    """Every writer says the next line when the last is acked; sends a second, and milliseconds to each ack."""
    until, waits = time.perf_counter() + seconds, []

    async def write(one: Device, c: str) -> None:
        while time.perf_counter() < until:
            m = secrets.token_hex(8)
            acked = one.events[m] = asyncio.Event()
            began = time.perf_counter()
            one.say(c, m)
            await acked.wait()
            waits.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    await asyncio.gather(*(write(one, c) for one, c in made))
    return len(waits) / (time.perf_counter() - began), waits


async def run(uri: str, chosen: argparse.Namespace) -> list[Figure]:
    figures: list[Figure] = []
    runs: list[Paired] = []
    shops = [*range(chosen.pairs), 901, 902]
    with tempfile.TemporaryDirectory(prefix="octshop-bench-") as place:
        redis = EmbeddedRedis(Path(place))
        url = await redis.start()
        try:
            async with stage(uri, PREFIX, shops) as (db, sessions):
                for count in (1, 2):
                    figures += await crowded(uri, url, count, sessions, chosen)
                runs = [await paired(uri, url, db, sessions, chosen) for _ in range(chosen.runs)]
        finally:
            await redis.stop()
    rates = [one.rate for one in runs]
    figures += of_runs(f"durable sends over {chosen.pairs} pairs, two nodes, closed loop", rates, "/s", least=4_000)
    for part, most in ((50, 15), (99, 50)):
        waits = [percentile(one.waits, part) for one in runs]
        figures += of_runs(f"send to receive across nodes at 1,000/s, p{part}", waits, "ms", most=most)
    return [
        *figures,
        *of_runs("clashes per 1,000 sends", [one.clashes for one in runs], "", bigger=False),
        Figure("entries only the net found", sum(one.caught for one in runs), ""),
        Figure("acks found in the log, fsck clean after each run", sum(one.looked for one in runs), "", "all", ok=True),
    ]


async def crowded(uri: str, redis: str, count: int, sessions: Sessions, chosen: Any) -> list[Figure]:
    async with nodes(uri, redis, count) as (ports, counted):
        made = await crowd(ports, sessions, chosen.writers, 900 + count)
        await busy(made, 0.5)
        rate, waits = await busy(made, chosen.seconds)
        for one, _ in made:
            one.link.close()
    name = f"{chosen.writers} writers in one conversation, {count} node{'s' if count > 1 else ''}"
    per = counted["clashes"] * 1000 / max(1, len(waits))
    return [
        Figure(name, rate, "/s"),
        Figure(f"{name}: ack p99", percentile(waits, 99), "ms"),
        Figure(f"{name}: clashes per 1,000", per, ""),
    ]


class Paired(Struct, frozen=True):
    """One run over pairs whose two sides are on two nodes and both write."""

    rate: float
    waits: list[float]
    clashes: float
    caught: int
    looked: int


async def paired(uri: str, redis: str, db: Database, sessions: Sessions, chosen: Any) -> Paired:
    async with nodes(uri, redis, 2) as (ports, counted):
        made = await across(ports, sessions, chosen.pairs)
        await closed_loop(made, 1)
        rate = await closed_loop(made, chosen.seconds)
        waits = await open_loop(made, 1_000, chosen.seconds)
        sent = sum(len(one.acked) + len(two.acked) for one, two, _ in made)
        for one, two, _ in made:
            one.link.close()
            two.link.close()
    looked = await audit(db, made)
    return Paired(rate, waits, counted["clashes"] * 1000 / max(1, sent), counted["caught"], looked)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pairs", type=int, default=200)
    arguments.add_argument("--writers", type=int, default=50)
    arguments.add_argument("--seconds", type=float, default=4)
    arguments.add_argument("--runs", type=int, default=3)
    chosen = arguments.parse_args()
    measure("im_nodes", lambda uri: run(uri, chosen))


if __name__ == "__main__":
    main()
