"""Proves that slow clients keep nobody out: bodies that never come, silent connections, clients that leave."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from octshop_rt.commerce.api.channel import ChannelApi, notice_path
from octshop_rt.commerce.payment.settle import Accounts
from octshop_rt.core.http import wire
from octshop_rt.core.http.edge import Edge
from octshop_rt.core.http.load import Load
from octshop_rt.core.http.origin import ClientAddress, Origins
from octshop_rt.core.http.server import LOAD, runner
from octshop_rt.core.http.wire import MOST_EACH, Runner
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import HttpSettings
from tests.http.city import City, running

HEAD = b"POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
STUCK = HEAD + b"Content-Length: 12\r\n\r\n"
WHOLE = STUCK + b'{"text":"a"}'
PHONES = 30


class Line:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def status(self) -> int:
        """Of the next answer; 0 if the connection ends without one."""
        async with asyncio.timeout(10):
            try:
                line = await self.reader.readline()
            except ConnectionError:
                return 0
        return int(line.split()[1]) if line else 0


@contextlib.asynccontextmanager
async def lines(port: int) -> AsyncGenerator[Any]:
    """Opens raw connections, and ends them all."""
    opened: list[Line] = []

    async def dial(data: bytes) -> Line:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        opened.append(Line(reader, writer))
        return opened[-1]

    try:
        yield dial
    finally:
        for line in opened:
            line.writer.transport.abort()
        for line in opened:
            with contextlib.suppress(OSError):
                await line.writer.wait_closed()


async def until(true: Any) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_crowd_that_sends_no_bodies_keeps_nobody_out(city: City) -> None:
    load = city.app[LOAD]
    load.most_at_work = 5
    async with lines(city.port) as dial:
        for _ in range(50):
            await dial(STUCK)
        await until(lambda: load.reading == 50)
        assert load.at_work == 0
        for _ in range(3):
            async with city.client.get(f"{city.api}/echo") as answer:
                assert answer.status == 200
            assert await (await dial(WHOLE)).status() == 200
    await until(lambda: load.reading == 0)


async def test_one_address_has_so_many_bodies_on_their_way_and_others_have_theirs(db: Database) -> None:
    http = HttpSettings(public_url="http://shop.test", proxies=("127.0.0.0/8",))
    async with running(db, http=http) as city, lines(city.port) as dial:
        load = city.app[LOAD]
        load.reading_each = 4
        waiting = [await dial(HEAD + b"X-Forwarded-For: 203.0.113.9\r\nContent-Length: 12\r\n\r\n") for _ in range(4)]
        await until(lambda: load.reading == 4)
        refused = await dial(HEAD + b"X-Forwarded-For: 203.0.113.9\r\nContent-Length: 12\r\n\r\n")
        assert await refused.status() == 429
        # what comes whole waits for nothing, so it needs no place
        here = HEAD + b'X-Forwarded-For: 203.0.113.9\r\nContent-Length: 12\r\n\r\n{"text":"a"}'
        assert await (await dial(here)).status() == 200
        other = await dial(HEAD + b"X-Forwarded-For: 203.0.113.10\r\nContent-Length: 12\r\n\r\n")
        await until(lambda: load.reading == 5)
        for line in (other, *waiting):
            line.writer.write(b'{"text":"a"}')
            assert await line.status() == 200
        assert load.reading == 0


async def test_of_all_bodies_the_one_that_lasts_longest_gives_way(city: City) -> None:
    load = city.app[LOAD]
    load.most_reading = 2
    async with lines(city.port) as dial:
        first, second = await dial(STUCK), None
        await until(lambda: load.reading == 1)
        second = await dial(STUCK)
        await until(lambda: load.reading == 2)
        third = await dial(STUCK)
        assert await first.status() == 408
        for line in (second, third):
            line.writer.write(b'{"text":"a"}')
            assert await line.status() == 200


async def test_a_body_that_arrives_at_a_full_house_is_sent_away(city: City) -> None:
    load = city.app[LOAD]
    async with lines(city.port) as dial:
        line = await dial(STUCK)
        await until(lambda: load.reading == 1)
        load.most_at_work = 0
        line.writer.write(b'{"text":"a"}')
        assert await line.status() == 503
    assert load.at_work == 0


def test_a_shop_s_phones_are_far_below_what_one_address_may() -> None:
    six_connections = 6  # a browser's most
    assert Load().reading_each >= PHONES * 2
    assert PHONES * (six_connections + 2) <= MOST_EACH


class Nobody:
    """Stands for the inbox."""

    async def take(self, account_id: str, headers: Any, body: bytes) -> None: ...


async def test_a_notice_for_no_account_of_ours_is_refused_before_it_is_read(db: Database) -> None:
    nobody: Any = Nobody()
    extra = ChannelApi(nobody, Accounts({"default": nobody})).routes()
    async with running(db, extra=extra) as city, lines(city.port) as dial:
        for account, waits in (("nobody", False), ("default", True)):
            path = f"/api/v1{notice_path(account)}"
            line = await dial(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n".encode())
            if waits:
                await until(lambda: city.app[LOAD].reading == 1)
                line.writer.write(b"{}")
                assert await line.status() == 204
            else:
                assert await line.status() == 409  # no such account
                assert city.app[LOAD].reading == 0


async def test_an_upgrade_header_hides_nothing(city: City) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
    async with city.client.get(f"{city.api}/echo", headers=headers) as answer:
        assert answer.status == 200
    async with city.client.get(f"{city.url}/metrics") as answer:
        assert 'route="/api/v1/echo",status="200"} 1.0' in await answer.text()
    city.app[LOAD].most_at_work = 0
    async with city.client.get(f"{city.api}/echo", headers=headers) as answer:
        assert answer.status == 503


async def test_a_client_that_leaves_in_mid_body_is_one_line(city: City, capsys: pytest.CaptureFixture[str]) -> None:
    async with lines(city.port) as dial:
        line = await dial(STUCK)
        await until(lambda: city.app[LOAD].reading == 1)
        line.writer.transport.abort()
        await until(lambda: city.app[LOAD].reading == 0)
        async with city.client.get(f"{city.api}/echo") as answer:
            assert answer.status == 200
    told = capsys.readouterr()
    left = [one for one in (told.out + told.err).splitlines() if "client left" in one]
    assert len(left) == 1
    assert "/api/v1/echo" in left[0]
    assert "Traceback" not in told.out + told.err
    assert "escaped" not in told.out + told.err


async def test_a_stop_waits_for_no_body(city: City) -> None:
    async with lines(city.port) as dial:
        stuck = [await dial(STUCK) for _ in range(3)]
        await until(lambda: city.app[LOAD].reading == 3)
        began = time.monotonic()
        city.app[LOAD].close()
        assert [await line.status() for line in stuck] == [408] * 3
        assert time.monotonic() - began < 5
        assert await (await dial(STUCK)).status() == 503  # and for no new one


# --- connections ------------------------------------------------------------------------------------------------------


class House:
    """A server without a database: an answer at once, one that waits for the gate, a socket."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.inside = 0
        self.app = web.Application()
        self.app.router.add_get("/", self.page)
        self.app.router.add_get("/gate", self.wait)
        self.app.router.add_get("/big", self.big)
        self.app.router.add_get("/socket", self.socket)
        self.port = 0

    async def page(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text="here")

    async def big(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(body=bytes(32 << 20))

    async def wait(self, _request: web.Request) -> web.StreamResponse:
        self.inside += 1
        await self.gate.wait()
        return web.Response(text="late")

    async def socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket


@contextlib.asynccontextmanager
async def standing(
    *, most_each: int = 1_000, most: int = 1_000, proxies: tuple[str, ...] = ()
) -> AsyncGenerator[House]:
    house = House()
    served = Runner(house.app, address=ClientAddress(proxies), most_each=most_each, most=most, shutdown_timeout=1)
    await served.setup()
    site = web.TCPSite(served, "127.0.0.1", 0)
    await site.start()
    house.port = site.port
    yield house
    house.gate.set()
    await served.cleanup()


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(("bound", "proxies"), [("most_each", ()), ("most", ()), ("most", ("127.0.0.1",))])
async def test_connections_that_ask_nothing_give_way_to_who_asks(bound: Any, proxies: tuple[str, ...]) -> None:
    async with standing(**{bound: 4}, proxies=proxies) as house, lines(house.port) as dial:
        silent = [await dial(b""), await dial(b"GET / HTTP/1.1\r\nX-Drip: "), await dial(b"")]
        working = await dial(b"GET /gate HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: house.inside == 1)
        for one in silent:  # the oldest first
            assert await (await dial(GET)).status() == 200
            assert await one.status() == 0
        house.gate.set()
        assert await working.status() == 200  # whoever is being served is let be


async def test_when_all_are_being_served_the_newest_is_turned_away() -> None:
    async with standing(most_each=2) as house, lines(house.port) as dial:
        working = [await dial(b"GET /gate HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(2)]
        await until(lambda: house.inside == 2)
        assert await (await dial(GET)).status() == 0
        house.gate.set()
        assert [await line.status() for line in working] == [200, 200]


async def test_a_proxy_s_connections_are_not_one_client_s() -> None:
    async with standing(most_each=2, proxies=("127.0.0.1",)) as house, lines(house.port) as dial:
        silent = [await dial(b"") for _ in range(6)]
        assert await (await dial(GET)).status() == 200
        for line in silent:
            line.writer.write(GET)
            assert await line.status() == 200


async def test_sockets_are_not_counted_against_their_address() -> None:
    async with standing(most_each=2, most=6) as house, aiohttp.ClientSession() as client, lines(house.port) as dial:
        url = f"http://127.0.0.1:{house.port}"
        sockets = [await client.ws_connect(f"{url}/socket") for _ in range(5)]
        for _ in range(3):  # silent ones make room for the next, sockets are let be
            await dial(b"")
            assert await (await dial(GET)).status() == 200
        for number, socket in enumerate(sockets):
            await socket.send_str(str(number))
            assert await socket.receive_str() == str(number)
            await socket.close()


async def test_a_silent_flood_leaves_room_for_all_the_others() -> None:
    """Five hundred silent connections of one address: its own next one and everybody else get in."""
    async with standing(most_each=20, most=40) as house, lines(house.port) as dial:
        for _ in range(500):
            await dial(b"")
        for _ in range(5):
            assert await (await dial(GET)).status() == 200


async def test_an_answer_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "STALLED_MS", 1_000)
    async with standing(most_each=1) as house:
        loop = asyncio.get_running_loop()
        with socket.socket() as deaf:
            deaf.setblocking(False)
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await loop.sock_connect(deaf, ("127.0.0.1", house.port))
            await loop.sock_sendall(deaf, b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
            async with lines(house.port) as dial, asyncio.timeout(60):
                while await (await dial(GET)).status() != 200:  # its place is free again
                    await asyncio.sleep(0.1)


async def test_a_long_answer_is_no_work_any_more(clock: Any) -> None:
    """A download to a slow client, or a socket, holds no place among the requests at work."""
    address = ClientAddress(())
    load = Load(at_work=1)
    house = House()

    async def long(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await house.gate.wait()
        await answer.write_eof()
        return answer

    house.app.router.add_get("/long", long)
    metrics: Any = type("Silent", (), {"answered": lambda *_: None, "refused": lambda *_: None})()
    origins = Origins("http://shop.test")
    Edge(ids=Ids(clock), origins=origins, address=address, secure=False, metrics=metrics, load=load).install(house.app)
    served = Runner(house.app, address=address, shutdown_timeout=1)
    await served.setup()
    site = web.TCPSite(served, "127.0.0.1", 0)
    await site.start()
    async with lines(site.port) as dial, aiohttp.ClientSession() as client:
        slow = await dial(b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await slow.status() == 200
        socket = await client.ws_connect(f"http://127.0.0.1:{site.port}/socket")
        assert load.at_work == 0
        assert await (await dial(GET)).status() == 200
        house.gate.set()
        await socket.close()
    await served.cleanup()


def test_the_product_s_runner_has_these_bounds() -> None:
    app = web.Application()
    with pytest.raises(KeyError):  # it cannot be made without saying which peers are proxies
        runner(app)
