"""One WebSocket: writes whole messages straight to the transport and never waits for a reader."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

from octshop_rt.core.clock import monotonic_ms
from octshop_rt.core.errors import DomainError, Lang
from octshop_rt.im.conversation.model import Party
from octshop_rt.im.session import Closing, Outcome, Policy, Session
from octshop_rt.im.wire.closing import Close
from octshop_rt.im.wire.codec import Encoding, encode, message
from octshop_rt.im.wire.outgoing import Gap, Kick, Outgoing, Ping

_CLOSE_SECONDS = 2


class Socket:
    """The hub's Link over aiohttp. `who` is set once HELLO was good.

    Frames go to `transport.write` as complete messages (compression is off, so aiohttp's own writer does the same and
    the two may alternate). What a slow reader does not take is bounded by the session's rules, not by waiting.
    """

    __slots__ = (
        "_pings", "_transport", "_ws", "checked_at", "device", "encoding", "id", "lang", "owing", "role", "session",
        "watched", "who",
    )  # fmt: skip

    def __init__(
        self,
        link_id: str,
        ws: web.WebSocketResponse,
        transport: asyncio.Transport,
        policy: Policy,
        owing: set[Socket],
    ) -> None:
        self.id = link_id
        self.encoding = Encoding(ws.ws_protocol or Encoding.MSGPACK)
        self.session = Session(policy, monotonic_ms())
        self.who: Party | None = None
        self.role = ""
        self.device = ""
        self.lang: Lang = "zh-CN"
        self.watched = 0
        self.checked_at = monotonic_ms()
        self.owing = owing  # the server's set of sockets that are owed a GAP
        self._ws = ws
        self._transport = transport
        self._pings = 0

    @property
    def person(self) -> Party:
        """Who it is; only after HELLO."""
        assert self.who is not None, "asked before HELLO was good"
        return self.who

    @property
    def buffered(self) -> int:
        """Bytes the network has not taken yet."""
        return self._transport.get_write_buffer_size()

    @property
    def closed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._transport.is_closing() or self._ws.closed

    # --- out ----------------------------------------------------------------------------------------------------------

    def write(self, framed: bytes) -> None:
        """A whole message, now."""
        if not self.closed:
            self._transport.write(framed)

    def send(self, frame: Outgoing) -> None:
        """A frame for this socket alone."""
        self.write(message(encode(frame, self.encoding), self.encoding))

    def entry(self, c: str, s: int, framed: bytes) -> None:
        """See hub.Link."""
        if self.session.push(c, s, self.buffered, monotonic_ms()) is Outcome.WRITE:
            self.write(framed)
        else:
            self.owing.add(self)

    def hint(self, framed: bytes) -> None:
        """See hub.Link."""
        if self.session.may_hint(self.buffered):
            self.write(framed)

    # --- the wheel ----------------------------------------------------------------------------------------------------

    def pay(self) -> bool:
        """Tell what is owed if the socket has drained; True when nothing is owed any more. Closing if it is dead."""
        heads = self.session.drained(self.buffered, monotonic_ms())
        if heads:
            self.send(Gap(heads=heads))
        return not self.session.owed

    def beat(self) -> None:
        """PING, and a GAP for what was pushed and never acked. Closing if nothing was heard for too long."""
        late = self.session.tick(monotonic_ms())
        if late:
            self.send(Gap(heads=late))
        self._pings = (self._pings + 1) % 2**32
        self.send(Ping(n=self._pings, uh=self.session.pushed))

    # --- the end ------------------------------------------------------------------------------------------------------

    def kick(self, refusal: DomainError) -> None:
        """Say why before closing."""
        self.send(Kick(code=refusal.code, msg=refusal.text(self.lang)))

    async def close(self, code: Close, reason: str = "") -> None:
        """Close politely for two seconds, then cut."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._ws.close(code=code, message=(reason or code.name.lower()).encode()[:120], drain=False)
        if not self._transport.is_closing():
            self._transport.abort()

    async def end(self, closing: Closing) -> None:
        """Close as the rules say."""
        await self.close(closing.code, closing.reason)

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
