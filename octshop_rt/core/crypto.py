"""Secrets of this installation: one root secret in a 0600 file, a derived key per purpose and key id."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class SecretsError(Exception):
    """The secret file is missing, short or readable by others."""


class Secrets:
    """Derives keys; never shows the root."""

    def __init__(self, root: bytes) -> None:
        least = 32
        if len(root) < least:
            message = f"the installation secret needs at least {least} bytes"
            raise SecretsError(message)
        self._root = root

    def __repr__(self) -> str:
        return "Secrets(…)"

    @classmethod
    def load(cls, path: Path, *, create: bool) -> Secrets:
        """Read the root from `path`; `create` makes a new one if there is none. Refuses a file others may read."""
        if not path.exists():
            if not create:
                message = f"no secret file at {path}; make one with: octshop-rt secrets {path}"
                raise SecretsError(message)
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
        if path.stat().st_mode & 0o077:
            message = f"{path} may be read by others; run: chmod 600 {path}"
            raise SecretsError(message)
        return cls(path.read_text(encoding="ascii").strip().encode())

    def key(self, purpose: str, *, length: int = 32) -> bytes:
        """The key for `purpose` (a fixed dotted name, with a number for rotation: `voucher.token.1`). HKDF-SHA256."""
        return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=purpose.encode()).derive(self._root)


def digest(data: bytes | str) -> str:
    """SHA-256 in hex, for tokens at rest and content fingerprints."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256."""
    return hmac.new(key, message, hashlib.sha256).digest()


def same(left: bytes | str, right: bytes | str) -> bool:
    """Equality in constant time."""
    one = left.encode() if isinstance(left, str) else left
    other = right.encode() if isinstance(right, str) else right
    return hmac.compare_digest(one, other)
