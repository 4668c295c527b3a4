"""What is inside an MP4 or WebM file: its tracks, length and picture size, read from the boxes without decoding.

ISO/IEC 14496-12 and the Matroska specification (RFC 9559). Every walk is bounded: these bytes are a stranger's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from msgspec import Struct

_MOST_PARTS: Final = 20_000
_MOST_HEAD: Final = 4 * 1024 * 1024  # a header this long is no header


class Broken(Exception):
    """These bytes are not what they begin like."""


class Tracks(Struct, kw_only=True):
    """What a container holds."""

    mime: str = ""
    ms: int = 0
    w: int = 0
    h: int = 0
    picture: bool = False
    sound: bool = False


class _Part(Struct, frozen=True):
    """A box or element: its name and where its content lies."""

    name: bytes
    start: int
    end: int


def mp4(file: BinaryIO, size: int) -> Tracks:
    """Tracks of an MP4 or M4A file. Broken for anything else."""
    found = Tracks(mime="video/mp4")
    heads = [part for part in _boxes(file, 0, size) if part.name in {b"ftyp", b"moov", b"mdat"}]
    if not heads or heads[0].name != b"ftyp" or not {b"moov", b"mdat"} <= {part.name for part in heads}:
        raise Broken
    (moov,) = [part for part in heads if part.name == b"moov"][:1]
    if moov.end - moov.start > _MOST_HEAD:
        raise Broken
    for part in _boxes(file, moov.start, moov.end):
        if part.name == b"mvhd":
            found.ms = max(found.ms, _duration(_content(file, part)))
        elif part.name == b"trak":
            _track(file, part, found)
        elif part.name == b"mvex":  # fragmented: the length stands in mehd, or in the fragments
            for one in _boxes(file, part.start, part.end):
                if one.name == b"mehd":
                    found.ms = max(found.ms, _fragments_ms(file, moov, _content(file, one)))
    if not found.ms:
        found.ms = _sum_of_fragments(file, size, moov)
    if not found.picture:
        found.mime = "audio/mp4"
    return found


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[_Part]:
    for _ in range(_MOST_PARTS):
        if start + 8 > end:
            return
        file.seek(start)
        length, name = struct.unpack(">I4s", _exactly(file, 8))
        head = 8
        if length == 1:
            (length,) = struct.unpack(">Q", _exactly(file, 8))
            head = 16
        elif length == 0:
            length = end - start
        if length < head or start + length > end:
            raise Broken
        yield _Part(name, start + head, start + length)
        start += length
    raise Broken


def _track(file: BinaryIO, trak: _Part, found: Tracks) -> None:
    width = height = 0
    for part in _boxes(file, trak.start, trak.end):
        if part.name == b"tkhd":
            width, height = (side >> 16 for side in struct.unpack(">II", _content(file, part)[-8:]))
        elif part.name == b"mdia":
            for one in _boxes(file, part.start, part.end):
                if one.name == b"mdhd":
                    found.ms = max(found.ms, _duration(_content(file, one)))
                if one.name == b"hdlr" and (handler := _content(file, one)[8:12]) in {b"vide", b"soun"}:
                    found.picture |= handler == b"vide"
                    found.sound |= handler == b"soun"
    if width and height and not found.w:
        found.w, found.h = width, height


def _scale(head: bytes) -> int:
    (scale,) = struct.unpack(">I", head[20:24] if head[0] == 1 else head[12:16])
    return int(scale)


def _duration(head: bytes) -> int:
    """Milliseconds of an mvhd or mdhd box."""
    (length,) = struct.unpack(">Q", head[24:32]) if head[0] == 1 else struct.unpack(">I", head[16:20])
    scale = _scale(head)
    if not scale or length in {2**32 - 1, 2**64 - 1}:
        return 0
    return int(length) * 1000 // scale


def _movie_scale(file: BinaryIO, moov: _Part) -> int:
    for part in _boxes(file, moov.start, moov.end):
        if part.name == b"mvhd":
            return _scale(_content(file, part))
    raise Broken


def _fragments_ms(file: BinaryIO, moov: _Part, head: bytes) -> int:
    (length,) = struct.unpack(">Q", head[4:12]) if head[0] == 1 else struct.unpack(">I", head[4:8])
    return int(length) * 1000 // max(1, _movie_scale(file, moov))


def _sum_of_fragments(file: BinaryIO, size: int, moov: _Part) -> int:
    """A recording without a length: where its last fragment of each track begins (tfdt), which is near its end."""
    scales: dict[int, int] = {}
    for trak in _boxes(file, moov.start, moov.end):
        if trak.name == b"trak":
            number, scale = _track_scale(file, trak)
            scales[number] = scale
    latest = 0
    for moof in _boxes(file, 0, size):
        if moof.name != b"moof":
            continue
        for traf in _boxes(file, moof.start, moof.end):
            if traf.name != b"traf":
                continue
            number, at = 0, 0
            for part in _boxes(file, traf.start, traf.end):
                head = _content(file, part) if part.name in {b"tfhd", b"tfdt"} else b""
                if part.name == b"tfhd":
                    (number,) = struct.unpack(">I", head[4:8])
                elif part.name == b"tfdt":
                    (at,) = struct.unpack(">Q", head[4:12]) if head[0] == 1 else struct.unpack(">I", head[4:8])
            latest = max(latest, at * 1000 // max(1, scales.get(number, 1000)))
    return latest


def _track_scale(file: BinaryIO, trak: _Part) -> tuple[int, int]:
    number, scale = 0, 1000
    for part in _boxes(file, trak.start, trak.end):
        if part.name == b"tkhd":
            head = _content(file, part)
            (number,) = struct.unpack(">I", head[20:24] if head[0] == 1 else head[12:16])
        elif part.name == b"mdia":
            for one in _boxes(file, part.start, part.end):
                if one.name == b"mdhd":
                    scale = _scale(_content(file, one))
    return number, scale


# --- WebM -------------------------------------------------------------------------------------------------------------

_SEGMENT, _INFO, _TRACKS, _CLUSTER = b"\x18\x53\x80\x67", b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75"
_TIME, _SIMPLE, _GROUP, _BLOCK = b"\xe7", b"\xa3", b"\xa0", b"\xa1"


def webm(file: BinaryIO, size: int) -> Tracks:
    """Tracks of a WebM file. Recorders in browsers leave lengths open: then the last block says when it ends."""
    parts = list(_elements(file, 0, size, most=4))
    if len(parts) < 2 or parts[0].name != b"\x1a\x45\xdf\xa3" or parts[1].name != _SEGMENT:
        raise Broken
    kinds = {one.name: _content(file, one) for one in _elements(file, parts[0].start, parts[0].end)}
    if kinds.get(b"\x42\x82", b"").rstrip(b"\0") != b"webm":
        raise Broken
    found = Tracks(mime="video/webm")
    scale, length, latest = 1_000_000, 0.0, 0
    cluster = 0
    for part in _elements(file, parts[1].start, parts[1].end, enter={_CLUSTER}):
        if part.name == _INFO:
            scale, length = _info(file, part)
        elif part.name == _TRACKS:
            for entry in _elements(file, part.start, part.end):
                if entry.name == b"\xae":
                    _entry(file, entry, found)
        elif part.name == _TIME:
            cluster = _number(_content(file, part))
        elif part.name in {_SIMPLE, _GROUP}:
            latest = max(latest, cluster + _block_time(file, part))
    if not found.picture and not found.sound:
        raise Broken
    found.ms = int((length or latest) * scale / 1_000_000)
    if not found.picture:
        found.mime = "audio/webm"
    return found


def _elements(
    file: BinaryIO, start: int, end: int, *, most: int = 500_000, enter: set[bytes] | None = None
) -> Iterator[_Part]:
    """Elements in order. Those named in `enter` are stepped into, so that open-ended ones need no end."""
    for _ in range(most):
        if start >= end:
            return
        file.seek(start)
        head = file.read(12)
        name_size = 9 - head[0].bit_length() if head and head[0] else 9
        if name_size > 4 or len(head) < name_size + 1:
            raise Broken
        name = head[:name_size]
        first = head[name_size]
        width = 9 - first.bit_length() if first else 9
        if width > 8 or len(head) < name_size + width:
            raise Broken
        number = int.from_bytes(head[name_size : name_size + width]) & ((1 << 7 * width) - 1)
        content = start + name_size + width
        open_ended = number == (1 << 7 * width) - 1
        until = end if open_ended else min(end, content + number)  # beyond the end: a recording that was cut
        if enter is not None and name in enter:
            start = content
            continue
        yield _Part(name, content, until)
        if open_ended and name != _SEGMENT:
            raise Broken
        start = until


def _info(file: BinaryIO, part: _Part) -> tuple[int, float]:
    scale, length = 1_000_000, 0.0
    for one in _elements(file, part.start, part.end):
        content = _content(file, one)
        if one.name == b"\x2a\xd7\xb1":
            scale = _number(content)
        elif one.name == b"\x44\x89" and len(content) in {4, 8}:
            (length,) = struct.unpack(">f" if len(content) == 4 else ">d", content)
    if not 0 <= length < 1e12:
        raise Broken
    return scale, length


def _entry(file: BinaryIO, part: _Part, found: Tracks) -> None:
    for one in _elements(file, part.start, part.end):
        if one.name == b"\x83":
            kind = _number(_content(file, one))
            found.picture |= kind == 1
            found.sound |= kind == 2
        elif one.name == b"\xe0":
            for side in _elements(file, one.start, one.end):
                if side.name == b"\xb0":
                    found.w = _number(_content(file, side))
                elif side.name == b"\xba":
                    found.h = _number(_content(file, side))


def _block_time(file: BinaryIO, part: _Part) -> int:
    if part.name == _GROUP:
        for one in _elements(file, part.start, part.end):
            if one.name == _BLOCK:
                return _block_time(file, one)
        return 0
    file.seek(part.start)
    head = _exactly(file, 4)
    (time,) = struct.unpack(">h", head[1:3])  # after a track number of one byte, as all real files have
    return int(time)


def _number(content: bytes) -> int:
    if len(content) > 8:
        raise Broken
    return int.from_bytes(content)


def _content(file: BinaryIO, part: _Part) -> bytes:
    if part.end - part.start > 64 * 1024:
        raise Broken
    file.seek(part.start)
    return _exactly(file, part.end - part.start)


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise Broken
    return data
