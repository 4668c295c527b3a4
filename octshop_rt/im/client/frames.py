"""Frames from the server, decoded: the other direction of im/wire/codec. Unknown frame numbers are skipped."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from octshop_rt.im.wire import outgoing
from octshop_rt.im.wire.codec import Encoding
from octshop_rt.im.wire.outgoing import Outgoing

_SHAPES: tuple[type[Outgoing], ...] = (
    outgoing.Welcome, outgoing.Sent, outgoing.Ent, outgoing.Cur, outgoing.SignalOut, outgoing.Gap, outgoing.SyncedPage,
    outgoing.Pulled, outgoing.Res, outgoing.Err, outgoing.Ping, outgoing.Goaway, outgoing.Kick, outgoing.NoticeOut,
)  # fmt: skip


class _Head(msgspec.Struct):
    t: int


class _Reader:
    def __init__(self, decoder: type[msgspec.json.Decoder[Any] | msgspec.msgpack.Decoder[Any]]) -> None:
        self.batch = decoder(list[msgspec.Raw])
        self.head = decoder(_Head)
        self.by_tag = {cast("int", shape.__struct_config__.tag): decoder(shape) for shape in _SHAPES}


_READERS = {
    Encoding.MSGPACK: _Reader(msgspec.msgpack.Decoder),
    Encoding.JSON: _Reader(msgspec.json.Decoder),
}


def read(data: bytes, encoding: Encoding) -> list[Outgoing]:
    """The frames of one message, in order. msgspec.DecodeError if it is none of ours."""
    reader = _READERS[encoding]
    found: list[Outgoing] = []
    for part in reader.batch.decode(data) if _is_batch(data, encoding) else (data,):
        decoder = reader.by_tag.get(reader.head.decode(part).t)
        if decoder is not None:
            found.append(cast("Outgoing", decoder.decode(part)))
    return found


def _is_batch(data: bytes, encoding: Encoding) -> bool:
    if encoding is Encoding.JSON:
        return data.lstrip(b" \t\r\n")[:1] == b"["
    return bool(data) and (0x90 <= data[0] <= 0x9F or data[0] in {0xDC, 0xDD})
