"""Two node processes, killed -9 again and again while people talk: nothing acked is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octshop_rt.core.auth.model import Audience, Buyer, Device, Staff
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import Clock
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.checks import CHECKS
from tests.im.history import Person, judge
from tests.im.node_process import town

ROOT = Path(__file__).parents[2]
KILLS = 5
BUYERS, AGENTS = 16, 4
SEED = 20261122


class Process:
    """One node on a port that it keeps over its deaths."""

    def __init__(self, uri: str, prefix: str, redis: str, name: str) -> None:
        self._arguments = (uri, prefix, redis)
        self._name = name
        self._running: asyncio.subprocess.Process | None = None
        self.port = 0

    async def start(self) -> None:
        self._running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.im.node_process", *self._arguments, str(self.port), self._name,
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert self._running.stdout is not None
        async with asyncio.timeout(30):
            while not (line := await self._running.stdout.readline()).startswith(b"listening on "):
                assert line, "the node did not start"
        self.port = int(line.split()[-1])

    async def kill(self) -> None:
        assert self._running is not None
        self._running.kill()
        await self._running.wait()

    async def stop(self) -> int:
        assert self._running is not None
        self._running.terminate()
        return await asyncio.wait_for(self._running.wait(), 15)


@pytest.fixture
async def processes(db: Database, mongo_uri: str, redis_url: str) -> AsyncIterator[tuple[Process, Process]]:
    pair = Process(mongo_uri, db._prefix, redis_url, "a"), Process(mongo_uri, db._prefix, redis_url, "b")
    await asyncio.gather(*(process.start() for process in pair))
    yield pair
    assert await asyncio.gather(*(process.stop() for process in pair)) == [0, 0]


@pytest.mark.slow
async def test_kill_minus_nine_while_twenty_people_talk(db: Database, processes: tuple[Process, Process]):  # req 9, IM1
    chance = random.Random(SEED)
    sessions = Sessions(db=db, bus=LocalBus(), clock=Clock(), ids=Ids(Clock()), people=town(), resume_key=b"k" * 32)

    async def ticket(person: str, staff: bool) -> str:
        audience = Audience.STAFF if staff else Audience.BUYER
        opened = await sessions.open(audience, person, Device(id="d", name="d"))
        who = await sessions.by_session(opened.session.id)
        assert isinstance(who, Buyer | Staff)
        return (await sessions.ticket(who)).ticket

    ports = [process.port for process in processes]
    people = [
        Person(f"{kind}-{n}", staff=kind == "agent", ports=ports, ticket=ticket, chance=chance)
        for kind, count in (("buyer", BUYERS), ("agent", AGENTS))
        for n in range(count)
    ]
    conversations = [await person.open("S1") for person in people if not person.staff]
    over = asyncio.Event()

    async def talk(person: Person, mine: list[str]) -> None:
        n = 0
        while not over.is_set():
            await person.say(chance.choice(mine), f"{person.name} {n}")
            n += 1
            await asyncio.sleep(chance.random() * 0.15)

    talking = [
        asyncio.create_task(talk(person, conversations if person.staff else [conversations[at]]))
        for at, person in enumerate(people)
    ]
    for _ in range(KILLS):
        await asyncio.sleep(0.3 + chance.random())
        victim = chance.choice(processes)
        await victim.kill()
        await asyncio.sleep(chance.random() * 0.3)
        await victim.start()
    over.set()
    async with asyncio.timeout(30):
        await asyncio.gather(*talking)
        await asyncio.gather(*(person.catch_up() for person in people))
    wrong = await judge(db, people)
    report = await examine(db, CHECKS)
    sessions.close()
    acked = sum(len(person.sent) for person in people)
    tries = sum(person.tries for person in people)
    print(f"{acked} acked in {tries} tries, {sum(p.reconnects for p in people)} connections, {KILLS} kills")
    assert wrong == []
    assert report.findings == ()
    assert acked > 100
    assert tries > acked  # the kills did cut sends in flight
