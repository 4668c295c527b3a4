"""What numbering costs: many conversations with little traffic, and one with much, on one node and on two.

Numbers are given by compare-and-append (docs/im-protocol.md §6): nobody owns a conversation, so two nodes that write
the same one collide. A preferred appender per conversation would spare that for one more hop over the bus; the best it
could do is the one-node figure, so the distance between the two is what it could win at most.

Nodes, load, mongod and Redis are processes of their own on one machine. Latency of the light traffic is open-loop,
from the intended moment of sending to the ack. Afterwards every ack is looked for in the log and fsck runs over it.

Run: `python loadtests/im_numbering.py [--conversations 5000] [--rate 500] [--writers 50] [--seconds 6]`, with
OCTSHOP_TEST_MONGO_URI set or on a private mongod.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from loadtests.im_nodes import PREFIX, agent, busy, crowd, nodes
from loadtests.im_send import Device, buyer, device, stage
from loadtests.report import Figure, measure, percentile
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.fsck import examine
from octshop_rt.embedded.redisd import EmbeddedRedis
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.checks import CHECKS

SHOPS = 25
LATE_S = 30
Pair = tuple[Device, Device, str]
Acks = dict[tuple[str, str], int]  # by conversation and client id


async def many(ports: list[int], sessions: Sessions, count: int, run: int) -> list[Pair]:
    """`count` conversations of buyers at the first node with the agents of 25 shops at the last."""
    agents = [
        await device(ports[-1], sessions.resume_token(agent(run * 1_000 + shop, shop)), "d") for shop in range(SHOPS)
    ]
    made: list[Pair] = []
    for number in range(max(1, count // SHOPS)):
        one = await device(ports[0], sessions.resume_token(buyer(f"L{run}-{number}")), "d")
        for shop, other in enumerate(agents):
            opened = await one.ask({"t": 17, "i": 1, "op": "open", "a": {"shop_id": f"S{shop}"}})
            made.append((one, other, opened["d"]["c"]))
    return made


async def light(made: list[Pair], rate: float, seconds: float, chance: random.Random, acks: Acks) -> list[float]:
    """Anybody says something somewhere, `rate` times a second; milliseconds from the intended moment to the ack."""
    waits: list[float] = []
    tasks: list[asyncio.Task[None]] = []

    async def say(sender: Device, c: str, moment: float) -> None:
        m = secrets.token_hex(8)
        acked = sender.events[m] = asyncio.Event()
        sender.say(c, m)
        await asyncio.wait_for(acked.wait(), LATE_S)
        waits.append((time.perf_counter() - moment) * 1000)
        del sender.events[m]
        acks[c, m] = sender.acked[m]

    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        moment = began + number / rate
        if (wait := moment - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        one, other, c = chance.choice(made)
        tasks.append(asyncio.create_task(say(chance.choice((one, other)), c, moment)))
    await asyncio.gather(*tasks)
    return waits


def told(name: str, waits: list[float], clashes: int, sent: int) -> list[Figure]:
    return [
        Figure(f"{name}: ack p50", percentile(waits, 50), "ms"),
        Figure(f"{name}: ack p99", percentile(waits, 99), "ms"),
        Figure(f"{name}: clashes per 1,000", clashes * 1_000 / max(1, sent), ""),
    ]


async def run(uri: str, chosen: argparse.Namespace) -> list[Figure]:
    figures: list[Figure] = []
    acks: Acks = {}
    with tempfile.TemporaryDirectory(prefix="octshop-bench-") as place:
        redis = EmbeddedRedis(Path(place))
        url = await redis.start()
        try:
            async with stage(uri, PREFIX, range(1_000)) as (db, sessions):
                for count in (1, 2):
                    on = f"{count} node{'s' if count > 1 else ''}"
                    async with nodes(uri, url, count) as (ports, counted):
                        pairs = await many(ports, sessions, chosen.conversations, count)
                        await light(pairs, chosen.rate, 1, random.Random(1), acks)
                        waits = await light(pairs, chosen.rate, chosen.seconds, random.Random(2), acks)
                        leave(pairs)
                    sent = int(chosen.rate * (chosen.seconds + 1))
                    name = f"{len(pairs):,} conversations, {chosen.rate:g}/s, {on}"
                    figures += told(name, waits, counted["clashes"], sent)
                for writers in (2, chosen.writers):
                    for count in (1, 2):
                        figures += await one_busy(uri, url, sessions, writers, count, chosen.seconds)
                for row in [row async for row in store.ENTRIES.scan(db, {})]:
                    if acks.pop((row.c, row.m), row.s) != row.s:
                        acks[row.c, row.m] = -1
                report = await examine(db, CHECKS)
                figures.append(Figure("acks not in the log", len(acks), "", "0", not acks))
                figures.append(Figure("fsck findings", len(report.findings), "", "0", report.clean))
        finally:
            await redis.stop()
    return figures


async def one_busy(uri: str, url: str, sessions: Sessions, writers: int, count: int, seconds: float) -> list[Figure]:
    """Everybody in one conversation, the next line as soon as the last is acked."""
    async with nodes(uri, url, count) as (ports, counted):
        made = await crowd(ports, sessions, writers, 100 * count + writers)
        await busy(made, 0.5)
        rate, waits = await busy(made, seconds)
        for one, _ in made:
            one.link.close()
    name = f"{writers} writers in one conversation, {count} node{'s' if count > 1 else ''}"
    return [Figure(name, rate, "/s"), *told(name, waits, counted["clashes"], len(waits))]


def leave(made: list[Pair]) -> None:
    for one in {id(side): side for pair in made for side in pair[:2]}.values():
        one.link.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--conversations", type=int, default=5_000)
    arguments.add_argument("--rate", type=float, default=500)
    arguments.add_argument("--writers", type=int, default=50)
    arguments.add_argument("--seconds", type=float, default=6)
    chosen = arguments.parse_args()
    measure("im_numbering", lambda uri: run(uri, chosen))


if __name__ == "__main__":
    main()
