"""Bytes to frames and back, in both encodings, and the WebSocket frame around them. Hostile input ends here.

A message is one frame or an array of at most 64. Three outcomes per message: frames to act on, frames refused for a
field (the connection lives), or BrokenProtocol (the bytes are no mall.im.v1 message: close 4002).
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta

from octshop_rt.im.wire.fields import MOST_FRAMES, RequestNumber
from octshop_rt.im.wire.incoming import Ack, Auth, Hello, Incoming, Op, Pong, Pull, Read, Send, Signal, Sub, Sync
from octshop_rt.im.wire.outgoing import Outgoing


class Encoding(StrEnum):
    """The two subprotocols; the value is what stands in Sec-WebSocket-Protocol."""

    MSGPACK = "mall.im.v1.msgpack"
    JSON = "mall.im.v1.json"


SUBPROTOCOLS = tuple(encoding.value for encoding in Encoding)


class BrokenProtocol(Exception):
    """These bytes are no message of this protocol."""


class BadFrame(msgspec.Struct, frozen=True):
    """A known frame with a missing, wrong or oversized field. `i` is its request number if it had a readable one."""

    reason: str
    i: int | None = None


class _Head(msgspec.Struct):
    t: Annotated[int, Meta(ge=0, le=2**32 - 1)]


class _Number(msgspec.Struct):
    i: RequestNumber | None = None


_BATCH = Annotated[list[msgspec.Raw], Meta(max_length=MOST_FRAMES)]
_SHAPES: tuple[type[Incoming], ...] = (Hello, Auth, Send, Ack, Read, Sync, Pull, Signal, Op, Sub, Pong)
# RecursionError and UnicodeDecodeError are let through by msgspec as they are.
_BROKEN = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class _Reader:
    """Decoders of one encoding, compiled once."""

    def __init__(self, decoder: type[msgspec.json.Decoder[Any] | msgspec.msgpack.Decoder[Any]]) -> None:
        self.batch = decoder(_BATCH)
        self.head = decoder(_Head)
        self.number = decoder(_Number)
        self.by_tag = {cast("int", shape.__struct_config__.tag): decoder(shape) for shape in _SHAPES}

    def frame(self, data: bytes | msgspec.Raw) -> Incoming | BadFrame | None:
        """None for a frame number this version does not know."""
        decoder = self.by_tag.get(self.head.decode(data).t)
        if decoder is None:
            return None
        try:
            return cast("Incoming", decoder.decode(data))
        except msgspec.ValidationError as fault:
            return BadFrame(str(fault), self._number(data))

    def _number(self, data: bytes | msgspec.Raw) -> int | None:
        try:
            return self.number.decode(data).i
        except msgspec.ValidationError:
            return None


_READERS = {
    Encoding.MSGPACK: _Reader(msgspec.msgpack.Decoder),
    Encoding.JSON: _Reader(msgspec.json.Decoder),
}
_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()


def decode(data: bytes, encoding: Encoding) -> list[Incoming | BadFrame]:
    """The frames of one message, in order; unknown ones left out. BrokenProtocol if it is no message."""
    reader = _READERS[encoding]
    try:
        parts = reader.batch.decode(data) if _is_batch(data, encoding) else (data,)
        frames = [reader.frame(part) for part in parts]
    except _BROKEN as fault:
        raise BrokenProtocol(_reason(fault)) from None
    return [frame for frame in frames if frame is not None]


def encode(frame: Outgoing | Incoming, encoding: Encoding) -> bytes:
    """One frame as the payload of one message."""
    return _msgpack.encode(frame) if encoding is Encoding.MSGPACK else _json.encode(frame)


def message(payload: bytes, encoding: Encoding) -> bytes:
    """`payload` as a whole, unfragmented, unmasked server-to-client WebSocket message (RFC 6455 §5.2).

    Built here so that one fan-out encodes and frames once and shares the bytes among all sockets.
    """
    first = 0x82 if encoding is Encoding.MSGPACK else 0x81
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def payload(framed: bytes) -> bytes:
    """What `message` was made of: for carriages that have no WebSocket framing."""
    return framed[{126: 4, 127: 10}.get(framed[1], 2) :]


def _is_batch(data: bytes, encoding: Encoding) -> bool:
    if encoding is Encoding.JSON:
        return data.lstrip(b" \t\r\n")[:1] == b"["
    return bool(data) and (0x90 <= data[0] <= 0x9F or data[0] in {0xDC, 0xDD})


def _reason(fault: Exception) -> str:
    if isinstance(fault, RecursionError):
        return "nested too deeply"
    if isinstance(fault, UnicodeDecodeError):
        return "invalid UTF-8"
    return str(fault)
