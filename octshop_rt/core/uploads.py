"""Uploaded pictures: capped while they arrive, recognised by their bytes, measured before they are decoded.

Decoding happens in a bounded pool of threads: a picture that takes too long is answered Busy, and a crowd of them
waits outside instead of eating the node. What is kept is re-encoded, so nothing but pixels survives: no EXIF, no
position, no second file hidden behind the first.
"""

from __future__ import annotations

import asyncio
import io
import warnings
from collections.abc import AsyncIterable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from msgspec import Struct
from PIL import Image, ImageOps, UnidentifiedImageError

from octshop_rt.core.errors import Busy, DomainError

T = TypeVar("T")

MOST_BYTES: Final = 8 * 1024 * 1024
MOST_PIXELS: Final = 25_000_000
CONTENT_TYPES: Final = ("image/jpeg", "image/png", "image/webp")
_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_WIDEST_RATIO: Final = 60  # a strip a million pixels wide is no photo


class UploadTooLarge(DomainError):
    """More bytes than this route takes."""

    code = "upload.too_large"
    status = 413
    zh = "文件太大，最大 {most_mib} MB"
    en = "The file is too large; at most {most_mib} MB"


class NotAPicture(DomainError):
    """Not a JPEG, PNG or WebP picture, or a broken one."""

    code = "upload.not_a_picture"
    status = 415
    zh = "无法识别的图片，请上传 JPG、PNG 或 WebP"
    en = "Not a readable picture; upload JPG, PNG or WebP"


class TooManyPixels(DomainError):
    """Small as a file, huge once decoded."""

    code = "upload.too_many_pixels"
    status = 413
    zh = "图片尺寸过大"
    en = "The picture has too many pixels"


class Limits(Struct, frozen=True):
    """What a picture may be."""

    bytes: int = MOST_BYTES
    pixels: int = MOST_PIXELS


LIMITS: Final = Limits()


async def read_capped(chunks: AsyncIterable[bytes], *, most: int = MOST_BYTES) -> bytes:
    """All bytes of a stream; UploadTooLarge as soon as there are more than `most`, the rest is not read."""
    data = bytearray()
    async for chunk in chunks:
        if len(data) + len(chunk) > most:
            raise UploadTooLarge(most_mib=most // (1024 * 1024))
        data += chunk
    return bytes(data)


def open_picture(data: bytes, limits: Limits = LIMITS) -> Image.Image:
    """The decoded picture, upright. Refused by its first bytes, by Pillow's header, and by its pixels, in this order,
    before a single pixel is decoded.
    """
    if len(data) > limits.bytes:
        raise UploadTooLarge(most_mib=limits.bytes // (1024 * 1024))
    if not _magic(data):
        raise NotAPicture
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of bombs; we measure ourselves, below
            picture = Image.open(io.BytesIO(data), formats=_FORMATS)
        width, height = picture.size
        if width * height > limits.pixels or max(width, height) > _WIDEST_RATIO * max(min(width, height), 100):
            raise TooManyPixels
        picture.draft("RGB", (2048, 2048))  # JPEG alone: decodes a smaller picture at once
        picture.load()
        return ImageOps.exif_transpose(picture)
    except Image.DecompressionBombError:
        raise TooManyPixels from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, OverflowError, MemoryError, IndexError, KeyError):
        raise NotAPicture from None  # what Pillow raises on broken input, by its own documentation and by fuzzing


class Encoded(Struct, frozen=True):
    """A fresh WebP and its size in pixels."""

    data: bytes
    w: int
    h: int


def re_encode(data: bytes, *, most_side: int = 1600, limits: Limits = LIMITS) -> bytes:
    """A fresh WebP of the pixels alone, at most `most_side` wide and high. For pictures that are kept."""
    return re_encoded(data, (most_side,), limits=limits)[0].data


def re_encoded(data: bytes, sides: Sequence[int], *, limits: Limits = LIMITS, area: int = 0) -> list[Encoded]:
    """As re_encode, in several sizes of one decoding, largest first; `area` also bounds the pixels of each."""
    picture = open_picture(data, limits)
    plain = picture.convert("RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB")
    found: list[Encoded] = []
    for side in sides:
        width, height = plain.size
        fits = min(1.0, side / max(width, height), (area / (width * height)) ** 0.5 if area else 1.0)
        plain.thumbnail((max(1, round(width * fits)), max(1, round(height * fits))))
        clean = Image.new(plain.mode, plain.size)
        clean.paste(plain)
        out = io.BytesIO()
        clean.save(out, format="WEBP", quality=85)
        found.append(Encoded(out.getvalue(), *clean.size))
    return found


class PicturePool:
    """Runs work on pictures in threads: `workers` at once, `waiting` more in line, then Busy."""

    def __init__(self, *, workers: int = 2, waiting: int = 16, seconds: float = 10) -> None:
        self._threads = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="pictures")
        self._room = workers + waiting
        self._inside = 0
        self._seconds = seconds

    async def run(self, work: Callable[[bytes], T], data: bytes) -> T:
        """`work(data)` in a thread. Busy when the line is full or the work takes too long; a thread cannot be
        stopped, so it keeps its place until it ends.
        """
        if self._inside >= self._room:
            raise Busy
        self._inside += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, data)
        future.add_done_callback(self._leave)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.shield(future)
        except TimeoutError:
            raise Busy from None

    def close(self) -> None:
        """Take no more work."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _leave(self, future: asyncio.Future[T]) -> None:
        self._inside -= 1
        if not future.cancelled():
            future.exception()  # looked at: whoever waited has gone


def _magic(data: bytes) -> bool:
    return data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or (
        data.startswith(b"RIFF") and data[8:12] == b"WEBP"
    )
