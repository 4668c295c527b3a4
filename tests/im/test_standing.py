"""A session that is about to end while its socket is open: told in time, renewed in place, or over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec import structs

from octshop_rt.core.auth.model import SPANS, Audience, Buyer, Device
from octshop_rt.core.auth.sessions import OpenedSession
from octshop_rt.core.clock import MINUTE, SECOND, TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.client.client import ImClient
from tests.im.kit import FAST, Client, Node, Town, running

IDLE = SPANS[Audience.BUYER].idle


@pytest.fixture
async def node(db: Database, clock: TestClock) -> AsyncIterator[Node]:
    town = Town()
    town.open_shop("S1")
    async with running(db, town, clock=clock, policy=structs.replace(FAST, heartbeat_s=1)) as node:
        yield node


async def nearly_over(node: Node, clock: TestClock) -> OpenedSession:
    """Signed in long ago and idle since: 50 seconds are left."""
    opened = await node.sessions.open(Audience.BUYER, "buyer-1", Device(id="d", name="d"))
    clock.advance(IDLE - 50 * SECOND)
    return opened


async def test_a_client_renews_in_place_what_use_prolongs(node: Node, clock: TestClock) -> None:
    opened = await nearly_over(node, clock)
    tickets = 0

    async def ticket() -> str:
        """POST /ws-ticket: the first one before the door counted it as use, as a resumed socket has it."""
        nonlocal tickets
        tickets += 1
        who = await (
            node.sessions.by_session(opened.session.id)
            if tickets == 1
            else node.sessions.resolve(Audience.BUYER, opened.token)
        )
        assert isinstance(who, Buyer)
        return (await node.sessions.ticket(who)).ticket

    async with ImClient(f"ws://127.0.0.1:{node.port}/im", ticket=ticket, device="d") as client:
        c = await client.open("S1")
        first = client._resume
        async with asyncio.timeout(20):
            while tickets < 2 or client._resume == first:
                await asyncio.sleep(0.05)
        clock.advance(MINUTE)  # it would be over by now
        await asyncio.sleep(2.5)  # some heartbeats
        assert await client.say(c, "still here") == 1
        assert (tickets, client.reconnects) == (2, 0)
        resumed = await node.sessions.redeem_resume(client._resume)
        assert resumed is not None
        assert resumed.until > clock.now() + IDLE - 2 * MINUTE


async def test_who_does_not_renew_is_out_when_it_is_over(node: Node, clock: TestClock) -> None:
    opened = await nearly_over(node, clock)
    who = await node.sessions.by_session(opened.session.id)
    assert isinstance(who, Buyer)
    client = await Client().connect(node.port)
    await client.hello((await node.sessions.ticket(who)).ticket)
    told = await client.other(28, 10)
    assert (told["code"], told["retry"]) == ("im.token_expiring", True)
    assert client.closed is None
    clock.advance(MINUTE)
    assert await client.ended(10) == 4003
    assert client.others[-1]["code"] == "im.signed_out"
    await client.close()
