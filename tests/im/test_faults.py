"""When the store answers badly: never an ack on a guess, no visible hole, and fsck names each violation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from octshop_rt.core.clock import TestClock
from octshop_rt.core.errors import Busy, UnknownOutcome
from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.checks import CHECKS
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.wire.fields import Body, EntryKind, Role
from tests.im.kit import Node, Town, client_id, enter, running


@pytest.fixture
def town() -> Town:
    town = Town()
    town.open_shop("S1", "agent-1")
    return town


@pytest.fixture
async def node(db: Database, town: Town) -> AsyncIterator[Node]:
    async with running(db, town) as node:
        yield node
        assert (await examine(db, CHECKS)).findings == ()


class Flaky:
    """The store's append, failing once in a chosen way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, written: bool) -> None:
        self._append = store.append
        self._written = written
        self.failed = 0
        monkeypatch.setattr(store, "append", self)

    async def __call__(self, db: Database, rows: Sequence[Entry]) -> None:
        if not self.failed:
            self.failed = len(rows)
            if self._written:
                await self._append(db, rows)
            raise UnknownOutcome
        await self._append(db, rows)


async def test_an_unknown_outcome_that_was_stored_is_acked_after_looking(node: Node, monkeypatch):
    buyer = await enter(node, "buyer-1")
    agent = await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    await buyer.say(c, "before")
    flaky = Flaky(monkeypatch, written=True)
    answers = await asyncio.gather(*(buyer.say(c, f"{n}") for n in range(5)))
    assert flaky.failed >= 1
    assert sorted((answer["t"], answer["s"]) for answer in answers) == [(4, s) for s in range(2, 7)]
    await agent.sees(c, 6)
    await asyncio.gather(buyer.close(), agent.close())


async def test_an_unknown_outcome_that_was_not_stored_is_never_acked(node: Node, db: Database, monkeypatch):
    buyer = await enter(node, "buyer-1")
    c = await buyer.open("S1")
    Flaky(monkeypatch, written=False)
    m = client_id()
    answer = await buyer.say(c, "hi", m)
    assert (answer["t"], answer["code"], answer["retry"], answer["m"]) == (28, "core.unknown_outcome", True, m)
    assert await store.tail(db, c) == 0
    assert (await buyer.say(c, "hi", m))["s"] == 1
    await buyer.close()


async def test_a_tail_that_cannot_be_read_refuses_and_says_retry(node: Node, db: Database, monkeypatch):
    buyer = await enter(node, "buyer-1")
    c = await buyer.open("S1")
    tail = store.tail

    async def away(_db: Database, _c: str) -> int:
        raise Busy

    monkeypatch.setattr(store, "tail", away)
    answer = await buyer.say(c, "hi")
    assert (answer["code"], answer["retry"]) == ("core.busy", True)
    monkeypatch.setattr(store, "tail", tail)
    assert (await buyer.say(c, "hi"))["s"] == 1
    await buyer.close()


async def test_a_young_hole_is_never_shown_and_an_old_one_is_filled(db: Database, town: Town):
    """A failover rolls a number back that others had built on: seen here by deleting it."""
    clock = TestClock()
    async with running(db, town, clock=clock) as node:
        buyer = await enter(node, "buyer-1")
        c = await buyer.open("S1")
        for n in range(1, 7):
            await buyer.say(c, f"{n}")
        await store.ENTRIES.delete(db, {"c": c, "s": {"$in": [3, 4]}})
        young = await buyer.pull(c)
        assert ([ent["s"] for ent in young["ents"]], young["head"]) == ([1, 2], 6)
        (conversation,) = await buyer.sync({c: 0}, per=50)
        assert [ent["s"] for ent in conversation["ents"]] == [1, 2]
        assert [finding.check for finding in (await examine(db, CHECKS)).findings] == ["F1"]
        clock.advance(5_000)
        fresh = await enter(node, "buyer-1")
        pulls = await asyncio.gather(*(fresh.ask({"t": 13, "c": c}) for _ in range(5)))  # several readers at once
        for page in pulls:
            assert [ent["s"] for ent in page["ents"]] == [1, 2, 3, 4, 5, 6]
            assert [ent["k"] for ent in page["ents"]] == ["text", "text", "void", "void", "text", "text"]
        assert (await fresh.say(c, "7"))["s"] == 7
        assert (await examine(db, CHECKS)).findings == ()
        await asyncio.gather(buyer.close(), fresh.close())


def entry(c: str, s: int, fr: Role = "buyer", k: EntryKind = "text") -> Entry:
    return Entry(id=f"E{c}{s}", c=c, s=s, f="stranger", fr=fr, m=f"m{s}", k=k, b=Body(text="x"), ts=1, h="0")


async def test_fsck_names_what_is_wrong(db: Database, town: Town):  # req 14
    async with running(db, town) as node:
        buyer = await enter(node, "buyer-1")
        c = await buyer.open("S1")
        await buyer.say(c, "fine")
        await buyer.close()
    assert (await examine(db, CHECKS)).clean

    async def found() -> set[str]:
        return {finding.check for finding in (await examine(db, CHECKS)).findings}

    await store.append(db, [entry("C404", 1, "system", "void")])
    assert await found() == {"F3"}
    await store.append(db, [entry("C404", 3, "system", "void")])
    assert await found() == {"F1", "F3"}
    await store.ENTRIES.delete(db, {"c": "C404"})
    await store.append(db, [entry(c, 2)])
    assert await found() == {"F5", "F6"}
    await store.ENTRIES.delete(db, {"c": c, "s": 2})
    await store.MEMBERSHIPS.update(db, {"c": c}, {"$set": {"read_seq": 9}})
    assert await found() == {"F4"}
