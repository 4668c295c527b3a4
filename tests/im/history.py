"""People who never give up, what each of them was shown line by line, and the judge of a finished history.

Nobody reads anything again for the judge: a display is what the protocol brought by itself (pushes, GAP and PULL, SYNC
after a cut), in the order in which it was shown and as often. Half of a crowd should be `Shipped`, with our own client
and its outbox on disk; the other half `Raw`, which shares no line of code with it (tests/im/raw.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Database
from octshop_rt.im.client.client import ImClient
from octshop_rt.im.client.link import Link
from octshop_rt.im.client.outbox import Outbox
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.wire.fields import Body
from octshop_rt.im.wire.outgoing import Cur, Ent, Outgoing
from tests.im.kit import client_id

Ticket = Callable[[str, bool], Awaitable[str]]
Line = tuple[int, str]  # number and client id
Log = dict[str, dict[int, Entry]]


class Person(ABC):
    """One device that says its lines in order, each with the same id until it is acked, on whatever node lives."""

    def __init__(self, name: str, *, staff: bool, ports: list[int], ticket: Ticket, chance: random.Random) -> None:
        self.name = name
        self.staff = staff
        self.intents: dict[tuple[str, str], str] = {}  # {(conversation, client id): text}
        self.sent: dict[tuple[str, str], int] = {}  # what was acked, with its number
        self.lives: list[dict[str, list[Line]]] = [{}]  # what was shown, as it was; a new display after each crash
        self.marked: dict[str, int] = {}  # what this device said it had read, since its last crash
        self.marked_ever: dict[str, int] = {}
        self.marks: dict[tuple[str, str], int] = {}  # {(conversation, person): the highest mark it was told of}
        self.tries = 0
        self.reconnects = 0
        self.ports: Final = ports
        self.ticket: Final = ticket
        self.chance: Final = chance

    @property
    def shown(self) -> dict[str, list[Line]]:
        """The display of now."""
        return self.lives[-1]

    def last(self, c: str) -> int:
        """The number of the newest line on display."""
        lines = self.shown.get(c)
        return lines[-1][0] if lines else 0

    def show(self, c: str, s: int, m: str) -> None:
        """One more line, below what is there."""
        self.shown.setdefault(c, []).append((s, m))

    def told(self, c: str, person: str, s: int) -> None:
        """Somebody has read so far: the highest counts, as the protocol says."""
        self.marks[c, person] = max(s, self.marks.get((c, person), 0))

    def read(self, c: str) -> None:
        """All that is on display has been read."""
        if self.last(c) > self.marked.get(c, 0):
            self.marked[c] = self.last(c)
            self.marked_ever[c] = max(self.last(c), self.marked_ever.get(c, 0))
            self.tell_read(c, self.last(c))

    def pause(self) -> Callable[[], None]:
        """Read nothing from the network until the answer is called."""
        transport = self.transport
        if transport is None:
            return lambda: None
        transport.pause_reading()

        def resume() -> None:
            with contextlib.suppress(RuntimeError):
                transport.resume_reading()

        return resume

    def cut(self) -> None:
        """Lose the network without a word."""
        transport = self.transport
        if transport is not None:
            transport.abort()

    @property
    @abstractmethod
    def transport(self) -> Any:
        """The socket of the moment, if there is one."""

    @abstractmethod
    def tell_read(self, c: str, s: int) -> None: ...

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    async def stop(self) -> None: ...

    @abstractmethod
    async def online(self) -> None: ...

    @abstractmethod
    async def open(self, shop_id: str) -> str: ...

    @abstractmethod
    async def say(self, c: str, text: str, m: str | None = None) -> None:
        """Until it is acked."""


class _Roaming(ImClient):
    """What a load balancer does: each connection ends up somewhere."""

    person: Shipped

    async def _once(self, old: Link | None) -> int:
        self._url = f"ws://127.0.0.1:{self.person.chance.choice(self.person.ports)}/im"
        self.person.reconnects += 1
        self.person.tries += self.waiting()  # all of it goes again
        return await super()._once(old)


class Shipped(Person):
    """With octshop_rt.im.client, its outbox in a file of `folder`."""

    def __init__(self, name: str, folder: Path, **more: Any) -> None:
        super().__init__(name, **more)
        self._device = client_id()
        self._file = folder / f"{self._device}.outbox"
        self._client = self._made()
        self._alive = asyncio.Event()

    def _made(self) -> _Roaming:
        client = _Roaming(
            "", ticket=lambda: self.ticket(self.name, self.staff), device=self._device, on_entry=self._entry,
            on_frame=self._frame, outbox=Outbox(self._file), longest_wait_s=1.0,
        )  # fmt: skip
        client.person = self
        return client

    def _entry(self, ent: Ent) -> None:
        self.show(ent.c, ent.s, ent.m)

    def _frame(self, frame: Outgoing) -> None:
        if isinstance(frame, Cur) and frame.r is not None:
            self.told(frame.c, frame.u, frame.r)

    @property
    def transport(self) -> Any:
        link = self._client._link
        return None if link is None else link._ws.transport

    def tell_read(self, c: str, s: int) -> None:
        self._client.read(c, s)

    def start(self) -> None:
        self._client.start()
        self._alive.set()

    async def stop(self) -> None:
        await self._client.stop()

    async def crash(self) -> None:
        """The program dies and is started again: it has its outbox, and shows the newest of what it is told."""
        self._alive.clear()
        self.cut()
        self._client._sender._outbox = Outbox()  # whatever its last breath does, the file does not hear of it
        await self._client.stop()
        self.lives.append({})
        self.marked = {}
        self._client = self._made()
        self.start()

    async def online(self) -> None:
        await self._client.online()

    async def open(self, shop_id: str) -> str:
        return await self._client.open(shop_id)

    async def say(self, c: str, text: str, m: str | None = None) -> None:
        m = m or client_id()
        self.intents[c, m] = text
        self.tries += 1
        while (c, m) not in self.sent:
            await self._alive.wait()
            try:
                self.sent[c, m] = await self._client.put(c, "text", Body(text=text), m=m)
            except asyncio.CancelledError:  # its promise died with the program, or the test is over
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise


# --- the judge --------------------------------------------------------------------------------------------------------


async def read_log(db: Database, cs: Sequence[str]) -> Log:
    log: Log = {c: {} for c in cs}
    async for row in store.ENTRIES.scan(db, {"c": {"$in": list(cs)}}, sort=[("c", 1), ("s", 1)]):
        log[row.c][row.s] = row
    return log


async def settled(db: Database, people: Sequence[Person], cs: Sequence[str], seconds: float) -> None:
    """Wait, at most so long, until everybody's display has reached the end of the log and every mark is stored. Nobody
    is asked to do anything: what does not come by itself is missing when the judge looks.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                log = await read_log(db, cs)
                if not _behind(people, log) and not await _unmarked(db, people, cs):
                    return
                await asyncio.sleep(0.4)


