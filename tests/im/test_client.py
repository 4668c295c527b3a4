"""The shipped Python client: nothing lost, doubled or out of order over cuts, restarts, crashes and a draining node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octshop_rt.core.mongo import Database
from octshop_rt.im.client.client import Stopped
from octshop_rt.im.client.link import FrameRefused
from octshop_rt.im.client.outbox import Outbox, Unsent
from octshop_rt.im.client.track import Track
from octshop_rt.im.conversation import store
from octshop_rt.im.wire.codec import Encoding
from octshop_rt.im.wire.fields import Body
from octshop_rt.im.wire.outgoing import Ent
from tests.im.crowd import Person, until
from tests.im.kit import FAST, Node, Town, enter, running


@pytest.fixture
def town() -> Town:
    town = Town()
    town.open_shop("S1", "agent-1", "agent-2")
    return town


@pytest.fixture
async def node(db: Database, town: Town) -> AsyncIterator[Node]:
    async with running(db, town) as node:
        yield node


def ent(s: int) -> Ent:
    return Ent(c="C", s=s, id=f"E{s}", f="U", fr="buyer", m=f"m{s}", k="text", b=Body(text=str(s)), ts=1)


def test_a_track_lets_entries_leave_once_and_in_order():  # req I4
    track = Track()
    assert track.take([ent(7)]) == []
    assert track.hole() is None
    assert [one.s for one in track.begin([ent(4), ent(5)], 7)] == [4, 5]
    assert track.hole() == (6, 6)
    assert [one.s for one in track.take([ent(6), ent(5)])] == [6, 7]
    assert track.take([ent(6), ent(7)]) == []
    track.hear(9)
    assert track.hole() == (8, 9)


def test_an_outbox_outlives_its_process(tmp_path: Path):
    first = Outbox(tmp_path / "out.db")
    for number in range(3):
        first.put(Unsent(m=f"message-{number:012}", c="C1", k="text", b=Body(text=str(number))))
    first.put(Unsent(m="message-000000000001", c="C1", k="text", b=Body(text="1")))
    first.remove("message-000000000000")
    second = Outbox(tmp_path / "out.db")  # the first was never closed
    assert [one.b.text for one in second.all()] == ["1", "2"]


@pytest.mark.parametrize("encoding", list(Encoding))
async def test_two_clients_talk(node: Node, encoding: Encoding):  # req I4
    buyer, agent = Person(node, "buyer-1", encoding=encoding), Person(node, "agent-1", staff=True)
    async with buyer.client, agent.client:
        await agent.client.online()
        c = await buyer.client.open("S1")
        assert await buyer.client.say(c, "在吗") == 1
        await until(lambda: agent.texts(c) == ["在吗"])
        assert await agent.client.say(c, "在的") == 2
        await until(lambda: buyer.texts(c) == ["在吗", "在的"])


async def test_cuts_lose_and_double_nothing(node: Node, db: Database):  # req I4
    buyer, agent = Person(node, "buyer-1"), Person(node, "agent-1", staff=True)
    async with buyer.client, agent.client:
        await agent.client.online()
        c = await buyer.client.open("S1")

        async def talk(person: Person, name: str) -> None:
            for number in range(40):
                saying = asyncio.create_task(person.client.say(c, f"{name} {number}"))
                if number % 12 == 6:
                    await asyncio.sleep(0)  # it is on its way, and nobody knows how far it got
                    person.cut()
                await saying

        await asyncio.gather(talk(buyer, "b"), talk(agent, "a"))
        await until(lambda: len(buyer.shown) == len(agent.shown) == 80)
    rows = await store.page(db, c, 1, 1_000, 1_000, newest=False)
    assert [row.b.text for row in rows] == buyer.texts(c) == agent.texts(c)
    assert [row.b.text for row in rows if row.fr == "buyer"] == [f"b {number}" for number in range(40)]
    assert buyer.client.reconnects >= 3
    assert agent.client.reconnects >= 3


async def test_what_was_promised_before_a_crash_is_sent_after_it(node: Node, db: Database, tmp_path: Path):
    before = Person(node, "buyer-1", outbox=Outbox(tmp_path / "out.db"))
    async with before.client:
        c = await before.client.open("S1")
    kept = Outbox(tmp_path / "out.db")
    for number in range(3):
        kept.put(Unsent(m=f"message-{number:012}", c=c, k="text", b=Body(text=f"late {number}")))
    kept.close()
    after = Person(node, "buyer-1", outbox=Outbox(tmp_path / "out.db"))
    async with after.client:
        await until(lambda: after.client.waiting() == 0)
        await until(lambda: after.texts(c) == ["late 0", "late 1", "late 2"])
    rows = await store.page(db, c, 1, 10, 10, newest=False)
    assert [row.b.text for row in rows] == ["late 0", "late 1", "late 2"]
    assert Outbox(tmp_path / "out.db").all() == []


async def test_a_client_away_for_long_is_shown_everything_in_order(node: Node):
    buyer, agent = Person(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    async with buyer.client:
        c = await buyer.client.open("S1")
        await buyer.client.say(c, "hello")
        assert buyer.client._life is not None
        buyer.client._life.cancel()  # asleep: no socket, no reconnect
        buyer.cut()
        for number in range(150):
            await agent.say(c, str(number))
        buyer.client.start()
        await until(lambda: len(buyer.shown) == 151)
    assert buyer.texts(c) == ["hello", *map(str, range(150))]
    await agent.close()


async def test_a_draining_node_is_left_before_it_goes(db: Database, town: Town):  # P9
    async with running(db, town, name="a") as old, running(db, town, name="b") as new:
        buyer = Person(old, "buyer-1")
        async with buyer.client:
            c = await buyer.client.open("S1")
            await buyer.client.say(c, "1")
            buyer.move(new)
            draining = asyncio.create_task(old.im.drain(by_ms=10_000, spread_ms=200))
            for number in range(2, 30):
                assert await buyer.client.say(c, str(number)) == number
            await draining
            await until(lambda: new.im.connections == 1)
            assert buyer.client.reconnects == 0
            assert buyer.texts(c) == [str(number) for number in range(1, 30)]


async def test_a_refusal_for_good_is_told_and_a_limit_is_waited_for(db: Database, town: Town):
    from msgspec.structs import replace

    from octshop_rt.im.session import Rate

    async with running(db, town, policy=replace(FAST, send=Rate(20, 3))) as node:
        buyer = Person(node, "buyer-1")
        async with buyer.client:
            c = await buyer.client.open("S1")
            with pytest.raises(FrameRefused, match=r"im\.empty"):
                await buyer.client.say(c, " ")
            numbers = await asyncio.gather(*(buyer.client.say(c, str(number)) for number in range(10)))
            assert numbers == list(range(1, 11))


async def test_who_is_signed_out_stops(node: Node):
    buyer = Person(node, "buyer-1")
    async with buyer.client:
        await buyer.client.online()
        await node.sessions.revoke_person("buyer-1")
        with pytest.raises(Stopped):
            async with asyncio.timeout(20):
                node.town.gone.add("buyer-1")
                while True:
                    await buyer.client.online()
                    await asyncio.sleep(0.05)


async def test_an_edit_and_a_recall_reach_who_was_away(node: Node):  # req I3, acceptance 24
    buyer, agent = Person(node, "buyer-1"), Person(node, "agent-1", staff=True)
    async with buyer.client, agent.client:
        await agent.client.online()
        c = await buyer.client.open("S1")
        await buyer.client.say(c, "one")
        await buyer.client.say(c, "two")
        await until(lambda: len(agent.shown) == 2)
        assert agent.client._life is not None
        agent.client._life.cancel()
        agent.cut()
        await buyer.client.edit(c, 1, "eins")
        await buyer.client.recall(c, 2)
        agent.client.start()
        await until(lambda: len(agent.changed) == 2 and len(buyer.changed) == 2)
        for person in (agent, buyer):
            read = {ent.s: ent for ent in person.changed}
            assert (read[1].b.text, read[1].ed is not None) == ("eins", True)
            assert (read[2].b.text, read[2].rc is not None) == (None, True)


async def stored_mark(db: Database, c: str, u: str) -> int:
    return next((row.read_seq for row in await store.memberships(db, [c]) if row.u == u), 0)


async def test_what_was_read_while_the_line_was_down_is_marked_later(node: Node, db: Database):  # req I5
    buyer, agent = Person(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    async with buyer.client:
        c = await buyer.client.open("S1")
        await buyer.client.say(c, "hello")
        await agent.say(c, "hello")
        await until(lambda: len(buyer.shown) == 2)
        before = buyer.link
        buyer.cut()
        await until(lambda: buyer.client._link is not before)
        buyer.client.read(c, 2)  # nobody hears it
        await until(lambda: buyer.client._link is not None)
        async with asyncio.timeout(10):
            while await stored_mark(db, c, "buyer-1") != 2:
                await asyncio.sleep(0.05)
    await agent.close()


async def test_marks_over_the_limit_are_told_again(db: Database, town: Town):
    from msgspec.structs import replace

    from octshop_rt.im.session import Rate

    async with running(db, town, policy=replace(FAST, mark=Rate(2, 1))) as node:
        buyer = Person(node, "buyer-1")
        async with buyer.client:
            c = await buyer.client.open("S1")
            for number in range(1, 5):
                await buyer.client.say(c, str(number))
                buyer.client.read(c, number)
            async with asyncio.timeout(10):
                while await stored_mark(db, c, "buyer-1") != 4:
                    await asyncio.sleep(0.05)
