"""Two node processes, killed -9 again and again while people talk: nothing acked is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octshop_rt.core.auth.model import Audience, Buyer, Device, Staff
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import Clock, monotonic_ms
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store as chats
from octshop_rt.im.conversation.checks import CHECKS
from octshop_rt.im.interest import DEAD_MS
from tests.im.history import Person, Shipped, Watch, judge, settled
from tests.im.kit import Client, client_id
from tests.im.node_process import town
from tests.im.raw import Raw

ROOT = Path(__file__).parents[2]
KILLS = 5
BUYERS, AGENTS = 16, 4
SEED = 20261122
SETTLE_S = 12  # the net looks every second, a client comes back within 1.2: what is not there by then never comes


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

    def signal(self, number: int) -> None:
        assert self._running is not None
        self._running.send_signal(number)

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


PAUSE_S = DEAD_MS / 1000 + 2  # longer than the others wait before they forget a node


@pytest.mark.slow
async def test_a_node_that_was_frozen_and_comes_back_says_and_marks_nothing_wrong(
    db: Database, processes: tuple[Process, Process]
):  # req 9, I11
    """Its people have moved on, its numbers are taken, what it held to say is old, and it missed what was told it: a
    bus that has not heard itself for five seconds takes up anew.
    """
    frozen, awake = processes
    sessions = Sessions(db=db, bus=LocalBus(), clock=Clock(), ids=Ids(Clock()), people=town(), resume_key=b"k" * 32)

    async def enters(process: Process, person: str, dev: str) -> Client:
        staff = person.startswith("agent")
        opened = await sessions.open(Audience.STAFF if staff else Audience.BUYER, person, Device(id=dev, name="d"))
        who = await sessions.by_session(opened.session.id)
        assert isinstance(who, Buyer | Staff)
        return await (await Client().connect(process.port)).hello((await sessions.ticket(who)).ticket, dev)

    before = await enters(frozen, "buyer-1", "phone")
    stays = await enters(frozen, "buyer-2", "phone")
    agent = await enters(awake, "agent-1", "desk")
    c, other = await before.open("S1"), await stays.open("S1")
    await before.say(c, "1")
    await stays.say(other, "1")
    frozen.signal(signal.SIGSTOP)
    m = client_id()
    await before.raw({"t": 5, "i": 9_000, "c": c, "m": m, "k": "text", "b": {"text": "2"}})  # into the dark
    await before.raw({"t": 9, "c": c, "s": 1})
    after = await enters(awake, "buyer-1", "phone")  # the phone has given up on that node
    assert (await after.say(c, "2", m))["s"] == 2
    began = monotonic_ms()
    said = 0
    while monotonic_ms() - began < PAUSE_S * 1_000:
        said += 1
        await agent.say(c, f"agent {said}")
        await agent.say(other, f"agent {said}")
        await after.raw({"t": 9, "c": c, "s": 2 + said})
        await asyncio.sleep(0.2)
    frozen.signal(signal.SIGCONT)
    await stays.until(lambda: set(range(2, 2 + said)) <= stays.log.get(other, {}).keys(), 15)  # missed nothing
    assert (await after.say(c, "back"))["s"] == 3 + said
    assert (await agent.say(c, "end"))["s"] == 4 + said
    await after.until(lambda: {*range(3, 3 + said), 4 + said} <= after.log.get(c, {}).keys())
    await before.until(lambda: 4 + said in before.log.get(c, {}))  # the link it left still hears the same log
    log = {row.s: row for row in await chats.page(db, c, 1, 999, 999, newest=False)}
    assert sorted(log) == list(range(1, 5 + said))
    assert [s for s, row in log.items() if row.m == m] == [2]  # once, though two nodes were asked
    for client in (before, after, agent):
        assert {s: ent["id"] for s, ent in client.log[c].items() if s in log and ent["id"] != log[s].id} == {}
    (mark,) = [row for row in await chats.memberships(db, [c]) if row.u == "buyer-1"]
    assert mark.read_seq == 2 + said  # what the frozen node was told first changes nothing
    assert (await examine(db, CHECKS)).findings == ()
    sessions.close()
    await asyncio.gather(*(client.close() for client in (before, stays, after, agent)))


async def talk(person: Person, mine: list[str], over: asyncio.Event, chance: random.Random) -> None:
    """Say something, read something, until it is over."""
    n = 0
    while not over.is_set():
        await person.say(chance.choice(mine), f"{person.name} {n}")
        person.read(chance.choice(mine))
        n += 1
        await asyncio.sleep(chance.random() * 0.15)


@pytest.mark.slow
async def test_kill_minus_nine_while_twenty_people_talk(
    db: Database, processes: tuple[Process, Process], tmp_path: Path
):  # req 9, IM1, acceptance 1
    """Half of them with the client that we ship, its outbox on disk; after each kill one of these crashes too."""
    chance = random.Random(SEED)
    sessions = Sessions(db=db, bus=LocalBus(), clock=Clock(), ids=Ids(Clock()), people=town(), resume_key=b"k" * 32)

    async def ticket(person: str, staff: bool) -> str:
        audience = Audience.STAFF if staff else Audience.BUYER
        opened = await sessions.open(audience, person, Device(id="d", name="d"))
        who = await sessions.by_session(opened.session.id)
        assert isinstance(who, Buyer | Staff)
        return (await sessions.ticket(who)).ticket

    how = {"ports": [process.port for process in processes], "ticket": ticket, "chance": chance}
    names = [(f"buyer-{n}", False) for n in range(BUYERS)] + [(f"agent-{n}", True) for n in range(AGENTS)]
    shipped = [Shipped(name, tmp_path, staff=staff, **how) for name, staff in names[::2]]
    people: list[Person] = [*shipped, *(Raw(name, staff=staff, **how) for name, staff in names[1::2])]
    for person in people:
        person.start()
    await asyncio.gather(*(person.online() for person in people))
    mine = {person: [await person.open("S1")] for person in people if not person.staff}
    cs = [c for (c,) in mine.values()]
    await asyncio.gather(*(person.say(c, "hello") for person, (c,) in mine.items()))
    await settled(db, people, cs, SETTLE_S)
    over = asyncio.Event()
    async with Watch(db) as watch:
        talking = [asyncio.create_task(talk(person, mine.get(person, cs), over, chance)) for person in people]
        for _ in range(KILLS):
            await asyncio.sleep(0.3 + chance.random())
            victim = chance.choice(processes)
            await victim.kill()
            await chance.choice(shipped).crash()
            await asyncio.sleep(chance.random() * 0.3)
            await victim.start()
        over.set()
        async with asyncio.timeout(30):
            await asyncio.gather(*talking)
        await settled(db, people, cs, SETTLE_S)
    wrong = watch.wrong + await judge(db, people, cs)
    report = await examine(db, CHECKS)
    sessions.close()
    await asyncio.gather(*(person.stop() for person in people))
    acked = sum(len(person.sent) for person in people)
    tries = sum(person.tries for person in people)
    print(f"{acked} acked in {tries} tries, {sum(p.reconnects for p in people)} connections, {KILLS} kills")
    assert wrong == []
    assert report.findings == ()
    assert acked > 100
    assert tries > acked  # the kills did cut sends in flight
    assert sum(len(person.marked) for person in people) > len(people)
