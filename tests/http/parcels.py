"""What pages send: a picture with a code in it, a browser that asks to be woken."""

from __future__ import annotations

import io
from typing import Any

import segno
from cryptography.hazmat.primitives.asymmetric import ec

from octshop_rt.im.push import sealing


def browser(name: str, service: str = "https://push.invalid/") -> dict[str, Any]:
    """A browser that asks to be woken, at a push service that nobody can reach."""
    key = ec.derive_private_key(int.from_bytes(name.encode(), "big") % 10**30 + 1, ec.SECP256R1()).public_key()
    return {"endpoint": f"{service}{name}", "p256dh": sealing.b64(sealing.raw(key)), "auth": sealing.b64(b"0" * 16)}


def photo(text: str) -> bytes:
    """A PNG with a QR code."""
    out = io.BytesIO()
    segno.make(text).save(out, kind="png", scale=4)
    return out.getvalue()
