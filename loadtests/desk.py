"""The desk: 2,000 buyers wait, 50 agents with room for all of them come online; how many assignments a second, on one
node and on two, and that nobody is served twice, over a cap or out of turn. fsck runs afterwards.

Run: `python loadtests/desk.py [--buyers 2000] [--runs 3]`, with OCTSHOP_TEST_MONGO_URI set or on a private mongod. Node
and mongod share the machine; the second node is a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from loadtests.desk_node import CAP, SHOP, Nobody, desk_node
from loadtests.report import Figure, at_least, at_most, measure, percentile
from octshop_rt.core import mongo
from octshop_rt.core.clock import Clock
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from octshop_rt.im.conversation import store as conversations
from octshop_rt.im.conversation.model import Conversation
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.desk import rules, store
from octshop_rt.im.desk.checks import CHECKS
from octshop_rt.im.desk.model import Agent, Case
from octshop_rt.im.desk.settings import DeskSettings
from octshop_rt.im.wire.fields import Body

PREFIX = "bench_desk"
AGENTS = 50


async def rush(db: Database, clock: Clock, buyers: int) -> None:
    """Everything wiped; then `buyers` who wait, in the order of their numbers, and agents who have not come yet."""
    await db.wipe(mongo.declared)
    ids, now = Ids(clock), clock.now()
    talks = [
        Conversation(
            id=ids.new("C"), merchant_id="M1", shop_id=SHOP, buyer_id=f"B{n:05d}", created_at=now
        ) for n in range(buyers)
    ]  # fmt: skip
    waiting: list[Case] = []
    for n, talk in enumerate(talks):
        fresh = Case(
            id=ids.new("Z"), c=talk.id, shop_id=SHOP, merchant_id="M1", buyer_id=talk.buyer_id, state="new", open=True,
            rev=1, opened_at=now, buyer_s=1, buyer_at=now, waiting_since=now,
        )  # fmt: skip
        waits = rules.enqueued(fresh, DeskSettings(), now + n)
        waiting.append(rules.moved(waits, "queued", "spoke", at=now, by=talk.buyer_id, silent=True))
    agents = [
        Agent(
            id=f"{SHOP}:U{n:02d}", shop_id=SHOP, person_id=f"U{n:02d}", name=f"U{n:02d}", status="offline",
            status_at=now, seen_at=now + 3_600_000, cap=CAP,
        ) for n in range(AGENTS)
    ]  # fmt: skip
    await conversations.CONVERSATIONS.insert_many(db, talks)
    await store.CASES.insert_many(db, waiting)
    await store.AGENTS.insert_many(db, agents)


async def told(db: Database, chat: Conversations) -> None:
    """What stands in the log of everybody who waits, said by this node: that they do."""
    rows = [case async for case in store.CASES.scan(db, {})]
    for first in range(0, len(rows), 500):
        await asyncio.gather(
            *(
                chat.say(case.c, fr="system", f="desk", m=f"{case.id}-q", k="event", b=Body(ev="queued"))
                for case in rows[first : first + 500]
            )
        )


async def one_run(uri: str, db: Database, buyers: int, nodes: int) -> tuple[float, float, list[int]]:
    """Assignments a second from the moment the agents come, this process's CPU for each in µs, and how far each was
    from its turn.
    """
    clock = Clock()
    await rush(db, clock, buyers)
    others = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "loadtests.desk_node", uri, PREFIX, cwd=Path(__file__).parents[1],
            stdout=asyncio.subprocess.PIPE,
        ) for _ in range(nodes - 1)
    ]  # fmt: skip
    for other in others:
        assert other.stdout is not None
        await asyncio.wait_for(other.stdout.readline(), 30)
    async with desk_node(db, clock, Nobody()) as (desk, chat):
        await told(db, chat)
        began, cpu = time.perf_counter(), time.process_time()
        await store.AGENTS.update_many(db, {"shop_id": SHOP}, {"$set": {"status": "online"}})
        desk.cases.wake(SHOP)
        async with asyncio.timeout(120):
            while await store.count_queued(db, SHOP):  # noqa: ASYNC110  (rows tell nobody)
                await asyncio.sleep(0.02)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        for other in others:
            other.terminate()
            await other.wait()
    cases = [case async for case in store.CASES.scan(db, {})]
    order = sorted(cases, key=lambda case: case.history[-1].at)
    turn = {case.id: int(case.buyer_id[1:]) for case in cases}
    late = [abs(turn[case.id] - place) for place, case in enumerate(order)]
    assert all(case.state == "human" for case in cases)
    assert max(agent.load for agent in await store.agents(db, SHOP)) <= CAP
    doubles = [c for c, count in Counter(slot.case_id for a in await store.agents(db, SHOP) for slot in a.slots).items()
               if count > 1]  # fmt: skip
    findings = (await examine(db, CHECKS)).findings
    assert not doubles, doubles[:3]
    assert not findings, findings[:3]
    return len(cases) / took, cpu * 1e6 / len(cases), late


async def bench(uri: str, buyers: int, runs: int) -> list[Figure]:
    db = Database.connect(MongoSettings(uri=uri, prefix=PREFIX))
    await db.create_indexes(mongo.declared)
    figures: list[Figure] = []
    try:
        for nodes in (1, 2):
            rates: list[float] = []
            late: list[int] = []
            costs: list[float] = []
            for _ in range(runs):
                rate, cost, far = await one_run(uri, db, buyers, nodes)
                rates.append(rate)
                costs.append(cost)
                late += far
            which = f"{nodes} node{'s' if nodes > 1 else ''}"
            figures += [
                at_least(f"assignments, {which}, median of {runs}", statistics.median(rates), "1/s", 500),
                at_least(f"assignments, {which}, worst of {runs}", min(rates), "1/s", 500),
                Figure(f"CPU of this node for one, {which}, median", statistics.median(costs), "µs"),
                at_most(f"places out of turn, {which}, p99", percentile(late, 99), "places", 100),
            ]
    finally:
        await db.drop()
        await db.close()
    figures.append(at_most("served twice, over a cap, or found by fsck", 0, "cases", 0))
    return figures


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--buyers", type=int, default=2_000)
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    measure("desk", lambda uri: bench(uri, chosen.buyers, chosen.runs))
