"""When the store is slow: what would wait too long is refused with a word of when to come back, and let in again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.admission import Admission
from octshop_rt.im.wire.fields import Body
from tests.im.crowd import Person, judge, online
from tests.im.kit import Town, client_id, enter, running

SLOW_MS = 2_000


def test_many_may_wait_while_writes_are_quick() -> None:
    admission = Admission(writes=2, most=256)
    admission.wrote(20)
    assert admission.after_ms(20_000, 20) == 0  # 40 writes of 20 ms


def test_few_may_always_wait_or_nobody_would_find_out_that_it_is_quick_again() -> None:
    admission = Admission(writes=2, most=256)
    assert admission.after_ms(511, 60_000) == 0


def test_a_write_that_hangs_counts_before_it_ends() -> None:
    admission = Admission(writes=2, most=256)
    admission.wrote(5)
    assert admission.after_ms(600, 1_000) == 0
    assert 2_000 < admission.after_ms(600, 3_000) <= 5_000
    assert admission.refused == 1


def test_a_peak_is_forgotten_slowly() -> None:
    admission = Admission(writes=2, most=256)
    admission.wrote(4_000)
    assert admission.after_ms(512, 0)
    admission.wrote(10)
    assert admission.after_ms(512, 0)  # one quick write proves little
    for _ in range(5):
        admission.wrote(10)
    assert not admission.after_ms(512, 0)


@pytest.fixture
async def slow_store(mongo_uri: str, db: Database) -> AsyncIterator[Any]:
    """A context in which every insert of this program takes two seconds."""
    async with AsyncMongoClient[dict[str, Any]](mongo_uri) as client:

        async def set_to(mode: Any) -> None:
            await client.admin.command(
                "configureFailPoint", "failCommand", mode=mode,
                data={"failCommands": ["insert"], "appName": "octshop-rt", "blockConnection": True,
                      "blockTimeMS": SLOW_MS},
            )  # fmt: skip

        @contextlib.asynccontextmanager
        async def slow() -> AsyncGenerator[None]:
            await set_to("alwaysOn")
            try:
                yield
            finally:
                await set_to("off")

        yield slow


async def test_a_slow_store_refuses_what_would_wait_too_long_and_lets_go(
    db: Database, slow_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # req I4, acceptance 6
    town = Town()
    town.open_shop("S1", "agent-1")
    async with running(db, town) as node:
        appender = node.im.conversations.appender
        monkeypatch.setattr(appender, "_most", 4)
        monkeypatch.setattr(appender, "admission", Admission(writes=2, most=4))
        buyer, agent = await enter(node, "buyer-1"), Person(node, "agent-1", staff=True)
        async with online(agent):
            c = await buyer.open("S1")
            ids = [client_id() for _ in range(60)]
            async with slow_store():
                asked = [asyncio.create_task(buyer.say(c, str(n), m)) for n, m in enumerate(ids[:20])]
                await asyncio.sleep(3)  # the first write has taken its two seconds, the second is on its way
                event = asyncio.create_task(
                    node.im.conversations.say(c, fr="system", f="desk", m=client_id(), k="event", b=Body(ev="ended"))
                )  # the house has no outbox: its words wait
                late = await asyncio.gather(*(buyer.say(c, str(n), m) for n, m in enumerate(ids[20:], 20)))
                busy = [answer for answer in late if answer["t"] == 28]
                assert {(answer["code"], answer["retry"]) for answer in busy} == {("core.busy", True)}
                assert all(500 <= answer["after"] <= 7_500 for answer in busy)
                assert len(busy) >= 20
                assert appender.admission.refused == len(busy)
                insisting = asyncio.create_task(agent.say(c, "from an outbox"))
            acked = [answer for answer in await asyncio.gather(*asked) if answer["t"] == 4]
            acked += [answer for answer in late if answer["t"] == 4]
            numbers = {row.m: row.s for row in await store.page(db, c, 1, 999, 999, newest=False)}
            assert all(numbers[answer["m"]] == answer["s"] for answer in acked)  # no false ack
            assert not {answer["m"] for answer in busy} & set(numbers)  # refused means: nothing happened
            async with asyncio.timeout(30):
                assert (await event).entry.s
                await insisting  # the client came back by itself
                for number, m in enumerate(ids):
                    while (await buyer.say(c, str(number), m))["t"] != 4:
                        await asyncio.sleep(0.1)
            assert appender.waiting == 0
            await judge(db, [agent], c)
        await buyer.close()
