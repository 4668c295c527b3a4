"""QR there and back: what we draw is read from tilted, blurred, small and inverted photos; uploads are bounded."""

from __future__ import annotations

import asyncio
import io
import struct
import threading
import time
import zlib

import pytest
import segno
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from octshop_rt.core.crypto import Secrets
from octshop_rt.core.errors import Busy
from octshop_rt.core.uploads import (
    MOST_BYTES,
    MOST_PIXELS,
    Limits,
    NotAPicture,
    PicturePool,
    TooManyPixels,
    UploadTooLarge,
    open_picture,
    re_encode,
    read_capped,
)
from octshop_rt.verify import decode, qr, rules, token
from octshop_rt.verify.model import TextKind

NOW = 1_790_000_000_000
KEYS = token.Keys.derive(Secrets(b"s" * 32))
DIGITS = token.show(KEYS, number="4" * 16, code_rev=3, now=NOW).digits


def picture(digits: str = DIGITS, *, scale: int = 8) -> Image.Image:
    code = segno.make_qr(digits, error="q", boost_error=False, mode="numeric", mask=4)
    out = io.BytesIO()
    code.save(out, kind="png", scale=scale, border=qr.QUIET_ZONE)
    return Image.open(out).convert("L")


def jpeg(image: Image.Image, *, quality: int = 80) -> bytes:
    out = io.BytesIO()
    image.convert("RGB").save(out, format="JPEG", quality=quality)
    return out.getvalue()


def on_a_table(image: Image.Image) -> Image.Image:
    """The code as part of a larger, uneven photo."""
    table = Image.linear_gradient("L").resize((900, 900)).point([90 + light // 3 for light in range(256)])
    table.paste(image, (300, 260))
    return table


def test_the_svg_draws_the_same_modules_that_a_decoder_reads():
    # The path is drawn by hand here, so that no SVG library stands between our picture and the decoder.
    import re

    svg = qr.svg(DIGITS)
    size = int(re.search(r'viewBox="0 0 (\d+) ', svg)[1])  # pyright: ignore[reportOptionalSubscript]
    assert "<script" not in svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    canvas = Image.new("L", (size * 8, size * 8), 255)
    pen = ImageDraw.Draw(canvas)
    path = re.search(r'stroke="#000" d="([^"]+)"', svg)
    assert path is not None
    x, y = 0.0, 0.0
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", path[1]):
        values = [float(value) for value in numbers.split()]
        if command == "M":
            x, y = values
        elif command == "m":
            x, y = x + values[0], y + values[1]
        else:
            pen.rectangle((x * 8, (y - 0.5) * 8, (x + values[0]) * 8 - 1, (y + 0.5) * 8 - 1), fill=0)
            x += values[0]
    assert [found.text for found in zxingcpp.read_barcodes(canvas)] == [DIGITS]


@pytest.mark.parametrize(
    "photo",
    [
        on_a_table(picture()),
        on_a_table(picture()).rotate(17, expand=True, fillcolor=120),
        on_a_table(picture()).rotate(45, expand=True, fillcolor=120),
        on_a_table(picture()).rotate(180),
        on_a_table(picture()).filter(ImageFilter.GaussianBlur(2)),
        on_a_table(picture(scale=3)),
        ImageOps.invert(on_a_table(picture())),  # dark mode
        on_a_table(picture()).transform(
            (900, 900), Image.Transform.PERSPECTIVE, (1, 0.15, -60, 0, 1.1, -40, 0, 0.0002, 1), fillcolor=120
        ),
    ],
    ids=["plain", "tilted", "turned", "upside-down", "blurred", "small", "inverted", "from the side"],
)
def test_photos_are_read(photo: Image.Image):
    # req issue 12: the server decodes an uploaded photo
    assert decode.read_texts(jpeg(photo)) == [DIGITS]
    assert rules.classify(decode.read_texts(jpeg(photo))[0]).kind is TextKind.VOUCHER


def test_a_photo_may_hold_a_payment_code_too():
    photo = on_a_table(picture())
    bars = zxingcpp.create_barcode("134512345678901234", zxingcpp.BarcodeFormat.Code128)
    stripes = Image.fromarray(zxingcpp.write_barcode_to_image(bars, scale=3)).convert("L")
    photo.paste(ImageOps.pad(stripes, (700, 160), color=255), (100, 700))
    assert sorted(decode.read_texts(jpeg(photo))) == sorted([DIGITS, "134512345678901234"])


def test_a_photo_without_a_code_has_no_texts():
    assert decode.read_texts(jpeg(Image.effect_noise((400, 400), 60))) == []


def test_the_second_opinion_reads_what_the_first_missed(monkeypatch: pytest.MonkeyPatch):
    read = decode.second_opinion()
    if read is None:
        pytest.fail("libzbar0 is missing: apt-get install libzbar0 (the first decoder works without it)")
    monkeypatch.setattr(decode, "_zxing", lambda _picture: [])
    assert decode.read_texts(jpeg(on_a_table(picture()))) == [DIGITS]


def test_drawing_is_done_once_per_token():
    qr.svg.cache_clear()
    for _ in range(3):
        qr.svg(DIGITS)
    assert qr.svg.cache_info().misses == 1


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that says it is width by height."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def test_a_bomb_is_refused_before_it_is_decoded():
    # req reliability 5.1: pixels are capped before decoding
    began = time.monotonic()
    for data in (bomb(50_000, 50_000), bomb(5_001, 5_000), bomb(20_000, 10)):
        with pytest.raises(TooManyPixels):
            open_picture(data)
    assert time.monotonic() - began < 10  # decoding them would take gigabytes and minutes


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a" + b"\0" * 64,
        b"%PDF-1.4",
        b"\xff\xd8\xff" + b"\0" * 64,
        b"RIFF\0\0\0\0WEBP" + b"\0" * 64,
        bomb(100, 100)[:60],
        jpeg(picture())[:400],
    ],
    ids=["empty", "text", "svg", "gif", "pdf", "jpeg in name", "webp in name", "torn png", "torn jpeg"],
)
def test_what_is_no_picture_is_refused(data: bytes):
    with pytest.raises(NotAPicture):
        open_picture(data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8 "]))
def test_any_bytes_are_a_picture_or_refused(tail: bytes, head: bytes):
    try:
        picture = open_picture(head + tail)
    except (NotAPicture, TooManyPixels):
        return
    assert picture.width * picture.height <= MOST_PIXELS
    assert picture.tobytes()  # decoded to its end


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 255))
def test_a_broken_photo_is_a_picture_or_refused(place: int, flip: int):
    data = bytearray(PHOTO)
    data[place % len(data)] ^= flip
    try:
        picture = open_picture(bytes(data))
    except (NotAPicture, TooManyPixels):
        return
    assert picture.width * picture.height <= MOST_PIXELS
    assert picture.tobytes()


