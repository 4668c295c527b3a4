"""Chat on one node over real sockets: acked is stored, numbered without gaps, said once, found by who comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.checks import CHECKS
from octshop_rt.im.wire.fields import Body, Context
from tests.im.kit import Client, Node, Town, client_id, enter, running


@pytest.fixture
def town() -> Town:
    town = Town()
    town.open_shop("S1", "agent-1", "agent-2")
    town.open_shop("S2", "agent-9")
    town.things["product", "G1"] = Body(id="G1", title="双人火锅", price_fen=16800)
    return town


@pytest.fixture
async def node(db: Database, town: Town) -> AsyncIterator[Node]:
    async with running(db, town) as node:
        yield node
        assert (await examine(db, CHECKS)).findings == ()


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
async def test_a_buyer_and_a_shop_talk(node: Node, db: Database, encoding: str):  # req 9
    buyer = await enter(node, "buyer-1", encoding=encoding)
    agent = await enter(node, "agent-1", staff=True)
    colleague = await enter(node, "agent-2", staff=True, encoding=encoding)
    c = await buyer.open("S1", ctx={"k": "product", "id": "G1", "title": "a title of the client's own"})
    begun = await store.conversation(db, c)
    assert begun is not None
    assert begun.ctx == Context(k="product", id="G1", title="双人火锅")
    assert await buyer.open("S1") == c
    sent = await buyer.say(c, "在吗?👋")
    assert (sent["t"], sent["s"]) == (4, 1)
    assert await agent.sees(c, 1) == ["在吗?👋"]
    assert (await agent.say(c, "在的"))["s"] == 2
    for client in (buyer, colleague):
        assert "在的" in await client.sees(c, 1)
    card = {
        "t": 5,
        "c": c,
        "m": client_id(),
        "k": "product",
        "b": {"id": "G1", "title": "a title of the client's own", "price_fen": 1},
    }
    assert (await agent.ask(card))["s"] == 3
    await buyer.until(lambda: 3 in buyer.log[c])
    assert buyer.log[c][3]["b"] == {"id": "G1", "title": "双人火锅", "price_fen": 16800}
    (row, *_) = await store.page(db, c, 1, 9, 9, newest=False)
    assert (row.b.text, row.f, row.fr) == ("在吗?👋", "buyer-1", "buyer")
    for client in (buyer, agent, colleague):
        await client.close()


async def test_the_sender_gets_sent_and_its_other_devices_get_the_entry(node: Node):
    one = await enter(node, "buyer-1")
    two = await enter(node, "buyer-1")
    c = await one.open("S1")
    await one.say(c, "hi")
    assert await two.sees(c, 1) == ["hi"]
    assert c not in one.log
    await asyncio.gather(one.close(), two.close())


async def test_a_crowd_of_repeated_messages_gets_its_old_numbers(node: Node, db: Database):  # req I4, acceptance 2
    buyer = await enter(node, "buyer-1")
    c = await buyer.open("S1")
    names = [client_id() for _ in range(60)]
    first = await asyncio.gather(*(buyer.say(c, m, m) for m in names))
    fresh = [client_id() for _ in range(5)]
    again = await asyncio.gather(*(buyer.say(c, m, m) for m in [*names[:30], *fresh, *names[30:]]))
    repeated = [*again[:30], *again[35:]]
    assert [(one["s"], one["dup"]) for one in repeated] == [(one["s"], True) for one in first]
    assert [one["s"] for one in again[30:35]] == [61, 62, 63, 64, 65]
    assert await store.tail(db, c) == 65
    await buyer.close()


async def test_the_same_client_id_never_makes_two(node: Node, db: Database):
    buyer = await enter(node, "buyer-1")
    c = await buyer.open("S1")
    m = client_id()
    first = await buyer.say(c, "hi", m)
    again = await buyer.say(c, "hi", m)
    assert (again["s"], again["ts"], again["dup"]) == (first["s"], first["ts"], True)
    other = await buyer.say(c, "something else", m)
    assert (other["t"], other["code"], other["retry"], other["m"]) == (28, "im.idem_conflict", False, m)
    assert (await buyer.say(c, "next"))["s"] == 2
    assert len(await store.page(db, c, 1, 99, 99, newest=False)) == 2
    await buyer.close()


async def test_fifty_at_once_of_one_message_make_one_entry(node: Node, db: Database):
    buyer = await enter(node, "buyer-1")
    c = await buyer.open("S1")
    m = client_id()
    answers = await asyncio.gather(*(buyer.say(c, "hi", m) for _ in range(50)))
    assert {(answer["t"], answer["s"]) for answer in answers} == {(4, 1)}
    assert len(await store.page(db, c, 1, 99, 99, newest=False)) == 1
    await buyer.close()


async def test_a_burst_keeps_the_sender_order_and_has_no_gaps(node: Node):
    buyer = await enter(node, "buyer-1")
    agent = await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    answers = await asyncio.gather(
        *(buyer.say(c, f"b{n}") for n in range(120)), *(agent.say(c, "a") for _ in range(60))
    )
    assert sorted(answer["s"] for answer in answers) == list(range(1, 181))
    assert [answer["s"] for answer in answers[:120]] == sorted(answer["s"] for answer in answers[:120])
    await agent.sees(c, 120)
    await asyncio.gather(buyer.close(), agent.close())


async def test_who_comes_back_catches_up(node: Node):
    buyer = await enter(node, "buyer-1")
    agent = await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    await buyer.say(c, "one")
    await agent.sees(c, 1)
    buyer.cut()
    for n in range(30):
        await agent.say(c, f"reply {n}")
    back = await enter(node, "buyer-1")
    (conversation,) = await back.sync({c: 1}, per=10)
    assert (conversation["head"], conversation["unread"], conversation["more"]) == (31, 30, True)
    assert conversation["peer"] == {"id": "S1", "name": "店 S1"}
    assert [ent["s"] for ent in conversation["ents"]] == list(range(22, 32))
    page = await back.pull(c, **{"from": 2, "to": 21, "n": 200})
    assert ([ent["s"] for ent in page["ents"]], page["head"]) == (list(range(2, 22)), 31)
    assert await back.sync({c: 31}) and back.texts(c)[-1] == "reply 29"
    await asyncio.gather(back.close(), agent.close(), buyer.close())


async def test_resume_needs_no_ticket(node: Node):
    buyer = await enter(node, "buyer-1", dev="d1")
    token = buyer.welcome["tok"]
    buyer.cut()
    back = await (await Client().connect(node.port)).hello(token, "d1")
    assert back.welcome["resumed"] is True
    assert back.welcome["uid"] == "buyer-1"
    await asyncio.gather(back.close(), buyer.close())


async def test_read_marks_grow_and_are_told(node: Node):
    buyer = await enter(node, "buyer-1")
    agent = await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    await buyer.say(c, "one")
    await buyer.say(c, "two")
    await agent.raw({"t": 9, "c": c, "s": 99})  # never beyond the log
    cursor = await buyer.other(21)
    assert cursor == {"t": 21, "c": c, "u": "agent-1", "fr": "staff", "r": 2}
    await agent.raw({"t": 9, "c": c, "s": 1})  # never back
    await agent.raw({"t": 7, "d": {c: 99}})  # nor this one
    assert (await buyer.other(21))["d"] == 2
    colleague = await enter(node, "agent-2", staff=True)
    await colleague.raw({"t": 7, "d": {c: 2}})  # told already: a thousand agents are not a thousand marks
    await buyer.say(c, "three")
    await colleague.raw({"t": 7, "d": {c: 3}})
    assert await buyer.other(21) == {"t": 21, "c": c, "u": "agent-2", "fr": "staff", "d": 3}
    await buyer.raw({"t": 7, "d": {c: 3}})
    assert (await colleague.other(21))["fr"] == "buyer"  # nothing of one's own side came before
    await colleague.close()
    (mine,) = await agent.sync()
    assert (mine["read"], mine["unread"]) == (2, 1)
    (theirs,) = await buyer.sync()
    assert theirs["peer_read"] == 2
    await asyncio.gather(buyer.close(), agent.close())


async def test_typing_passes_and_is_not_stored(node: Node, db: Database):
    buyer = await enter(node, "buyer-1")
    agent = await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    await agent.raw({"t": 15, "c": c, "k": "typing"})
    assert await buyer.other(22) == {"t": 22, "c": c, "u": "agent-1", "fr": "staff", "k": "typing"}
    assert await store.tail(db, c) == 0
    await asyncio.gather(buyer.close(), agent.close())


async def test_a_message_after_one_that_never_came_is_held_back(node: Node):
    buyer = await enter(node, "buyer-1")
    c = await buyer.open("S1")
    refused = await buyer.say(c, "second", p=client_id())
    assert (refused["code"], refused["retry"]) == ("im.prev_missing", True)
    first = client_id()
    both = await asyncio.gather(buyer.say(c, "first", first), buyer.say(c, "second", p=first))
    assert [answer["s"] for answer in both] == [1, 2]
    await buyer.close()


@pytest.mark.parametrize("text", ["", "  \n ", None])
async def test_nothing_is_not_a_message(node: Node, text: str | None):
    buyer = await enter(node, "buyer-1")
    c = await buyer.open("S1")
    refused = await buyer.ask(
        {"t": 5, "c": c, "m": client_id(), "k": "text", "b": {} if text is None else {"text": text}}
    )
    assert refused["code"] == "im.empty"
    for k, b, code in (
        ("order", {}, "im.bad_card"),
        ("order", {"id": "O1"}, "im.no_such_thing"),
        ("image", {}, "im.no_file_named"),
    ):
        assert (await buyer.ask({"t": 5, "c": c, "m": client_id(), "k": k, "b": b}))["code"] == code
    assert (await buyer.ask({"t": 17, "op": "open", "a": {"shop_id": "S-none"}}))["code"] == "im.no_shop"
    await buyer.close()


async def test_errors_speak_the_persons_language(node: Node):
    tickets = [await node.ticket("buyer-1"), await node.ticket("buyer-1")]
    chinese = await (await Client().connect(node.port)).hello(tickets[0], lang="zh-CN")
    english = await (await Client().connect(node.port)).hello(tickets[1], lang="en-GB")
    for client, word in ((chinese, "会话不存在"), (english, "no such conversation")):
        assert word in (await client.say("C404", "hi"))["msg"]
    await asyncio.gather(chinese.close(), english.close())


async def test_a_staff_list_shows_every_conversation_of_the_shop_page_by_page(node: Node):
    buyers = [await enter(node, f"buyer-{n}") for n in range(7)]
    for client in buyers:
        await client.say(await client.open("S1"), f"from {client.welcome['uid']}")
    await buyers[0].open("S2")
    agent = await enter(node, "agent-1", staff=True)
    found = await agent.sync(lim=3)
    assert {one["peer"]["name"] for one in found} == {f"顾客 buyer-{n}" for n in range(7)}
    assert all(one["unread"] == 1 and one["shop_id"] == "S1" for one in found)
    await asyncio.gather(agent.close(), *(client.close() for client in buyers))
