"""Length of a voice note in Ogg Opus, MP3 or WAV, read from its frames without decoding."""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

from octshop_rt.im.media.containers import Broken, Tracks

_TAIL: Final = 128 * 1024
_MOST_FRAMES: Final = 200_000
# MPEG audio: bit rates in kbit/s of layer III, sampling rates, by version (3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5).
_RATES_1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SAMPLING: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def ogg(file: BinaryIO, size: int) -> Tracks:
    """Opus in Ogg (RFC 7845): the last page says how many samples there are, at 48 kHz."""
    file.seek(0)
    head = file.read(4096)
    at = head.find(b"OpusHead")
    if not head.startswith(b"OggS") or at < 0 or len(head) < at + 12:
        raise Broken
    (skip,) = struct.unpack("<H", head[at + 10 : at + 12])
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    last = tail.rfind(b"OggS")
    if last < 0 or len(tail) < last + 14:
        raise Broken
    (samples,) = struct.unpack("<q", tail[last + 6 : last + 14])
    if samples < 0:
        raise Broken
    return Tracks(mime="audio/ogg", ms=max(0, samples - skip) // 48, sound=True)


def wav(file: BinaryIO, size: int) -> Tracks:
    """Uncompressed sound: its bytes over its bytes per second."""
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise Broken
    per_second, at = 0, 12
    for _ in range(100):
        file.seek(at)
        chunk = file.read(8)
        if len(chunk) < 8:
            break
        name, length = struct.unpack("<4sI", chunk)
        if name == b"fmt ":
            content = file.read(16)
            if len(content) < 16:
                break
            (per_second,) = struct.unpack("<I", content[8:12])
        elif name == b"data" and per_second:
            return Tracks(mime="audio/wav", ms=min(length, size - at - 8) * 1000 // per_second, sound=True)
        at += 8 + length + length % 2
    raise Broken


def mp3(file: BinaryIO, size: int) -> Tracks:
    """MPEG layer III: its frames, one after the other."""
    file.seek(0)
    head = file.read(10)
    at = 0
    if head.startswith(b"ID3") and len(head) == 10:
        at = 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
    frames, ms = 0, 0.0
    while at + 4 <= size and frames < _MOST_FRAMES:
        file.seek(at)
        found = _frame(file.read(4))
        if found is None:
            break
        length, lasts = found
        frames, ms, at = frames + 1, ms + lasts, at + length
    # A few bytes that look like a frame are no song; what follows the last frame may only be a tag.
    if frames < 3 or size - at > 64 * 1024:
        raise Broken
    return Tracks(mime="audio/mpeg", ms=int(ms), sound=True)


def _frame(head: bytes) -> tuple[int, float] | None:
    """Bytes and milliseconds of the frame with this header."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:  # eleven set bits, layer III
        return None
    version, rate, sampling = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or rate in {0, 15} or sampling == 3:
        return None
    kbit = (_RATES_1 if version == 3 else _RATES_2)[rate]
    hertz = _SAMPLING[version][sampling]
    samples = 1152 if version == 3 else 576
    return samples // 8 * kbit * 1000 // hertz + (head[2] >> 1 & 1), samples * 1000 / hertz