async def judge(db: Database, people: Sequence[Person], cs: Sequence[str]) -> list[str]:
    """What is wrong in the conversations `cs`, each of which everybody but the other buyers is in; an empty list is a
    clean history.
    """
    log = await read_log(db, cs)
    wrong = _unlike_what_was_said(people, log)
    for person in people:
        for c in _mine(person, people, log):
            for at, life in enumerate(person.lives):
                wrong += _display(f"{person.name}, {c}, life {at}", life.get(c, []), log[c], first_life=at == 0)
    wrong += [f"{behind} is not shown to the end" for behind in _behind(people, log)]
    wrong += await _unmarked(db, people, cs)
    wrong += [f"{one}: nobody read so far" for one in await _never_read(db, people, cs)]
    return wrong


def _unlike_what_was_said(people: Sequence[Person], log: Log) -> list[str]:
    wrong: list[str] = []
    said = Counter((row.c, row.m) for rows in log.values() for row in rows.values())
    intents = {key: text for person in people for key, text in person.intents.items()}
    for c, rows in log.items():
        if sorted(rows) != list(range(1, len(rows) + 1)):
            wrong.append(f"{c}: numbers have gaps or repeats")
        told = [row for row in rows.values() if row.k != "void"]  # a hole that a failover left was filled
        wrong += [f"{c}.{row.s}: nobody said that" for row in told if (c, row.m) not in intents]
    for person in people:
        for (c, m), s in person.sent.items():
            row = log.get(c, {}).get(s)
            if row is None or row.m != m or said[c, m] != 1 or row.b.text != intents[c, m]:
                wrong.append(f"{person.name}: acked {c}.{s} {m} is not in the log exactly once")
        wrong += [f"{person.name}: {key} was never acked" for key in person.intents if key not in person.sent]
    return wrong


