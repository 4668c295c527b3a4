"""Moving pictures (GIF, WebP): measured before a frame is decoded, drawn anew as an animated WebP of pixels alone.

Runs in the limited process. What is longer or larger than a chat needs becomes smaller and skips frames; what no
sticker or screen recording would be is refused.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from PIL import Image, ImageSequence, UnidentifiedImageError

from octshop_rt.core.uploads import Encoded, NotAPicture, TooManyPixels

DECODED: Final = 200_000_000  # pixels of all frames together, as they come
FRAMES: Final = 1_500
SHOWN_FRAMES: Final = 150
SHOWN_SIDE: Final = 640
SHOWN_PIXELS: Final = 16_000_000  # of all frames together, as they are kept: a few seconds of work
SHORTEST_MS: Final = 20  # quicker than that, browsers show a frame for a tenth of a second
USUAL_MS: Final = 100
THUMB_SIDE: Final = 320
QUALITY: Final = 75
_BROKEN: Final = (
    UnidentifiedImageError, OSError, SyntaxError, ValueError, OverflowError, IndexError, KeyError, EOFError,
    struct.error,
)  # fmt: skip


class Moving(Struct, frozen=True):
    """The whole, its first frame in small, and how long it plays before it begins anew (0: it stands still)."""

    whole: Encoded
    small: Encoded
    ms: int


def moves(data: bytes) -> bool:
    """Whether the bytes say they are a GIF, or a WebP with frames. Decodes nothing."""
    if data.startswith((b"GIF87a", b"GIF89a")):
        return True
    extended = data.startswith(b"RIFF") and data[8:16] == b"WEBPVP8X" and len(data) > 20
    return extended and bool(data[20] & 0x02)


def redraw(data: bytes) -> Moving:
    """A fresh animated WebP. NotAPicture, TooManyPixels."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of bombs; we measure ourselves
            picture = Image.open(io.BytesIO(data), formats=("GIF", "WEBP"))
            _measure(picture)
            return _drawn(picture)
    except Image.DecompressionBombError:
        raise TooManyPixels from None
    except _BROKEN:
        raise NotAPicture from None  # as core.uploads; `struct.error` is how GIFs end early


def _measure(picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > DECODED:
        raise TooManyPixels
    frames = _count(picture)
    if frames > FRAMES or width * height * frames > DECODED:
        raise TooManyPixels


def _count(picture: Image.Image) -> int:
    return int(getattr(picture, "n_frames", 1))


def _drawn(picture: Image.Image) -> Moving:
    every = -(-_count(picture) // SHOWN_FRAMES)
    kept = -(-_count(picture) // every)
    width, height = picture.size
    fits = min(1.0, SHOWN_SIDE / max(width, height), (SHOWN_PIXELS / (width * height * kept)) ** 0.5)
    size = (max(1, int(width * fits)), max(1, int(height * fits)))
    times = _times(picture, every)
    frames = _frames(picture, every, size)
    first = next(frames)
    out = io.BytesIO()
    moving = {"save_all": True, "append_images": frames, "duration": times, "loop": 0} if len(times) > 1 else {}
    first.save(out, format="WEBP", quality=QUALITY, method=0 if moving else 4, **moving)
    small = first.copy()
    small.thumbnail((THUMB_SIDE, THUMB_SIDE))
    return Moving(
        Encoded(out.getvalue(), *first.size), Encoded(_still(small), *small.size), sum(times) if len(times) > 1 else 0
    )


def _times(picture: Image.Image, every: int) -> list[int]:
    """How long each kept frame is shown: those that are skipped lend it their time."""
    times: list[int] = []
    for number in range(_count(picture)):
        picture.seek(number)
        if picture.format == "WEBP":
            picture.load()  # only then it says how long
        told = int(picture.info.get("duration") or 0)
        time = told if told >= SHORTEST_MS else USUAL_MS
        if number % every:
            times[-1] += time
        else:
            times.append(time)
    return times


def _frames(picture: Image.Image, every: int, size: tuple[int, int]) -> Iterator[Image.Image]:
    """One at a time, so that a long film is never whole in memory. A frame may not outgrow what was measured."""
    measured = picture.size
    for number, frame in enumerate(ImageSequence.Iterator(picture)):
        if frame.size != measured:
            raise TooManyPixels
        if number % every:
            continue
        plain = frame.convert("RGBA")
        plain.thumbnail(size)
        clean = Image.new("RGBA", plain.size)
        clean.paste(plain)
        yield clean


def _still(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, format="WEBP", quality=QUALITY)
    return out.getvalue()