PHOTO = jpeg(on_a_table(picture()))


def test_a_kept_picture_is_pixels_alone():
    exif = Image.Exif()
    exif[0x010E] = "at home, 31.2, 121.4"
    exif[0x0112] = 6  # lies on its side
    out = io.BytesIO()
    Image.new("RGB", (400, 200), "red").save(out, format="JPEG", exif=exif)
    kept = re_encode(out.getvalue() + b"<script>alert(1)</script>")
    assert b"home" not in kept
    assert b"script" not in kept
    fresh = Image.open(io.BytesIO(kept))
    assert (fresh.format, fresh.size) == ("WEBP", (200, 400))
    assert not fresh.getexif()
    assert Image.open(io.BytesIO(re_encode(jpeg(Image.new("L", (3000, 1500)))))).size == (1600, 800)


async def test_a_stream_is_cut_where_it_grows_too_long():
    read = 0

    async def stream(chunks: int):
        nonlocal read
        for _ in range(chunks):
            read += 1
            yield b"x" * 1000

    assert len(await read_capped(stream(10), most=10_000)) == 10_000
    read = 0
    with pytest.raises(UploadTooLarge):
        await read_capped(stream(1_000_000), most=10_000)
    assert read == 11
    with pytest.raises(UploadTooLarge):
        open_picture(b"\xff\xd8\xff" + b"x" * MOST_BYTES)
    with pytest.raises(UploadTooLarge):
        open_picture(PHOTO, Limits(bytes=100))


async def test_the_pool_is_bounded_and_gives_up_on_slow_work():
    pool = PicturePool(workers=1, waiting=1, seconds=0.2)
    gate = threading.Event()

    def slow(data: bytes) -> int:
        gate.wait(60)
        return len(data)

    answers = await asyncio.gather(*(pool.run(slow, b"x") for _ in range(4)), return_exceptions=True)
    assert all(isinstance(answer, Busy) for answer in answers)  # two out of time, two had no room
    with pytest.raises(Busy):  # a thread cannot be stopped: its place is taken until it ends
        await pool.run(len, b"abc")
    gate.set()
    for _ in range(200):
        try:
            assert await pool.run(len, b"abc") == 3
            break
        except Busy:
            await asyncio.sleep(0.05)
    else:
        pytest.fail("the places of ended threads are not given back")
    pool.close()


async def test_reading_a_photo_in_the_pool():
    pool = PicturePool()
    assert await decode.read_photo(pool, PHOTO) == [DIGITS]
    with pytest.raises(NotAPicture):
        await decode.read_photo(pool, b"hello")
    pool.close()
