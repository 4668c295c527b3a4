"""A WebSocket client as light as Python allows, so that the bench measures the server. Not for use elsewhere."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any, cast

import msgspec

_decode = msgspec.msgpack.Decoder().decode
_encode = msgspec.msgpack.Encoder().encode


class Link(asyncio.Protocol):
    """Binary messages as msgpack maps; `heard` gets each one. Masks with zeros, which RFC 6455 allows to read as is."""

    def __init__(self) -> None:
        self.heard: Callable[[dict[str, Any]], None] = lambda _: None
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed = False
        self._transport: asyncio.WriteTransport | None = None
        self._data = b""
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transport.write(
            b"GET /im HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Sec-WebSocket-Protocol: mall.im.v1.msgpack\r\n\r\n"
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if not self.open.done():
            self.open.set_exception(exc or ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        data = self._data + data if self._data else data
        if not self._upgraded:
            head, found, rest = data.partition(b"\r\n\r\n")
            if not found:
                self._data = data
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.open.set_exception(ConnectionError(head.decode()))
                return
            self._upgraded, data = True, rest
            self.open.set_result(None)
        at = 0
        while len(data) - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                if len(data) < at + 4:
                    break
                (size,), start = struct.unpack_from("!H", data, at + 2), at + 4
            elif size == 127:
                if len(data) < at + 10:
                    break
                (size,), start = struct.unpack_from("!Q", data, at + 2), at + 10
            if len(data) < start + size:
                break
            if data[at] == 0x82:
                self.heard(_decode(data[start : start + size]))
            at = start + size
        self._data = data[at:]

    def send(self, frame: dict[str, Any]) -> None:
        payload = _encode(frame)
        size = len(payload)
        head = bytes((0x82, 0x80 | size)) if size < 126 else struct.pack("!BBH", 0x82, 0xFE, size)
        assert self._transport is not None
        self._transport.write(head + b"\0\0\0\0" + payload)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.abort()


async def connect(port: int) -> Link:
    _, link = await asyncio.get_running_loop().create_connection(Link, "127.0.0.1", port)
    await link.open
    return link
