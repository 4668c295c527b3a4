"""A network that lets no WebSocket through: the chat falls back to polling by itself and loses nothing to cuts."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import expect

from tests.web.conftest import Gate, Launch, Product, Visit, sign_in
from tests.web.people import COFFEE
from tests.web.test_agent import open_desk
from tests.web.test_tabs import lines, settled

BUYER = "13800000002"


@dataclass
class Wall:
    """A proxy on loopback that passes HTTP on and answers every upgrade with 403; it can cut all that is open."""

    product: Product
    port: int = 0
    refused: int = 0
    stopped: bool = False
    _open: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> threading.Thread:
        ready = threading.Event()
        thread = threading.Thread(target=self._run, args=(ready.set,), daemon=True)
        thread.start()
        assert ready.wait(5)
        return thread

    def cut(self) -> None:
        """Everything that is open breaks off."""
        self._loop.call_soon_threadsafe(self._abort)

    def _abort(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    def _run(self, ready: Callable[[], None]) -> None:
        async def serve() -> None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready()
            while not self.stopped:
                await asyncio.sleep(0.05)
            server.close()
            for writer in list(self._open):
                writer.transport.abort()
            await asyncio.sleep(0.05)

        self._loop.run_until_complete(serve())
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._requests(reader, writer)
        self._open.discard(writer)
        writer.close()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"\r\nupgrade:" in head.lower():
            self.refused += 1
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        upstream, to_server = await asyncio.open_connection("127.0.0.1", self.product.port)
        self._open.add(to_server)
        # One request a connection: what the server would think of the proxy's own address must be the product's.
        text = re.sub(rb"(?i)connection: [^\r]*", b"Connection: close", head)
        ours, theirs = f"127.0.0.1:{self.port}".encode(), f"127.0.0.1:{self.product.port}".encode()
        to_server.write(text.replace(ours, theirs))
        up = asyncio.create_task(self._pump(reader, to_server))
        await self._pump(upstream, writer)
        up.cancel()
        self._open.discard(to_server)
        to_server.close()

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()


@pytest.fixture
def wall(product: Product) -> Iterator[Wall]:
    """Running."""
    wall = Wall(product)
    thread = wall.start()
    yield wall
    wall.stopped = True
    thread.join(5)


def test_chat_works_where_upgrades_are_refused_and_lines_are_cut(
    launch: Launch, product: Product, wall: Wall, gate: Gate, visit: Visit
) -> None:  # req I13
    gate.allow("WebSocket connection|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_CONNECTION_CLOSED|foreign|ERR_FAILED")
    context = launch().new_context(viewport={"width": 360, "height": 740}, locale="zh-CN")
    gate.watch(context)
    sign_in(context, product.base, "buyer", BUYER)  # cookies know no port
    page = context.new_page()
    page.goto(f"{wall.base}/shop/chat/{COFFEE}")
    page.locator("textarea").fill("这里不让用 WebSocket")
    page.locator("button[type=submit]").click()
    settled(page, "这里不让用 WebSocket")
    assert wall.refused >= 2
    agent = open_desk(visit)
    agent.page.get_by_test_id("filter-all").click()
    agent.page.get_by_test_id("conversation").filter(has_text="这里不让用 WebSocket").click()
    for n in range(6):
        agent.page.get_by_test_id("composer").fill(f"客服第{n}句")
        agent.page.keyboard.press("Enter")
        page.locator("textarea").fill(f"买家第{n}句")
        page.locator("button[type=submit]").click()
        if n in {1, 3}:
            wall.cut()
    for n in range(6):
        expect(lines(page, f"客服第{n}句")).to_have_count(1, timeout=30_000)
        settled(page, f"买家第{n}句")
        expect(agent.page.get_by_test_id("message").filter(has_text=f"买家第{n}句")).to_have_count(1)
    context.close()
