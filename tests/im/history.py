"""Clients that never give up, and the judge of what they saw: every intent, every answer, every display, the log."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import websockets

from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store
from tests.im.kit import Client, Closed, client_id

Ticket = Callable[[str, bool], Awaitable[str]]
_GONE = (Closed, OSError, TimeoutError, websockets.WebSocketException)


class Person:
    """One device that says its lines in order, each with the same id until it is acked, on whatever node lives."""

    def __init__(self, name: str, *, staff: bool, ports: list[int], ticket: Ticket, chance: random.Random) -> None:
        self.name = name
        self.staff = staff
        self.intents: dict[tuple[str, str], str] = {}  # {(conversation, client id): text}
        self.sent: dict[tuple[str, str], int] = {}  # what was acked, with its number
        self.display: dict[str, dict[int, dict[str, Any]]] = {}
        self.tries = 0
        self.reconnects = 0
        self._ports = ports
        self._ticket = ticket
        self._chance = chance
        self._client: Client | None = None
        self._device = client_id()

    async def connect(self) -> Client:
        """A greeted, caught-up client; on any living node."""
        while True:
            client = Client()
            client.log = self.display
            try:
                await client.connect(self._chance.choice(self._ports))
                await client.hello(await self._ticket(self.name, self.staff), self._device)
                await client.sync({c: self.last(c) for c in self.display}, per=50)
                self._client = client
                await self._fill(client)
            except (*_GONE, AssertionError):
                if client.ws is not None:
                    client.cut()
                await asyncio.sleep(self._chance.random() * 0.3)
                continue
            self.reconnects += 1
            return client

    @property
    def client(self) -> Client | None:
        """The socket of the moment."""
        return self._client

    async def alive(self) -> Client:
        client = self._client
        return client if client is not None and client.closed is None else await self.connect()

    async def open(self, shop_id: str) -> str:
        return await (await self.alive()).open(shop_id)

    async def say(self, c: str, text: str, m: str | None = None) -> None:
        """Until it is acked."""
        m = m or client_id()
        self.intents[c, m] = text
        while (c, m) not in self.sent:
            self.tries += 1
            try:
                answer = await (await self.alive()).ask(
                    {"t": 5, "c": c, "m": m, "k": "text", "b": {"text": text}}, seconds=3
                )
            except _GONE:
                self.drop()
                continue
            if answer["t"] == 4:
                self.sent[c, m] = answer["s"]
            else:
                assert answer["retry"], answer
                await asyncio.sleep(0.05)

    def last(self, c: str) -> int:
        """The end of the contiguous run on display."""
        shown = self.display.get(c, {})
        s = 0
        while s + 1 in shown:
            s += 1
        return s

    async def _fill(self, client: Client) -> None:
        for c in list(self.display):
            head = max(self.display[c], default=0)
            while self.last(c) < head:
                await client.pull(c, **{"from": self.last(c) + 1, "n": 200})

    async def catch_up(self) -> None:
        """Come back and read everything."""
        while True:
            self.drop()
            try:
                client = await self.connect()
                for conversation in await client.sync({}, per=50):
                    self.display.setdefault(conversation["c"], {})
                    while self.last(conversation["c"]) < conversation["head"]:
                        await client.pull(conversation["c"], **{"from": self.last(conversation["c"]) + 1, "n": 200})
                await client.close()
            except _GONE:
                continue
            return

    def drop(self) -> None:
        if self._client is not None and self._client.ws is not None:
            self._client.cut()
        self._client = None


async def judge(db: Database, people: list[Person], cs: Sequence[str] | None = None) -> list[str]:
    """What is wrong (in the conversations `cs`, else in all); an empty list is a clean history."""
    wrong: list[str] = []
    log: dict[str, dict[int, Any]] = {}
    said: Counter[tuple[str, str]] = Counter()
    asked: dict[str, object] = {} if cs is None else {"c": {"$in": list(cs)}}
    async for row in store.ENTRIES.scan(db, asked, sort=[("c", 1), ("s", 1)]):
        log.setdefault(row.c, {})[row.s] = row
        said[row.c, row.m] += 1
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
        for c, shown in person.display.items():
            if {s: ent["id"] for s, ent in shown.items()} != {s: row.id for s, row in log.get(c, {}).items()}:
                wrong.append(f"{person.name}: display of {c} ({len(shown)}) is not the log ({len(log.get(c, {}))})")
    return wrong
