"""msgpack and JSON for one type or union, compiled once. Every decode fault becomes BadInput."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from octshop_rt.core.errors import BadInput

T = TypeVar("T")

_json_encoder = msgspec.json.Encoder()
_msgpack_encoder = msgspec.msgpack.Encoder()


class Codec(Generic[T]):
    """Encoders and decoders for `shape`. Raises BadInput on anything that is not a valid `shape`."""

    def __init__(self, shape: type[T] | Any) -> None:
        self._json: msgspec.json.Decoder[T] = msgspec.json.Decoder(shape)
        self._msgpack: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(shape)

    def json(self, value: T) -> bytes:
        """UTF-8 JSON."""
        return _json_encoder.encode(value)

    def msgpack(self, value: T) -> bytes:
        """msgpack, maps with string keys."""
        return _msgpack_encoder.encode(value)

    def from_json(self, data: bytes | str) -> T:
        """Decode and validate JSON."""
        try:
            return self._json.decode(data)
        except _DECODE_FAULTS as fault:
            raise BadInput(reason=_reason(fault)) from None

    def from_msgpack(self, data: bytes) -> T:
        """Decode and validate msgpack."""
        try:
            return self._msgpack.decode(data)
        except _DECODE_FAULTS as fault:
            raise BadInput(reason=_reason(fault)) from None


# msgspec lets the last two through as they are: a depth bomb and bad UTF-8 are hostile input, not our mistake.
_DECODE_FAULTS = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


def _reason(fault: Exception) -> str:
    if isinstance(fault, RecursionError):
        return "nested too deeply"
    if isinstance(fault, UnicodeDecodeError):
        return "invalid UTF-8"
    return str(fault)
