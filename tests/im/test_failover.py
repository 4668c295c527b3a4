"""A MongoDB that steps down, freezes, or loses the head of its log under talk: no false ack, no loss, no hole."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from octshop_rt.embedded.mongod import EmbeddedMongo
from octshop_rt.im.conversation import store
from tests.im.crowd import Person, judge, online, until
from tests.im.kit import Town, running
from tests.im.replicas import Member, three

IM = [store.CONVERSATIONS, store.ENTRIES, store.MEMBERSHIPS]


class Mongo:
    """The server and its troubles."""

    def __init__(self, place: Path) -> None:
        self.server = EmbeddedMongo(place, cache_gb=0.25)
        self.uri = ""

    async def step_down(self) -> None:
        """No primary for a few seconds, as in an election."""
        client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(self.uri, serverSelectionTimeoutMS=5_000)
        try:
            await client.admin.command({"replSetStepDown": 2, "secondaryCatchUpPeriodSecs": 0, "force": True})
        except PyMongoError:
            return  # it may close the connection that asks
        finally:
            await client.close()

    async def freeze(self) -> None:
        """Four seconds in which nothing is answered and nothing is closed."""
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGSTOP)
        await asyncio.sleep(4)
        os.kill(self.server.pid, signal.SIGCONT)


@pytest.fixture
async def mongo(tmp_path: Path) -> AsyncIterator[Mongo]:
    mongo = Mongo(tmp_path / "mongo")
    mongo.uri = await mongo.server.start()
    yield mongo
    await mongo.server.stop()


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [Mongo.step_down, Mongo.freeze])
async def test_a_store_in_trouble_acks_nothing_it_does_not_hold(
    mongo: Mongo, trouble: Callable[[Mongo], Awaitable[None]]
) -> None:  # req I4, acceptance 5, 6
    db = Database.connect(MongoSettings(uri=mongo.uri, prefix="failover"))
    await db.create_indexes(IM)
    town = Town()
    town.open_shop("S1", "agent-1")
    async with running(db, town) as node:
        people = [Person(node, "buyer-1"), Person(node, "agent-1", staff=True)]
        async with online(*people):
            c = await people[0].client.open("S1")
            await people[0].say(c, "before")
            over = asyncio.Event()

            async def chatter(person: Person) -> None:
                number = 0
                while not over.is_set():
                    await person.say(c, str(number))
                    number += 1
                    await asyncio.sleep(0.01)

            talking = [asyncio.create_task(chatter(person)) for person in people]
            await asyncio.sleep(0.5)
            await trouble(mongo)
            acked = sum(len(person.acked.get(c, ())) for person in people)
            await until(lambda: sum(len(person.acked[c]) for person in people) > acked + 20, 60)
            over.set()
            await asyncio.wait_for(asyncio.gather(*talking), 30)
            await judge(db, people, c)
            said = [text for text in people[0].texts(c) if text != "before"]
            assert len(said) == sum(len(person.acked[c]) for person in people) - 1  # each promise once, no more
    await db.close()


@pytest.mark.slow
async def test_a_head_that_is_rolled_back_under_two_living_nodes_leaves_neither_double_nor_hole(
    tmp_path: Path,
) -> None:  # req I4, acceptance 5
    """Three members. The primary writes what the others never get; one node knows it as its own on the way, the other
    as a number that is taken; then the primary dies and its head with it.
    """
    town = Town()
    town.open_shop("S1", "agent-1")
    bus = LocalBus()
    async with three(tmp_path) as replicas:
        db = Database.connect(MongoSettings(uri=replicas.uri, prefix="rolled"))
        await db.create_indexes(IM)
        async with running(db, town, bus=bus, name="a") as one, running(db, town, bus=bus, name="b") as two:
            people = [Person(one, "buyer-1"), Person(two, "agent-1", staff=True)]
            async with online(*people):
                c = await people[0].client.open("S1")
                for number in range(6):  # both nodes keep the tail by now
                    await people[number % 2].say(c, str(number))
                lost = await replicas.primary()
                others = [member for member in replicas.members if member is not lost]
                for member in others:
                    await member.replicating(on=False)
                saying = [asyncio.create_task(person.say(c, "on its way")) for person in people]
                unheld = await seen_by(lost, c, 7)
                await until(lambda: all(person.faults for person in people))  # no majority in time: who knows?
                await lost.kill()
                for member in others:
                    await member.replicating(on=True)
                await asyncio.wait_for(asyncio.gather(*saying), 60)
                for number in range(6):
                    await people[number % 2].say(c, f"after {number}")
                await lost.start()
                await replicas.whole()
                await asyncio.gather(*(person.say(c, "whole again") for person in people))
                await judge(db, people, c)
                rows = await store.page(db, c, 1, 99, 99, newest=False)
                assert [row.s for row in rows] == list(range(1, 17))  # each promise once, and no void among them
                assert {row.k for row in rows} == {"text"}
                assert unheld not in {row.id for row in rows}  # it was there, and is gone
                assert {fault.code for person in people for fault in person.faults} <= {
                    "core.unknown_outcome",
                    "core.busy",
                }
        await db.close()


async def seen_by(member: Member, c: str, s: int) -> str:
    """The id of the entry that this member holds, whatever the others do; waited for."""
    async with member.client() as client, asyncio.timeout(20):
        while True:
            for name in await client.list_database_names():
                if name.startswith("rolled"):
                    found = await client[name]["entries"].find_one({"c": c, "s": s})
                    if found is not None:
                        return str(found["_id"])
            await asyncio.sleep(0.05)
