"""A MongoDB of its own that steps down and freezes under talk: no false ack, nothing lost, no hole shown."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from octshop_rt.embedded.mongod import EmbeddedMongo
from octshop_rt.im.conversation import store
from tests.im.crowd import Person, judge, online, until
from tests.im.kit import Town, running

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
