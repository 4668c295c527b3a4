"""Moving pictures: drawn anew as moving WebP within limits; pixels alone survive, the first frame stands for them."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from octshop_rt.core.uploads import NotAPicture, TooManyPixels
from octshop_rt.im.media import animations
from octshop_rt.im.media.inspection import Inspection
from tests.media.recordings import gif


@pytest.fixture
async def inspection() -> AsyncIterator[Inspection]:
    inspection = Inspection(seconds=20)
    yield inspection
    await inspection.close()


async def test_a_gif_moves_on_as_webp_and_its_first_frame_stands_for_it(
    inspection: Inspection, tmp_path: Path
):  # req I6
    place = tmp_path / "sticker"
    place.write_bytes(gif(frames=5, ms=80, secret=b"31.2N 121.5E") + b"<script>alert(1)</script>")
    found = await inspection.look("image", place, 0)
    assert (found.facts.mime, found.facts.w, found.facts.h, found.facts.ms) == ("image/webp", 120, 90, 400)
    whole, small = (Image.open(io.BytesIO(data)) for data in (found.data, found.thumb))
    assert (whole.format, getattr(whole, "n_frames", 0)) == ("WEBP", 5)
    assert (small.size, getattr(small, "n_frames", 1)) == ((120, 90), 1)
    whole.seek(3)
    red, green, blue = whole.convert("RGB").getpixel((60, 45))  # pyright: ignore[reportGeneralTypeIssues]
    assert abs(red - 3 * 40) < 25 and abs(green - 90) < 25 and abs(blue - 90) < 25
    for data in (found.data, found.thumb):
        assert b"121.5E" not in data and b"script" not in data
    again = tmp_path / "again"
    again.write_bytes(found.data)  # a moving WebP goes the same way
    seen = await inspection.look("image", again, 0)
    assert (seen.facts.w, seen.facts.h, seen.facts.ms) == (120, 90, 400)
    assert inspection.killed == 0


def test_one_that_stands_still_has_no_length():
    drawn = animations.redraw(gif(frames=1))
    assert drawn.ms == 0
    assert getattr(Image.open(io.BytesIO(drawn.whole.data)), "n_frames", 1) == 1


def test_long_and_large_ones_become_smaller_and_skip_frames_but_play_as_long():
    drawn = animations.redraw(gif(frames=320, width=900, height=300, ms=40))
    assert max(drawn.whole.w, drawn.whole.h) <= animations.SHOWN_SIDE
    frames = getattr(Image.open(io.BytesIO(drawn.whole.data)), "n_frames", 0)
    assert frames <= animations.SHOWN_FRAMES
    assert frames * drawn.whole.w * drawn.whole.h <= animations.SHOWN_PIXELS
    assert drawn.ms == 320 * 40
    assert drawn.small.w == 320


def test_what_no_sticker_would_be_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch):  # req I6
    bomb = gif(frames=1)
    bomb = bomb[:6] + (60_000).to_bytes(2, "little") * 2 + bomb[10:]
    with pytest.raises(TooManyPixels):
        animations.redraw(bomb)
    monkeypatch.setattr(animations, "FRAMES", 4)
    with pytest.raises(TooManyPixels):
        animations.redraw(gif(frames=5))
    monkeypatch.setattr(animations, "DECODED", 120 * 90 * 3)
    with pytest.raises(TooManyPixels):
        animations.redraw(gif(frames=4))


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(8, 900), at=st.integers(6, 900), byte=st.integers(0, 255))
def test_broken_ones_are_refused_or_drawn_and_nothing_else(cut: int, at: int, byte: int):
    data = bytearray(gif(frames=4))
    data[min(at, len(data) - 1)] = byte
    try:
        drawn = animations.redraw(bytes(data[: max(cut, at)]))
    except (NotAPicture, TooManyPixels):
        return
    assert drawn.whole.data[8:12] == b"WEBP"
