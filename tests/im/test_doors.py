"""Who may: the door of the socket, and every frame asked by strangers, other shops and people without the right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import websockets

from octshop_rt.core.auth.model import Admin, Audience, Device, Right
from octshop_rt.core.bus import Notice, notify
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store
from octshop_rt.im.session import Policy, Rate
from tests.im.kit import OWN, Client, Closed, Node, Town, client_id, enter, running


@pytest.fixture
def town() -> Town:
    town = Town()
    town.open_shop("S1", "agent-1")
    town.open_shop("S2", "agent-2")
    town.hire("clerk-1", "S1", frozenset({Right.REDEEM, Right.ORDERS}))
    return town


@pytest.fixture
async def node(db: Database, town: Town) -> AsyncIterator[Node]:
    async with running(db, town) as node:
        yield node


# --- the door ---------------------------------------------------------------------------------------------------------


async def refusal(node: Node, **options) -> int:
    """With which status the door refuses."""
    with pytest.raises(websockets.InvalidStatus) as refused:
        await Client().connect(node.port, **options)
    return refused.value.response.status_code


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.test",
        "null",
        "http://shop.test.evil.test",
        "http://evilshop.test",
        "https://shop.test",
        "http://shop.test:81",
    ],
)
async def test_a_page_of_another_site_opens_no_socket(node: Node, origin: str):  # req 8
    assert await refusal(node, origin=origin) == 403
    assert node.im.connections == 0


async def test_our_own_page_and_programs_open_one(node: Node):
    for options in ({"origin": OWN}, {}):
        client = await Client().connect(node.port, **options)
        await client.hello(await node.ticket("buyer-1"))
        assert node.im.connections == 1
        await client.close()


async def test_an_unknown_subprotocol_is_refused(node: Node):
    with pytest.raises(websockets.InvalidStatus) as refusal:
        await websockets.connect(f"ws://127.0.0.1:{node.port}/im", subprotocols=[websockets.Subprotocol("chat")])
    assert refusal.value.response.status_code == 400


async def close_code(client: Client) -> int:
    assert client.ws is not None
    with pytest.raises(websockets.ConnectionClosed) as end:
        while True:
            await asyncio.wait_for(client.ws.recv(), 8)
    return end.value.rcvd.code if end.value.rcvd else 1006


@pytest.mark.parametrize("token", ["nonsense", "N0.nonsense", ".", "x" * 3_000])
async def test_a_bad_token_is_told_and_closed(node: Node, token: str):
    client = await Client().connect(node.port)
    await client.raw({"t": 1, "v": 1, "tok": token, "dev": "d"})
    assert client.ws is not None
    assert await close_code(client) == 4003


async def test_a_ticket_opens_one_socket_once_and_no_admin(node: Node):
    ticket = await node.ticket("buyer-1")
    client = await (await Client().connect(node.port)).hello(ticket)
    again = await Client().connect(node.port)
    await again.raw({"t": 1, "v": 1, "tok": ticket, "dev": "d"})
    assert await close_code(again) == 4003
    opened = await node.sessions.open(Audience.PLATFORM, "boss", Device(id="d", name="d"))
    admin = await node.sessions.by_session(opened.session.id)
    assert isinstance(admin, Admin)
    third = await Client().connect(node.port)
    await third.raw({"t": 1, "v": 1, "tok": (await node.sessions.ticket(admin)).ticket, "dev": "d"})
    assert await close_code(third) == 4003
    await client.close()


async def test_no_hello_no_socket(db: Database, town: Town):
    async with running(db, town, policy=Policy(hello_ms=300)) as node:
        silent = await Client().connect(node.port)
        assert await close_code(silent) == 4001


async def test_unknown_connections_of_one_address_are_bounded(db: Database, town: Town):
    async with running(db, town, policy=Policy(unknown_per_ip=3, hello_ms=2_000)) as node:
        waiting = [await Client().connect(node.port) for _ in range(3)]
        assert await refusal(node) == 503
        await waiting[0].hello(await node.ticket("buyer-1"))
        await enter(node, "buyer-2")
        assert node.im.connections == 2
        await asyncio.gather(*(client.close() for client in waiting))


async def test_a_person_has_at_most_ten_sockets(node: Node):
    clients = [await enter(node, "buyer-1") for _ in range(10)]
    eleventh = await Client().connect(node.port)
    await eleventh.raw({"t": 1, "v": 1, "tok": await node.ticket("buyer-1"), "dev": "d11"})
    assert await close_code(eleventh) == 4005
    assert all(client.closed is None for client in clients)
    await asyncio.gather(*(client.close() for client in clients))


async def test_a_silent_socket_gives_way_to_a_new_one(db: Database, town: Town):
    async with running(db, town, policy=Policy(heartbeat_s=1, grace_ms=1_000, links_buyer=2)) as node:
        cut = await enter(node, "buyer-1")
        cut.auto_pong = False
        alive = await enter(node, "buyer-1")
        await asyncio.sleep(2.2)
        new = await enter(node, "buyer-1")
        assert await cut.ended() == 4007
        assert (alive.closed, new.closed) == (None, None)
        await asyncio.gather(cut.close(), alive.close(), new.close())


async def test_every_frame_before_hello_closes(node: Node):
    for frame in (
        {"t": 5, "i": 1, "c": "C1", "m": client_id(), "k": "text", "b": {"text": "x"}},
        {"t": 11, "i": 1},
        {"t": 30, "n": 1},
    ):
        client = await Client().connect(node.port)
        await client.raw(frame)
        assert await close_code(client) == 4002


# --- every frame ------------------------------------------------------------------------------------------------------


def frames_about(c: str) -> list[dict]:
    return [
        {"t": 5, "c": c, "m": client_id(), "k": "text", "b": {"text": "x"}},
        {"t": 13, "c": c, "from": 1},
    ]


@pytest.mark.parametrize(
    ("person", "staff"),
    [("buyer-2", False), ("agent-2", True), ("clerk-1", True), ("agent-1", False), ("buyer-1", True)],
)
async def test_outsiders_get_nothing_by_any_frame(node: Node, db: Database, person: str, staff: bool):  # req 7, AU2
    buyer = await enter(node, "buyer-1")
    c = await buyer.open("S1")
    await buyer.say(c, "between us")
    stranger = await enter(node, person, staff=staff)
    for frame in frames_about(c):
        answer = await stranger.ask(frame)
        assert (answer["t"], answer["code"], answer["retry"]) == (28, "im.no_conversation", False)
        missing = await stranger.ask({**frame, "c": "C404"})
        assert {**missing, "i": 0, "c": "", "m": ""} == {**answer, "i": 0, "c": "", "m": ""}  # foreign looks missing
    for silent in ({"t": 9, "c": c, "s": 1}, {"t": 7, "d": {c: 1}}, {"t": 15, "c": c, "k": "typing"}):
        await stranger.raw(silent)
    page = await stranger.ask({"t": 11, "heads": {c: 0}})
    assert (page["convs"], page["gone"]) == ([], [c])
    await buyer.say(c, "still between us")
    await asyncio.sleep(0.1)
    assert stranger.log == {}
    assert buyer.others == []
    assert {row.u for row in await store.memberships(db, [c])} == {"buyer-1"}
    assert await store.tail(db, c) == 2
    await asyncio.gather(buyer.close(), stranger.close())


async def test_staff_do_not_open_conversations(node: Node):
    agent = await enter(node, "agent-1", staff=True)
    assert (await agent.ask({"t": 17, "op": "open", "a": {"shop_id": "S1"}}))["code"] == "im.buyers_open"
    await agent.close()


async def test_a_lost_right_is_lost_on_the_open_socket(node: Node, town: Town):
    buyer = await enter(node, "buyer-1")
    agent = await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    await buyer.say(c, "one")
    await agent.sees(c, 1)
    town.grants["agent-1"] = ()
    await node.sessions.rights_changed("agent-1")
    await buyer.say(c, "two")
    assert await agent.ended() == 4010
    assert agent.texts(c) == ["one"]
    await asyncio.gather(buyer.close(), agent.close())


async def test_what_the_bus_did_not_tell_the_heartbeat_finds(db: Database, town: Town):
    async with running(db, town, policy=Policy(heartbeat_s=1)) as node:
        buyer = await enter(node, "buyer-1")
        town.gone.add("buyer-1")
        for doubt in list(node.bus._gap):  # type: ignore[attr-defined]
            doubt()
        assert await buyer.ended(8) == 4003
        await buyer.close()


async def test_auth_renews_the_same_person_only(node: Node):
    buyer = await enter(node, "buyer-1")
    assert (await buyer.ask({"t": 3, "tok": await node.ticket("buyer-1")}))["t"] == 27
    assert (await buyer.ask({"t": 3, "tok": await node.ticket("buyer-2")}))["code"] == "im.signed_out"
    await buyer.close()


async def test_notices_reach_those_who_may_watch(node: Node, town: Town):  # req 13
    town.watchable.add(("agent-1", "till", "T1"))
    watcher = await enter(node, "agent-1", staff=True)
    other = await enter(node, "agent-2", staff=True)
    assert (await watcher.ask({"t": 19, "k": "till", "ids": ["T1"], "on": True}))["t"] == 27
    assert (await other.ask({"t": 19, "k": "till", "ids": ["T1"], "on": True}))["code"] == "im.may_not_watch"
    await notify(node.bus, Notice(topic="till", id="T1", rev=3, d={"state": "paid"}))
    assert await watcher.other(35) == {"t": 35, "topic": "till", "id": "T1", "rev": 3, "d": {"state": "paid"}}
    await watcher.ask({"t": 19, "k": "till", "ids": ["T1"], "on": False})
    await notify(node.bus, Notice(topic="till", id="T1", rev=4))
    await asyncio.sleep(0.1)
    assert watcher.others == [] == other.others
    await asyncio.gather(watcher.close(), other.close())


async def test_the_rates_hold_and_say_when(db: Database, town: Town):
    async with running(db, town, policy=Policy(send=Rate(5, 3), abuse=5)) as node:
        buyer = await enter(node, "buyer-1")
        c = await buyer.open("S1")
        answers = [await buyer.say(c, "x") for _ in range(5)]
        assert [answer["t"] for answer in answers] == [4, 4, 4, 28, 28]
        assert answers[3]["code"] == "im.rate_limited"
        assert answers[3]["retry"] is True
        assert 0 < answers[3]["after"] <= 200
        with pytest.raises(Closed) as end:
            for _ in range(9):
                await buyer.say(c, "x")
        assert end.value.code == 4009
        await buyer.close()
