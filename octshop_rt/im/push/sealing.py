"""Web Push on the wire: messages sealed for one browser (RFC 8291, RFC 8188) and our signature (VAPID, RFC 8292)."""

from __future__ import annotations

import base64
import os
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from octshop_rt.core.clock import Millis

_RECORD = 4096  # one record holds every message; RFC 8291 §4 allows no second
_TOKEN_S = 12 * 3_600  # RFC 8292 §2: at most a day
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes again. ValueError if it is none."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def raw(key: ec.EllipticCurvePublicKey) -> bytes:
    """65 bytes: the uncompressed point."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def is_key(p256dh: str, auth: str) -> bool:
    """Whether a browser's key is a point of P-256 and its secret has 16 bytes."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(p256dh))
        return len(unb64(auth)) == 16
    except ValueError:
        return False


def seal(
    text: bytes, p256dh: str, auth: str, *, key: ec.EllipticCurvePrivateKey | None = None, salt: bytes | None = None
) -> bytes:
    """`text` as only that browser can read it. `key` and `salt` are new for each message; given for known answers."""
    assert len(text) <= _RECORD - 103, "a push message fits into one record"
    key = key or ec.generate_private_key(ec.SECP256R1())
    salt = salt or os.urandom(16)
    theirs = unb64(p256dh)
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
    ours = raw(key.public_key())
    secret = _derive(shared, unb64(auth), b"WebPush: info\0" + theirs + ours, 32)
    body = AESGCM(_derive(secret, salt, b"Content-Encoding: aes128gcm\0", 16)).encrypt(
        _derive(secret, salt, b"Content-Encoding: nonce\0", 12), text + b"\x02", None
    )
    return salt + _RECORD.to_bytes(4, "big") + bytes([len(ours)]) + ours + body


def _derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


class Vapid:
    """Our identity towards push services, made from a derived secret: the same on every node and after every start."""

    def __init__(self, secret: bytes, contact: str) -> None:
        assert len(secret) == 48, "128 bits more than the order: no value is likelier than another"
        self._key = ec.derive_private_key(int.from_bytes(secret, "big") % (_ORDER - 1) + 1, ec.SECP256R1())
        self._contact = contact
        self.public = b64(raw(self._key.public_key()))

    def authorization(self, endpoint: str, now: Millis) -> str:
        """The header for one request to that endpoint's service."""
        parts = urlsplit(endpoint)
        claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": now // 1000 + _TOKEN_S, "sub": self._contact}
        signed = b64(b'{"typ":"JWT","alg":"ES256"}') + "." + b64(msgspec.json.encode(claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"vapid t={signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}, k={self.public}"
