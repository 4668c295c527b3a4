"""The wire: golden bytes in both encodings, an independent msgpack, and hostile input that must end in a clean no."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import get_args

import msgpack
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octshop_rt.core.errors import DomainError
from octshop_rt.im import session
from octshop_rt.im.conversation import model as conversation_model
from octshop_rt.im.poll import server as polling
from octshop_rt.im.wire.codec import BadFrame, BrokenProtocol, Encoding, decode, encode, message
from octshop_rt.im.wire.incoming import Incoming, Pong, Send
from octshop_rt.im.wire.outgoing import Outgoing
from octshop_rt.im.ws import refusals
from tests.im.frames import TO_CLIENT, TO_SERVER, C, M, packed

VECTORS = Path(__file__).parent.parent / "wire" / "mall_im_v1.json"
PROTOCOL = Path(__file__).parents[2] / "docs" / "im-protocol.md"
BOTH = list(Encoding)


def vectors() -> dict[str, list[dict[str, str]]]:
    return {
        side: [
            {
                "name": name,
                "json": encode(frame, Encoding.JSON).decode(),
                "msgpack": encode(frame, Encoding.MSGPACK).hex(),
            }
            for name, frame in frames.items()
        ]
        for side, frames in (("to_server", TO_SERVER), ("to_client", TO_CLIENT))
    }


def test_the_golden_vectors_are_what_we_write():
    """OCTSHOP_WRITE_VECTORS=1 writes them anew: only when the protocol is meant to change."""
    if os.environ.get("OCTSHOP_WRITE_VECTORS"):
        VECTORS.write_text(json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert json.loads(VECTORS.read_text(encoding="utf-8")) == vectors()


def test_every_frame_has_a_vector_and_every_refusal_is_written_down():
    assert {type(frame) for frame in TO_SERVER.values()} == set(get_args(Incoming))
    assert {type(frame) for frame in TO_CLIENT.values()} == set(get_args(Outgoing))
    written = PROTOCOL.read_text(encoding="utf-8")
    spoken = (session, refusals, conversation_model, polling)
    codes = {
        one.code
        for module in spoken
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, DomainError) and one.__module__ == module.__name__
    }
    assert len(codes) > 20
    assert {code for code in codes if f"`{code}`" not in written} == set()


def test_the_worked_examples_are_the_vectors():
    """One message from HELLO to PONG, in both encodings."""
    examples = PROTOCOL.read_text(encoding="utf-8").partition("### 2.1")[2].partition("## 3")[0].split("```")[1::2]
    known = {(one["json"], one["msgpack"]) for side in vectors().values() for one in side}
    found = {(text.strip().partition("\n")[0], "".join(text.strip().partition("\n")[2].split())) for text in examples}
    assert len(found) == len(examples) == 12
    assert found <= known


@pytest.mark.parametrize("side", ["to_server", "to_client"])
def test_an_independent_msgpack_reads_the_same_as_json_says(side: str):
    for vector in json.loads(VECTORS.read_text(encoding="utf-8"))[side]:
        assert msgpack.unpackb(bytes.fromhex(vector["msgpack"])) == json.loads(vector["json"]), vector["name"]


@pytest.mark.parametrize("encoding", BOTH)
def test_every_client_frame_comes_back_as_it_was(encoding: Encoding):
    for frame in TO_SERVER.values():
        assert decode(encode(frame, encoding), encoding) == [frame]


@pytest.mark.parametrize("encoding", BOTH)
def test_frames_travel_in_one_array(encoding: Encoding):
    parts = [msgspec.Raw(encode(frame, encoding)) for frame in TO_SERVER.values()]
    coder = msgspec.json if encoding is Encoding.JSON else msgspec.msgpack
    assert decode(coder.encode(parts), encoding) == list(TO_SERVER.values())
    with pytest.raises(BrokenProtocol):
        decode(coder.encode(parts * 5), encoding)  # more than 64


def test_unknown_frames_and_fields_are_ignored():
    newer: dict[str, object] = {"t": 30, "n": 1, "colour": {"deep": [1, 2, {"x": None}]}}
    assert decode(packed([newer, {"t": 77, "x": 1}]), Encoding.MSGPACK) == [Pong(n=1)]
    assert decode(json.dumps([newer, {"t": 77}]).encode(), Encoding.JSON) == [Pong(n=1)]


@pytest.mark.parametrize(
    "change",
    [
        {"c": "x" * 65}, {"c": "no spaces please"}, {"m": "short"}, {"m": "x" * 37}, {"k": "void"}, {"k": "html"},
        {"b": {"text": "x" * 10_001}}, {"b": {"text": {"$gt": ""}}}, {"b": None}, {"re": 2**53}, {"re": -1},
        {"re": 1.5}, {"i": 2**32}, {"i": "1"}, {"b": {"price_fen": 2**63}},
    ],
)  # fmt: skip
def test_a_bad_field_is_refused_and_the_connection_lives(change: dict[str, object]):
    good = {"t": 5, "i": 9, "c": C, "m": M, "k": "text", "b": {"text": "hi"}}
    for data, encoding in (
        (packed(good | change), Encoding.MSGPACK),
        (json.dumps(good | change).encode(), Encoding.JSON),
    ):
        (bad,) = decode(data, encoding)
        assert isinstance(bad, BadFrame)
        assert bad.i == (None if "i" in change else 9)


HOSTILE_MSGPACK = {
    "empty": b"",
    "huge array": b"\xdd\xff\xff\xff\xff",
    "huge map": b"\xdf\xff\xff\xff\xff",
    "huge string": b"\xdb\xff\xff\xff\xff",
    "huge binary": b"\xc6\xff\xff\xff\xff",
    "deep arrays": b"\x91" * 60_000,
    "deep maps": b"\x81\xa1a" * 20_000,
    "depth bomb in an unknown field": b"\x83\xa1t\x1e\xa1n\x01\xa1x" + b"\x91" * 50_000 + b"\xc0",
    "trailing bytes": packed({"t": 30, "n": 1}) + b"\x00",
    "bad utf-8": b"\x82\xa1t\x01\xa3tok\xa2\xff\xfe",
    "a number": b"\x05",
    "an array as a key": b"\x82\xa1t\x1e\x91\x01\x01",
    "an ext": b"\xd6\xff\x00\x00\x00\x00",
    "no tag": b"\x81\xa1n\x01",
    "a tag that is a float": b"\x82\xa1t\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00\xa1n\x01",
}
HOSTILE_JSON = {
    "empty": b"",
    "deep arrays": b"[" * 60_000,
    "deep objects": b'{"a":' * 12_000,
    "depth bomb in an unknown field": b'{"t":30,"n":1,"x":' + b"[" * 50_000,
    "nan": b'{"t":NaN}',
    "huge number": b'{"t":1' + b"0" * 5_000 + b"}",
    "two values": b'{"t":30,"n":1}{}',
    "bad utf-8": b'{"t":1,"tok":"\xff"}',
    "lone surrogate": b'{"t":5,"i":1,"c":"C1","m":"0123456789abcdef","k":"text","b":{"text":"\\ud800"}}',
}


@pytest.mark.parametrize("name", HOSTILE_MSGPACK)
def test_hostile_msgpack_breaks_the_protocol_not_the_server(name: str):
    with pytest.raises(BrokenProtocol):
        decode(HOSTILE_MSGPACK[name], Encoding.MSGPACK)


@pytest.mark.parametrize("name", HOSTILE_JSON)
def test_hostile_json_breaks_the_protocol_not_the_server(name: str):
    with pytest.raises(BrokenProtocol):
        decode(HOSTILE_JSON[name], Encoding.JSON)


def _is_sound(data: bytes, encoding: Encoding) -> bool:
    """Refused as a whole, or frames whose every value may be stored."""
    try:
        frames = decode(data, encoding)
    except BrokenProtocol:
        return True
    sends = [frame for frame in frames if isinstance(frame, Send)]
    for frame in sends:
        (frame.b.text or "").encode()  # raises on a lone surrogate
    return all(len(frame.b.text or "") <= 10_000 and 0 <= (frame.re or 0) < 2**53 for frame in sends)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(BOTH))
def test_any_bytes_end_in_frames_or_in_a_broken_protocol(data: bytes, encoding: Encoding):
    assert _is_sound(data, encoding)


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(list(TO_SERVER.values())),
    st.sampled_from(BOTH),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255), st.sampled_from("xid")), max_size=6),
)
def test_mutated_frames_end_in_frames_or_in_a_broken_protocol(frame, encoding, edits):
    data = bytearray(encode(frame, encoding))
    for place, value, how in edits:
        at = place % max(1, len(data))
        if how == "x" and data:
            data[at] = value
        elif how == "i":
            data.insert(at, value)
        elif data:
            del data[at]
    assert _is_sound(bytes(data), encoding)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_server_message_has_the_shortest_rfc_6455_header(size: int):
    framed = message(b"x" * size, Encoding.MSGPACK)
    assert framed[0] == 0x82
    length, head = framed[1], 2
    if length == 126:
        (length,), head = struct.unpack("!H", framed[2:4]), 4
        assert length > 125
    elif length == 127:
        (length,), head = struct.unpack("!Q", framed[2:10]), 10
        assert length > 65_535
    assert length == size == len(framed) - head
    assert message(b"", Encoding.JSON)[0] == 0x81
