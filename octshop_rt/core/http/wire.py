"""Connections: how many one address and all may hold, and what is answered to bytes that are no HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import structlog
from aiohttp import hdrs, web

from octshop_rt.core.errors import DEFAULT_LANG
from octshop_rt.core.http.edge import HEADERS, over
from octshop_rt.core.http.origin import ClientAddress
from octshop_rt.core.http.problem import PROBLEM_JSON, bare_problem, encode

log = structlog.get_logger(__name__)

# A browser holds six, a phone's page two or three: thirty phones behind one address are far from it.
MOST_EACH: Final = 500
SPARED: Final = 200  # descriptors for MongoDB, Redis, files and calls of our own
STALLED_MS: Final = 60_000  # a client that takes nothing of its answer for so long has lost it


class Nameless(web.Response):
    """An answer that does not say which server made it."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall(hdrs.SERVER, None)


class Connection(web.RequestHandler):
    """One connection. The edge answers whatever became a request; this answers what did not."""

    __slots__ = ()

    @property
    def waits(self) -> bool:
        """Whether it has sent no whole request that is not answered yet."""
        return self._waiter is not None and not self._waiter.done()

    def set_parser(self, parser: Any, data_received_cb: Callable[[], None] | None = None) -> None:
        """It has become a socket."""
        super().set_parser(parser, data_received_cb)
        cast("Server", self._manager).upgraded(self)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to bytes that are no HTTP. aiohttp would log them with a stack and send them back."""
        if isinstance(exc, ConnectionError) and over(request):
            raise exc  # the edge has noted it
        if status >= 500:
            log.error("escaped the edge", exc_info=exc)
        else:
            log.debug("no http", fault=type(exc).__name__)
        if request.writer.output_size > 0:
            gone = "part of another answer is sent already"
            raise ConnectionError(gone)
        bare = bare_problem(status, DEFAULT_LANG, "")
        answer = Nameless(status=status, body=encode(bare), content_type=PROBLEM_JSON, headers=HEADERS)
        answer.force_close()
        return answer


class Server(web.Server):
    """Makes our connections and bounds them.

    Over the bound the one that waits longest without a request gives way, so that who only holds connections keeps
    nobody out. Sockets have limits of their own (im) and count in all alone; so do the proxies' connections.
    """

    def __init__(self, *given: Any, address: ClientAddress, most_each: int, most: int, **kwargs: Any) -> None:
        super().__init__(*given, **kwargs)
        self._address = address
        self._most_each = most_each
        self._most = most
        self._plain: dict[Connection, str | None] = {}  # oldest first; whose
        self._each: dict[str, dict[Connection, None]] = {}
        self._sockets: set[Connection] = set()

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Count it; over a bound somebody has to go."""
        super().connection_made(handler, transport)
        connection = cast("Connection", handler)
        peer = transport.get_extra_info("peername")
        address = None if not peer or self._address.trusts(peer[0]) else str(peer[0])
        self._plain[connection] = address
        if address is not None:
            own = self._each.setdefault(address, {})
            own[connection] = None
            if len(own) > self._most_each:
                self._make_room(own, connection)
        if len(self._plain) + len(self._sockets) > self._most:
            self._make_room(self._plain, connection)
        with contextlib.suppress(OSError, AttributeError):  # Linux alone has it
            option = socket.TCP_USER_TIMEOUT
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, STALLED_MS)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """It holds nothing any more."""
        super().connection_lost(handler, exc)
        connection = cast("Connection", handler)
        self._forget(connection)
        self._sockets.discard(connection)

    def upgraded(self, connection: Connection) -> None:
        """A socket from now on."""
        self._forget(connection)
        self._sockets.add(connection)

    def _make_room(self, among: Iterable[Connection], newest: Connection) -> None:
        leaving = next((one for one in among if one is not newest and one.waits), newest)
        self._forget(leaving)
        if leaving.transport is not None:
            leaving.transport.abort()

    def _forget(self, connection: Connection) -> None:
        address = self._plain.pop(connection, None)
        if address is not None and (own := self._each.get(address)) is not None:
            own.pop(connection, None)
            if not own:
                del self._each[address]


class Runner(web.AppRunner):
    """aiohttp's runner with our server."""

    def __init__(
        self, app: web.Application, *, address: ClientAddress, most_each: int = MOST_EACH, most: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(app, **kwargs)
        self._bounds: dict[str, Any] = {"address": address, "most_each": most_each, "most": most or room()}

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(made.request_handler, request_factory=made.request_factory, **self._bounds, **self._kwargs)


def room() -> int:
    """How many connections the system lets this process hold, beside what it needs itself."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 100_000 if soft == resource.RLIM_INFINITY else max(soft - SPARED, soft // 2)
