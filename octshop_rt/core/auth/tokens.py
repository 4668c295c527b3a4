"""Tokens, pure: how they are made, hashed, bound to a CSRF value, and sealed for a quick resume."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_TOKEN_BYTES = 32
_MAC_BYTES = 16


def new_token() -> str:
    """256 bits of chance, 43 URL-safe characters."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def token_hash(token: str) -> str:
    """What is stored of a token. SHA-256 suffices: there is nothing to guess in 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def csrf_of(token: str) -> str:
    """The CSRF value of a cookie token: computable by its holder alone, so nothing more has to be stored."""
    return _text(hashlib.blake2b(token.encode(), digest_size=24, person=b"octshop-csrf").digest())


def csrf_matches(token: str, value: str) -> bool:
    """Whether `value` is the CSRF value of `token`; takes the same time either way."""
    return hmac.compare_digest(csrf_of(token).encode(), value.encode())


def seal(key: bytes, payload: bytes) -> str:
    """`payload` readable by anybody and forgeable by nobody without `key` (keyed BLAKE2b, 1.5 µs)."""
    return _text(hashlib.blake2b(payload, key=key[:64], digest_size=_MAC_BYTES).digest() + payload)


def unseal(key: bytes, text: str) -> bytes | None:
    """The payload of a sealed text, or None for anything that `seal` with this key has not made."""
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        return None
    mac, payload = data[:_MAC_BYTES], data[_MAC_BYTES:]
    good = hashlib.blake2b(payload, key=key[:64], digest_size=_MAC_BYTES).digest()
    return payload if hmac.compare_digest(mac, good) else None


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
