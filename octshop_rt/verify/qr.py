"""A token as a QR picture: SVG with a quiet zone, drawn once per token."""

from __future__ import annotations

import io
from functools import lru_cache

import segno

QUIET_ZONE = 4  # with none on a dark page, both decoders we measured fail
_KEPT = 2048


@lru_cache(maxsize=_KEPT)
def svg(digits: str) -> str:
    """SVG of `digits` in numeric mode, level Q (a quarter of it may be unreadable), black on white.

    The mask is fixed: trying all eight costs most of the time and scanners do not need the best one.
    """
    code = segno.make_qr(digits, error="q", boost_error=False, mode="numeric", mask=4)
    drawn = io.BytesIO()
    code.save(
        drawn, kind="svg", border=QUIET_ZONE, xmldecl=False, svgns=True, omitsize=True, light="#fff", nl=False,
        svgclass=None, lineclass=None,
    )  # fmt: skip
    return drawn.getvalue().decode()
