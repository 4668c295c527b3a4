"""An hour of chat in which something is always broken: nothing acked is lost, doubled or shown wrong, no node grows.

In rounds: fresh buyers and agents talk over three nodes while faults strike at random (nodes killed, drained, paused;
Redis emptied, cut, paused, killed; MongoDB killed, paused, without a primary, slow, full, its answers lost; sockets
cut, readers that do not read, one message from two devices at once, programs that die with messages in their outbox).
Then the faults rest; within a heartbeat everything must have reached every display by itself, and a judge compares
every intent, ack, display and read mark with the log. Every second person uses the client that we ship.
Memory, tasks and descriptors of the nodes are read between the rounds; the first node is paused but never ended.

Run: `python loadtests/soak.py [--seconds 3600] [--round 60] [--seed 7] [--nodes 3]`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from loadtests.soak_house import FAULTS, Held, House, standing
from loadtests.soak_node import Anywhere
from octshop_rt.core.auth.model import Audience, Buyer, Device, Staff
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import Clock, monotonic_ms
from octshop_rt.core.errors import DomainError
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.im.conversation.checks import CHECKS
from tests.im.history import Person, Shipped, Watch, judge, settled
from tests.im.kit import client_id
from tests.im.raw import Raw

BUYERS, AGENTS = 10, 3
LEAST_FAULTS = 2  # of a round, however long one takes on a busy machine
ANSWER_S = 90  # for the acks of what is unsent when the faults rest
SETTLE_S = 30  # a heartbeat of 25 s and room: by then everything is on every display
QUIET_S = 30
MOST_GROWTH_KB_A_MIN = 64  # of the steady node, once it is warm
console = Console(width=130)


class Result(Struct, frozen=True, kw_only=True):
    """What came of it; `wrong` is empty if nothing is."""

    rounds: int
    acked: int
    tries: int
    connections: int
    faults: Counter[str]
    held: list[list[Held]]  # by round, by node
    wrong: list[str]


class Crowd:
    """The people of one round."""

    def __init__(self, house: House, sessions: Sessions, number: int, chance: random.Random, folder: Path) -> None:
        self.chance = chance
        self._folder = folder
        self._made = 0
        self.house = house
        self.shop = f"S{number}"
        self._sessions = sessions
        ports = [node.port for node in house.nodes]
        self.buyers = [self._person(f"buyer-{number}-{n}", ports, staff=False) for n in range(BUYERS)]
        self.agents = [self._person(f"agent-{n}@{self.shop}", ports, staff=True) for n in range(AGENTS)]
        self.twins = [self._person(f"buyer-{number}-0", ports, staff=False) for _ in range(2)]  # more devices of one
        self.conversations: list[str] = []
        self.over = asyncio.Event()

    @property
    def people(self) -> list[Person]:
        return [*self.buyers, *self.agents, *self.twins]

    def _person(self, name: str, ports: list[int], *, staff: bool) -> Person:
        """Our own client and the one that shares no code with it, in turn."""
        self._made += 1
        how = {"staff": staff, "ports": ports, "ticket": self._ticket, "chance": self.chance}
        return Shipped(name, self._folder, **how) if self._made % 2 else Raw(name, **how)

    async def _ticket(self, person: str, staff: bool) -> str:
        """As POST /ws-ticket would give it, asked for until it is given."""
        while True:
            with contextlib.suppress(DomainError):
                return await self._signed_in(person, staff)
            await asyncio.sleep(0.1)

    async def _signed_in(self, person: str, staff: bool) -> str:
        audience = Audience.STAFF if staff else Audience.BUYER
        opened = await self._sessions.open(audience, person, Device(id="d", name="d"))
        who = await self._sessions.by_session(opened.session.id)
        assert isinstance(who, Buyer | Staff)
        return (await self._sessions.ticket(who)).ticket

    async def open(self) -> None:
        """Everybody is there and has heard the first word of each conversation before anything breaks."""
        for person in self.people:
            person.start()
        await asyncio.gather(*(person.online() for person in self.people))
        self.conversations = list(await asyncio.gather(*(buyer.open(self.shop) for buyer in self.buyers)))
        pairs = zip(self.buyers, self.conversations, strict=True)
        await asyncio.gather(*(buyer.say(c, "hello") for buyer, c in pairs))
        await settled(self.house.db, self.people, self.conversations, SETTLE_S)

    async def talk(self, person: Person, mine: list[str]) -> None:
        number = 0
        while not self.over.is_set():
            await person.say(self.chance.choice(mine), f"{person.name} {number}")
            person.read(self.chance.choice(mine))
            number += 1
            await asyncio.sleep(self.chance.random() * 0.25)

    async def disturb(self) -> None:
        """Sockets cut while a message may be stored and not yet acked; programs that die then; readers that rest."""
        while not self.over.is_set():
            await asyncio.sleep(self.chance.random())
            person, what = self.chance.choice(self.people), self.chance.random()
            if what < 0.5:
                person.cut()
            elif what < 0.6 and isinstance(person, Shipped):
                await person.crash()
            else:
                resume = person.pause()
                await asyncio.sleep(self.chance.random() * 3)
                resume()

    async def twice(self, c: str) -> None:
        """Two devices of one buyer say the same thing with the same id, on whichever nodes they are."""
        one, two = self.twins
        number = 0
        while not self.over.is_set():
            m, text = client_id(), f"twice {number}"
            await asyncio.gather(one.say(c, text, m), two.say(c, text, m))
            assert one.sent[c, m] == two.sent[c, m], "one message has two numbers"
            number += 1
            await asyncio.sleep(0.5 + self.chance.random())

    async def run(self) -> None:
        """Until it is over."""
        jobs = [self.talk(buyer, [c]) for buyer, c in zip(self.buyers, self.conversations, strict=True)]
        jobs += [self.talk(agent, self.conversations) for agent in self.agents]
        await asyncio.gather(*jobs, self.disturb(), self.twice(self.conversations[0]))

    async def end(self) -> list[str]:
        """What is wrong once everything has had its time to arrive."""
        await settled(self.house.db, self.people, self.conversations, SETTLE_S)
        return await judge(self.house.db, self.people, self.conversations)

    async def leave(self) -> None:
        """Everybody."""
        await asyncio.gather(*(person.stop() for person in self.people))


class Striker:
    """Faults one after the other, each kind before any comes twice, in an order that the seed alone decides."""

    def __init__(self, house: House, seed: int) -> None:
        self._house = house
        self._chance = random.Random(seed)
        self._bag: list[int] = []
        self.done: Counter[str] = Counter()

    async def strike(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until, enough = loop.time() + seconds, self.done.total() + LEAST_FAULTS
        while loop.time() < until or self.done.total() < enough:
            if not self._bag:
                self._bag = self._chance.sample(range(len(FAULTS)), len(FAULTS))
            fault = FAULTS[self._bag.pop(0)]
            await fault(self._house, self._chance)
            self.done[fault.__name__] += 1
            await asyncio.sleep(self._chance.random() * 2)


async def quiet(house: House) -> list[Held]:
    """What the nodes hold once everybody has left."""
    until = monotonic_ms() + QUIET_S * 1_000
    while True:
        held = [await node.held() for node in house.nodes]
        if not any(one.connections or one.waiting for one in held) or monotonic_ms() > until:
            return held
        await asyncio.sleep(0.5)


async def one_round(crowd: Crowd, striker: Striker, seconds: float) -> list[str]:
    """Talk and trouble, then rest and judgement; what is wrong."""
    try:
        await crowd.open()
        async with Watch(crowd.house.db) as watch:
            return await troubled(crowd, striker, seconds) + watch.wrong
    finally:
        await crowd.leave()


async def troubled(crowd: Crowd, striker: Striker, seconds: float) -> list[str]:
    talking = asyncio.create_task(crowd.run())
    striking = asyncio.create_task(striker.strike(seconds))
    await asyncio.wait({talking, striking}, return_when=asyncio.FIRST_COMPLETED)
    crowd.over.set()
    try:
        await striking
        async with asyncio.timeout(ANSWER_S):
            await talking
        return await crowd.end()
    except (TimeoutError, AssertionError) as fault:
        return [f"{crowd.shop}: {fault!r}"]
    finally:
        for task in (talking, striking):
            task.cancel()
        await asyncio.wait({talking, striking})


def leaks(held: list[list[Held]], lives: list[int], round_s: float) -> list[str]:
    """What a node that nobody ended holds on to."""
    wrong: list[str] = []
    for at, nodes in enumerate(zip(*held, strict=True)):
        if lives[at] > 1:
            continue
        warm, last = nodes[0], nodes[-1]
        wrong += [f"node {at}: {one.connections} connections of people who left" for one in nodes if one.connections]
        wrong += [f"node {at}: owes to {one.owing} sockets that are gone" for one in nodes if one.owing]
        if last.tasks > warm.tasks + 3:
            wrong.append(f"node {at}: {warm.tasks} tasks at first, {last.tasks} at last")
        if last.descriptors > warm.descriptors + 3:
            wrong.append(f"node {at}: {warm.descriptors} descriptors at first, {last.descriptors} at last")
        rss = [one.rss_kb for one in nodes][len(nodes) // 3 :]
        if len(rss) >= 10 and (slope := statistics.linear_regression(range(len(rss)), rss).slope) > (
            MOST_GROWTH_KB_A_MIN * round_s / 60
        ):
            wrong.append(f"node {at}: grows by {slope:.0f} KiB a round, {rss[0]} to {rss[-1]} KiB")
    return wrong


async def run(seconds: float, round_s: float, seed: int, nodes: int, *, tell: bool = True) -> Result:
    chance, wrong = random.Random(seed), list[str]()
    held: list[list[Held]] = []
    counts: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    number = 0
    with tempfile.TemporaryDirectory(prefix="octshop-soak-") as place:
        async with standing(Path(place), nodes) as house:
            sessions = Sessions(
                db=house.db, bus=LocalBus(), clock=Clock(), ids=Ids(Clock()), people=Anywhere(), resume_key=b"k" * 32
            )
            striker = Striker(house, seed)
            until = loop.time() + seconds
            while loop.time() < until and not wrong:
                crowd = Crowd(house, sessions, number, chance, Path(place))
                wrong += await one_round(crowd, striker, min(round_s, max(1.0, until - loop.time())))
                held.append(await quiet(house))
                number += 1
                counts["acked"] += sum(len(person.sent) for person in crowd.people)
                counts["tries"] += sum(person.tries for person in crowd.people)
                counts["connections"] += sum(person.reconnects for person in crowd.people)
                if tell:
                    steady = held[-1][0]
                    console.print(
                        f"round {number}: {counts['acked']} acked, {counts.total()} tries and connections, "
                        f"{striker.done.total()} faults; steady node {steady.rss_kb} KiB, {steady.tasks} tasks, "
                        f"{steady.descriptors} descriptors; {len(wrong)} wrong"
                    )
            report = await examine(house.db, CHECKS)
            wrong += [f"{one.check} {one.object_id}: {one.found}" for one in report.findings]
            wrong += leaks(held, [node.lives for node in house.nodes], round_s)
            sessions.close()
    return Result(
        rounds=number, acked=counts["acked"], tries=counts["tries"], connections=counts["connections"],
        faults=striker.done, held=held, wrong=wrong,
    )  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=3_600)
    arguments.add_argument("--round", type=float, default=60)
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--nodes", type=int, default=3)
    chosen = arguments.parse_args()
    result = asyncio.run(run(chosen.seconds, chosen.round, chosen.seed, chosen.nodes))
    table = Table("what", "how many")
    table.add_row("rounds", str(result.rounds))
    table.add_row("messages acked", str(result.acked))
    table.add_row("tries", str(result.tries))
    table.add_row("connections", str(result.connections))
    for name, value in sorted(result.faults.items()):
        table.add_row(name.replace("_", " "), str(value))
    table.add_row("wrong", str(len(result.wrong)))
    console.print(table)
    for one in result.wrong:
        console.print(one, style="red", markup=False)
    raise SystemExit(1 if result.wrong else 0)


if __name__ == "__main__":
    main()