def _mine(person: Person, people: Sequence[Person], log: Log) -> list[str]:
    """Agents are in all conversations, a buyer in those in which that buyer has said something."""
    own = {c for one in people if one.name == person.name for c, _ in one.intents}
    return [c for c in log if person.staff or c in own]


def _display(where: str, lines: list[Line], rows: dict[int, Entry], *, first_life: bool) -> list[str]:
    """Each line once, one number after the other, as the log has it; after a crash from any number on."""
    wrong = [f"{where}: {s} is shown {count} times" for s, count in Counter(s for s, _ in lines).items() if count > 1]
    begins = 1 if first_life or not lines else lines[0][0]
    expected = list(range(begins, begins + len(lines)))
    numbers = [s for s, _ in lines]
    if numbers != expected:
        at = next(at for at, (one, other) in enumerate(zip(numbers, expected, strict=True)) if one != other)
        wrong.append(f"{where}: {numbers[at]} is shown where {expected[at]} belongs")
    wrong += [f"{where}: {s} shows {m}, which is not in the log" for s, m in lines if s not in rows or rows[s].m != m]
    return wrong


def _behind(people: Sequence[Person], log: Log) -> list[str]:
    return [
        f"{person.name}: {c} up to {person.last(c)} of {max(log[c])}"
        for person in people
        for c in _mine(person, people, log)
        if log[c] and person.last(c) != max(log[c])
    ]


def _highest(marks: Iterable[tuple[str, Mapping[str, int]]]) -> dict[tuple[str, str], int]:
    """{(conversation, person): mark} over all devices of a person."""
    found: dict[tuple[str, str], int] = {}
    for name, of in marks:
        for c, s in of.items():
            found[c, name] = max(s, found.get((c, name), 0))
    return found


async def _unmarked(db: Database, people: Sequence[Person], cs: Sequence[str]) -> list[str]:
    stored = {(row.c, row.u): row.read_seq for row in await store.memberships(db, cs)}
    told = _highest((person.name, person.marked) for person in people)
    return [
        f"{u} has read {c} up to {s}, stored is {stored.get((c, u), 0)}"
        for (c, u), s in told.items()
        if stored.get((c, u), 0) < s
    ]


async def _never_read(db: Database, people: Sequence[Person], cs: Sequence[str]) -> list[str]:
    most = _highest((person.name, person.marked_ever) for person in people)
    rows = await store.memberships(db, cs)
    wrong = [
        f"{row.u}: has a mark at {row.c}.{row.read_seq}" for row in rows if row.read_seq > most.get((row.c, row.u), 0)
    ]
    return wrong + [
        f"{person.name}: was told that {u} has read {c} up to {s}"
        for person in people
        for (c, u), s in person.marks.items()
        if s > most.get((c, u), 0)
    ]


class Watch:
    """Looks at every stored read mark twice a second: none may ever go back."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._seen: dict[tuple[str, str], int] = {}
        self._task: asyncio.Task[None] | None = None
        self.wrong: list[str] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _look(self) -> None:
        while True:
            with contextlib.suppress(DomainError):  # the store may be away: that is what is tried
                async for row in store.MEMBERSHIPS.scan(self._db, {}, sort=[("c", 1)]):
                    before = self._seen.get((row.c, row.u), 0)
                    if row.read_seq < before:
                        self.wrong.append(f"{row.u}: the mark in {row.c} went back from {before} to {row.read_seq}")
                    self._seen[row.c, row.u] = row.read_seq
            await asyncio.sleep(0.4)
