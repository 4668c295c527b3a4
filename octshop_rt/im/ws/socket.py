"""One WebSocket: writes whole messages straight to the transport and never waits for a reader."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

from octshop_rt.core.clock import monotonic_ms
from octshop_rt.im.session import Closing, Policy
from octshop_rt.im.wire.closing import Close
from octshop_rt.im.wire.codec import Encoding
from octshop_rt.im.ws.connection import Connection

_CLOSE_SECONDS = 2


class Socket(Connection):
    """A connection over aiohttp.

    Frames go to `transport.write` as complete messages (compression is off, so aiohttp's own writer does the same and
    the two may alternate).
    """

    __slots__ = ("_transport", "_ws")

    def __init__(
        self,
        link_id: str,
        ws: web.WebSocketResponse,
        transport: asyncio.Transport,
        policy: Policy,
        owing: set[Connection],
    ) -> None:
        super().__init__(link_id, Encoding(ws.ws_protocol or Encoding.MSGPACK), policy, owing)
        self._ws = ws
        self._transport = transport

    @property
    def buffered(self) -> int:
        """Bytes the network has not taken yet."""
        return self._transport.get_write_buffer_size()

    @property
    def closed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._transport.is_closing() or self._ws.closed

    def write(self, framed: bytes) -> None:
        """A whole message, now."""
        if not self.closed:
            self._transport.write(framed)

    async def close(self, code: Close, reason: str = "") -> None:
        """Close politely for two seconds, then cut."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._ws.close(code=code, message=(reason or code.name.lower()).encode()[:120], drain=False)
        if not self._transport.is_closing():
            self._transport.abort()

    async def receive(self) -> bytes | None:
        """The next message of this encoding, None at the end. Pings are answered and counted."""
        while True:
            got = await self._ws.receive()
            if got.type is web.WSMsgType.BINARY and self.encoding is Encoding.MSGPACK:
                data: bytes = got.data
            elif got.type is web.WSMsgType.TEXT and self.encoding is Encoding.JSON:
                data = str(got.data).encode()
            elif got.type is web.WSMsgType.PING:
                self.session.control(monotonic_ms())
                await self._ws.pong(got.data)
                continue
            elif got.type is web.WSMsgType.PONG:
                self.session.control(monotonic_ms())
                continue
            elif got.type in {web.WSMsgType.TEXT, web.WSMsgType.BINARY}:
                raise Closing(Close.BROKEN_PROTOCOL, "wrong message type for the subprotocol")
            else:
                return None
            self.session.bytes_in(len(data))
            return data
