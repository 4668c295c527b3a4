"""Chat by polling: the same conversation as over a socket, over a network that cuts, and on several nodes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.mongo import Database
from octshop_rt.im.session import Policy, Rate
from tests.im.kit import Client, Closed, Node, Town, client_id, enter, running

SHORT = Policy(
    send=Rate(10_000, 10_000), send_staff=Rate(10_000, 10_000), mark=Rate(10_000, 10_000), pull=Rate(1_000, 1_000),
    sync=Rate(1_000, 1_000), op=Rate(1_000, 1_000), window=1_000, poll_hold_ms=1_000,
)  # fmt: skip


class Poller(Client):
    """The test client over polling: frames by POST, batches by GET."""

    def __init__(self) -> None:
        super().__init__("json")
        self.port = 0
        self.key = ""
        self.after = 0
        self.lose = 0  # so many answers to GET are lost on the way
        self.polls = 0
        self._http: aiohttp.ClientSession | None = None
        self._frames: list[dict[str, Any]] = []
        self._close: int | None = None

    async def connect(self, port: int, **_options: Any) -> Poller:
        self.port = port
        self._http = aiohttp.ClientSession()
        return self

    async def request(self, method: str, path: str = "", body: Any = None, **headers: str) -> tuple[int, Any]:
        assert self._http is not None
        if self.key:
            headers = {"Authorization": f"Bearer {self.key}"} | headers
        url = f"http://127.0.0.1:{self.port}/im/poll{path}"
        async with self._http.request(method, url, json=body, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else text

    async def raw(self, frame: Any) -> None:
        if not self.key:
            status, said = await self.request("POST", "", frame)
            assert status == 200, said
            self.key = said.get("key", "")
            self._heard(said)
            return
        status, said = await self.request("POST", "/frames", frame)
        if status == 410:
            raise Closed(said["close"], "gone")
        assert status == 204, said

    async def _next(self) -> dict[str, Any]:
        while not self._frames:
            if self._close is not None:
                raise Closed(self._close, "polled")
            self.polls += 1
            status, said = await self.request("GET", f"?after={self.after}")
            if status != 200:
                raise Closed(said.get("close", status), said["code"])
            if self.lose:
                self.lose -= 1
                continue
            self._heard(said)
        return self._frames.pop(0)

    def _heard(self, said: dict[str, Any]) -> None:
        self.after = said["n"]
        self._frames += said["f"]
        self._close = said.get("close")

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})
        if self._http is not None:
            await self._http.close()


async def poll(node: Node, person: str, *, staff: bool = False) -> Poller:
    """Signed in and welcomed, by polling."""
    poller = await Poller().connect(node.port)
    await poller.hello(await node.ticket(person, staff=staff))
    return poller


@pytest.fixture
def town() -> Town:
    town = Town()
    town.open_shop("S1", "agent-1")
    return town


@pytest.fixture
async def node(db: Database, town: Town) -> AsyncIterator[Node]:
    async with running(db, town, policy=SHORT) as node:
        yield node


async def test_a_buyer_who_polls_and_an_agent_on_a_socket_talk(node: Node):  # req I13
    buyer, agent = await poll(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    assert (await buyer.say(c, "在吗"))["s"] == 1
    assert await agent.sees(c, 1) == ["在吗"]
    await agent.say(c, "在的")
    assert await buyer.sees(c, 1) == ["在的"]
    await agent.raw({"t": 9, "c": c, "s": 1})
    assert (await buyer.other(21))["r"] == 1
    for client in (buyer, agent):
        await client.close()


async def test_an_answer_lost_on_the_way_comes_again_and_nothing_is_doubled(node: Node):
    buyer, agent = await poll(node, "buyer-1"), await enter(node, "agent-1", staff=True)
    c = await buyer.open("S1")
    await buyer.say(c, "0")
    buyer.lose = 5
    for n in range(1, 21):
        await agent.say(c, str(n))
    await buyer.until(lambda: len(buyer.log.get(c, {})) == 20, 10)
    assert buyer.lose == 0
    assert buyer.texts(c) == [str(n) for n in range(1, 21)]
    assert buyer.ents_received == 20
    for client in (buyer, agent):
        await client.close()


async def test_a_post_that_is_sent_again_is_recognised(node: Node):
    buyer = await poll(node, "buyer-1")
    c = await buyer.open("S1")
    m = client_id()
    first, again = await buyer.say(c, "一次", m), await buyer.say(c, "一次", m)
    assert (first["s"], again["s"], again["dup"]) == (1, 1, True)
    await buyer.close()


async def test_a_poll_waits_for_something_to_hear_and_a_newer_one_sends_it_home(node: Node):
    buyer = await poll(node, "buyer-1")
    assert buyer._reader is not None
    buyer._reader.cancel()
    older = asyncio.create_task(buyer.request("GET", f"?after={buyer.after}"))
    await asyncio.sleep(0)  # it is on its way first
    while node.im.connections != 1:
        await asyncio.sleep(0.01)
    newer = asyncio.create_task(buyer.request("GET", f"?after={buyer.after}"))
    done, _ = await asyncio.wait({older, newer}, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result()[1]["f"] for task in done] == [[]]
    await newer
    await buyer.close()


async def test_another_node_says_that_the_link_is_elsewhere_and_a_new_one_misses_nothing(db: Database, town: Town):
    bus = LocalBus()
    async with running(db, town, bus=bus, name="a", policy=SHORT) as one, running(db, town, bus=bus, name="b") as two:
        buyer, agent = await poll(one, "buyer-1"), await enter(two, "agent-1", staff=True)
        c = await buyer.open("S1")
        await buyer.say(c, "一")
        await agent.sees(c, 1)
        buyer.port = two.port  # the balancer sends the next request to the other node
        assert (await buyer.request("GET", "?after=0"))[0] == 409
        assert (await buyer.request("POST", "/frames", {"t": 30, "n": 1}))[0] == 409
        await agent.say(c, "二")
        moved = await poll(two, "buyer-1")
        await moved.sync({c: 1})
        assert moved.texts(c)[-1] == "二"  # what is pushed may repeat what was heard before
        for client in (buyer, agent, moved):
            await client.close()


async def test_a_bad_ticket_a_foreign_page_a_stranger_and_too_much_are_refused(node: Node):
    poller = await Poller().connect(node.port)
    hello = {"t": 1, "v": 1, "tok": "N0.bad", "dev": "d"}
    status, said = await poller.request("POST", "", hello)
    assert (status, said["close"], "key" in said) == (200, 4003, False)
    assert said["f"][0]["code"] == "im.signed_out"
    assert (await poller.request("POST", "", hello, Origin="http://evil.test"))[0] == 403
    assert (await poller.request("GET", "?after=0", Authorization=f"Bearer {node.im.boot}.guess"))[0] == 410
    assert (await poller.request("POST", "", hello | {"app": "x" * 5_000}))[0] == 413
    await poller.close()


async def test_a_session_that_ends_ends_its_poll(node: Node):
    buyer = await poll(node, "buyer-1")
    sessions = await node.sessions.of_person("buyer-1")
    await node.sessions.revoke(sessions[0].id)
    assert await buyer.ended() == 4003
    await buyer.close()


async def test_a_client_that_fetches_nothing_is_owed_numbers_not_frames(db: Database, town: Town):
    policy = Policy(send_staff=Rate(10_000, 10_000), window=1_000, soft_bytes=20_000, poll_hold_ms=500)
    async with running(db, town, policy=policy) as node:
        buyer, agent = await poll(node, "buyer-1"), await enter(node, "agent-1", staff=True)
        c = await buyer.open("S1")
        await buyer.say(c, "0")
        await agent.sees(c, 1)
        assert buyer._reader is not None
        buyer._reader.cancel()
        await asyncio.wait({buyer._reader})
        for n in range(100):
            await agent.say(c, f"{n}" + "长" * 300)
        _, said = await buyer.request("GET", f"?after={buyer.after}")
        assert len(json.dumps(said["f"], ensure_ascii=False).encode()) < 60_000
        assert len([frame for frame in said["f"] if frame["t"] == 20]) < 60
        gap: list[Any] = []
        for _ in range(20):
            _, more = await buyer.request("GET", f"?after={said['n']}")
            said = more if more["f"] else said
            if gap := [frame for frame in more["f"] if frame["t"] == 23]:
                break
        assert gap
        assert gap[0]["heads"] == {c: 101}
        for client in (buyer, agent):
            await client.close()


async def test_a_node_that_drains_asks_pollers_to_move_and_lets_them_go(node: Node):
    buyer = await poll(node, "buyer-1")
    draining = asyncio.create_task(node.im.drain(by_ms=1_500, spread_ms=100))
    assert (await buyer.other(33))["code"] == "im.draining"
    assert await buyer.ended() == 4010
    await draining
    await buyer.close()
