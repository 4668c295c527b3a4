"""Shipped clients with what they were shown, a network that can freeze, and the judge of a finished history."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Self

from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.im.client.client import ImClient, Stopped
from octshop_rt.im.client.link import Link
from octshop_rt.im.client.outbox import Outbox
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.checks import CHECKS
from octshop_rt.im.wire.codec import Encoding
from octshop_rt.im.wire.outgoing import Ent, Err, Kick, Outgoing
from tests.im.kit import Node


class Person:
    """A client, what it was shown, and what it was promised."""

    def __init__(
        self,
        node: Node,
        who: str,
        *,
        staff: bool = False,
        outbox: Outbox | None = None,
        encoding: Encoding = Encoding.MSGPACK,
        port: int | None = None,
    ) -> None:
        self.shown: list[Ent] = []
        self.changed: list[Ent] = []
        self.acked: dict[str, list[int]] = {}
        self.node = node

        async def ticket() -> str:
            if who in self.node.town.gone:
                raise Stopped
            return await self.node.ticket(who, staff=staff)

        self.client = ImClient(
            f"ws://127.0.0.1:{port or node.port}/im",
            ticket=ticket,
            device=f"dev-{who}",
            on_entry=self.shown.append,
            on_change=self.changed.append,
            outbox=outbox,
            encoding=encoding,
            longest_wait_s=1.0,
        )
        self.faults: list[Err | Kick] = []  # every ERR and KICK, those too that the client settles by itself
        hears = self.client._heard

        def heard(link: Link, frame: Outgoing) -> None:
            if isinstance(frame, Err | Kick):
                self.faults.append(frame)
            hears(link, frame)

        self.client._heard = heard

    async def say(self, c: str, text: str) -> int:
        """Said and acked."""
        s = await self.client.say(c, text)
        self.acked.setdefault(c, []).append(s)
        return s

    def texts(self, c: str) -> list[str]:
        """As displayed."""
        return [ent.b.text or "" for ent in self.shown if ent.c == c]

    def move(self, node: Node) -> None:
        """What a load balancer does: the next connection ends up at `node`."""
        self.node = node
        self.client._url = f"ws://127.0.0.1:{node.port}/im"

    @property
    def link(self) -> Link:
        assert self.client._link is not None
        return self.client._link

    def cut(self) -> None:
        """Lose the network without a word."""
        self.link._ws.transport.abort()


async def until(true: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def online(*people: Person) -> AsyncGenerator[None]:
    """All of them connected, and gone at the end."""
    async with contextlib.AsyncExitStack() as stack:
        for person in people:
            await stack.enter_async_context(person.client)
        for person in people:
            await person.client.online()
        yield


async def judge(db: Database, people: Sequence[Person], c: str) -> None:
    """Each display is the log, in order and once; every ack is in it; fsck finds nothing."""
    rows = await store.page(db, c, 1, 2**40, 0, newest=False)
    log = [row.m for row in rows]
    await until(lambda: all(len([ent for ent in person.shown if ent.c == c]) >= len(log) for person in people))
    for person in people:
        assert [ent.m for ent in person.shown if ent.c == c] == log
        assert set(person.acked.get(c, ())) <= {row.s for row in rows}
    assert (await examine(db, CHECKS)).findings == ()


class Wire:
    """A loopback TCP proxy that can freeze: open on both sides, and nothing passes."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.frozen: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    def freeze(self) -> None:
        """What is open now passes nothing more, and nobody is told. New connections pass."""
        self.frozen.update(self._writers)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers += [writer, back]
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.get_running_loop().create_task(self._pass(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65_536):
                if sink not in self.frozen:
                    sink.write(data)
                    await sink.drain()
        if sink not in self.frozen:
            sink.close()
