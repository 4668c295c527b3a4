"""A camera for tests: writes a Y4M film in which a picture of a code is held before the lens by an unsteady hand."""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageFilter

WIDTH, HEIGHT, FPS = 640, 480, 10
_EMPTY, _CODE = 5, 25
_DESK = 150


def film(picture: bytes, to: Path) -> Path:
    """Half a second of an empty counter, then the code, turned, moving and a little out of focus; loops for ever."""
    code = Image.open(BytesIO(picture)).convert("L")
    side = 300
    code = code.resize((side, round(code.height * side / code.width)))
    chroma = bytes([128]) * (WIDTH * HEIGHT // 2)
    with to.open("wb") as out:
        # `C420`, not `C420mpeg2`: Chromium reads no other spelling.
        out.write(b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420\n" % (WIDTH, HEIGHT, FPS))
        for number in range(_EMPTY + _CODE):
            frame = Image.new("L", (WIDTH, HEIGHT), _DESK)
            if number >= _EMPTY:
                phase = number / 6
                held = Image.new("L", (code.width + 40, code.height + 40), 255)
                held.paste(code, (20, 20))
                turn = 5 * math.sin(phase)
                held = held.rotate(turn, Image.Resampling.BILINEAR, expand=True, fillcolor=_DESK)
                left = (WIDTH - held.width) // 2 + round(18 * math.sin(phase * 1.3))
                top = (HEIGHT - held.height) // 2 + round(10 * math.cos(phase))
                frame.paste(held, (left, top))
                frame = frame.filter(ImageFilter.GaussianBlur(0.7))
            out.write(b"FRAME\n")
            out.write(frame.tobytes())
            out.write(chroma)
    return to
