"""The limited process that looks into what strangers upload: `python -m octshop_rt.im.media.inspector`.

It has no settings, no secrets and no sockets; its memory, files and CPU time are limited, and whoever started it
kills it when it takes too long. One question a line on stdin, one answer on stdout: a line of JSON, then the bytes
it announces.
"""

from __future__ import annotations

import resource
import struct
import sys
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec

from octshop_rt.core.uploads import Limits, NotAPicture, TooManyPixels, UploadTooLarge, re_encoded
from octshop_rt.im.media import animations, containers, sounds
from octshop_rt.im.media.containers import Broken, Tracks

MEMORY_BYTES: Final = 1024 * 1024 * 1024
CPU_SECONDS: Final = 20
PIXELS: Final = 50_000_000  # a phone's largest photo
SHOWN_SIDE: Final = 4096  # a long screenshot stays legible
SHOWN_AREA: Final = 4_000_000
THUMB_SIDE: Final = 320


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Which file, and what it is said to be."""

    kind: Literal["image", "voice", "video"]
    path: str
    most_bytes: int


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What it is, or why not. `sizes` are the lengths of the byte strings that follow: picture and thumbnail."""

    fault: Literal["", "not_a_picture", "too_many_pixels", "too_large", "broken"] = ""
    mime: str = ""
    w: int = 0
    h: int = 0
    ms: int = 0
    sizes: list[int] = []


def look(question: Question) -> tuple[Answer, list[bytes]]:
    """Answer one question. Whatever is wrong with the bytes is an answer too."""
    try:
        if question.kind == "image":
            return _picture(question)
        with Path(question.path).open("rb") as file:
            tracks = _tracks(file)
        if tracks.picture != (question.kind == "video") or not (tracks.picture or tracks.sound):
            return Answer(fault="broken"), []
        return Answer(mime=tracks.mime, w=tracks.w, h=tracks.h, ms=tracks.ms), []
    except (Broken, struct.error, IndexError, ValueError, OverflowError, OSError, RecursionError, MemoryError):
        return Answer(fault="broken"), []


def _picture(question: Question) -> tuple[Answer, list[bytes]]:
    data = Path(question.path).read_bytes()
    limits, ms = Limits(bytes=question.most_bytes, pixels=PIXELS), 0
    try:
        if len(data) <= limits.bytes and animations.moves(data):
            moving = animations.redraw(data)
            shown, small, ms = moving.whole, moving.small, moving.ms
        else:
            shown, small = re_encoded(data, (SHOWN_SIDE, THUMB_SIDE), limits=limits, area=SHOWN_AREA)
    except UploadTooLarge:
        return Answer(fault="too_large"), []
    except TooManyPixels:
        return Answer(fault="too_many_pixels"), []
    except (NotAPicture, MemoryError):
        return Answer(fault="not_a_picture"), []
    parts = [shown.data, small.data]
    return Answer(mime="image/webp", w=shown.w, h=shown.h, ms=ms, sizes=[len(part) for part in parts]), parts


def _tracks(file: BinaryIO) -> Tracks:
    """By the first bytes; the name and the declared type of an upload say nothing."""
    head = file.read(12)
    size = file.seek(0, 2)
    if head[4:8] == b"ftyp":
        return containers.mp4(file, size)
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return containers.webm(file, size)
    if head.startswith(b"OggS"):
        return sounds.ogg(file, size)
    if head.startswith(b"RIFF"):
        return sounds.wav(file, size)
    return sounds.mp3(file, size)


def confine() -> None:
    """No more memory, no file of its own, no dump of what it saw."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def more_time() -> None:
    """CPU time for one more question: the kernel ends us where it is used up."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(usage.ru_utime + usage.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + CPU_SECONDS, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def main() -> None:
    """Answer until the other end closes."""
    confine()
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        more_time()
        answer, parts = look(msgspec.json.decode(line, type=Question))
        out.write(msgspec.json.encode(answer) + b"\n")
        for part in parts:
            out.write(part)
        out.flush()


if __name__ == "__main__":
    main()
