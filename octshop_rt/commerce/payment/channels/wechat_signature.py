"""WeChat Pay API v3 cryptography, the merchant's half: sign requests, prove answers and notices, open resources.

Source: the channel's published rules (five signed lines, three proven lines, AES-256-GCM with the 32-character key).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from octshop_rt.core.clock import MINUTE, Millis

SCHEME = "WECHATPAY2-SHA256-RSA2048"
CLOCK_TOLERANCE_MS = 5 * MINUTE
STAMP = re.compile(r"[0-9]{1,12}")


class NotProven(Exception):
    """The bytes are not the channel's, or are stale. The message says which step failed, never any secret."""


class UnknownSerial(NotProven):
    """Signed with a key we do not have yet: fetch the certificates, then try again."""


class KeyFileError(Exception):
    """A key file of the settings cannot be used; the message names what was expected."""


def private_key(pem: bytes) -> RSAPrivateKey:
    """The merchant's API key."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise KeyFileError("expected an unencrypted RSA private key in PEM") from None
    if not isinstance(key, RSAPrivateKey):
        raise KeyFileError("expected an RSA private key")
    return key


def public_key(pem: bytes) -> RSAPublicKey:
    """The channel's key: a public key or a certificate, in PEM."""
    try:
        if b"BEGIN CERTIFICATE" in pem:
            key = x509.load_pem_x509_certificate(pem).public_key()
        else:
            key = serialization.load_pem_public_key(pem)
    except ValueError:
        raise KeyFileError("expected a public key or certificate in PEM") from None
    if not isinstance(key, RSAPublicKey):
        raise KeyFileError("expected an RSA public key")
    return key


class Signer:
    """Signs requests in one merchant's name."""

    def __init__(self, mchid: str, serial_no: str, key: RSAPrivateKey) -> None:
        self._mchid = mchid
        self._serial_no = serial_no
        self._key = key

    def authorization(self, method: str, path_and_query: str, body: bytes, *, now: Millis, nonce: str) -> str:
        """The Authorization header for exactly these bytes. Serialise once, sign those bytes, send those bytes."""
        stamp = now // 1000
        head = f"{method}\n{path_and_query}\n{stamp}\n{nonce}\n".encode()
        proof = b64encode(self._key.sign(head + body + b"\n", PKCS1v15(), SHA256())).decode()
        return (
            f'{SCHEME} mchid="{self._mchid}",nonce_str="{nonce}",signature="{proof}",'
            f'timestamp="{stamp}",serial_no="{self._serial_no}"'
        )


class Prover:
    """Knows the channel's keys by serial number and decides whether bytes are the channel's."""

    def __init__(self, keys: Mapping[str, RSAPublicKey]) -> None:
        self._keys = dict(keys)

    def joined(self, more: Mapping[str, RSAPublicKey]) -> Prover:
        """One that knows `more` keys too; older ones stay valid (several are, around a rotation)."""
        return Prover({**self._keys, **more})

    def check(self, headers: Mapping[str, str], body: bytes, *, now: Millis) -> None:
        """Raise NotProven unless serial, clock and signature agree. An empty body is signed as such."""
        stamp = headers.get("Wechatpay-Timestamp", "")
        nonce = headers.get("Wechatpay-Nonce", "")
        if not STAMP.fullmatch(stamp) or abs(int(stamp) * 1000 - now) > CLOCK_TOLERANCE_MS:
            raise NotProven("timestamp")
        if headers.get("Wechatpay-Signature-Type", SCHEME) != SCHEME:
            raise NotProven("signature type")
        key = self._keys.get(headers.get("Wechatpay-Serial", ""))
        if key is None:
            raise UnknownSerial("serial")
        try:
            text = headers.get("Wechatpay-Signature", "")
            signature = b64decode(text, validate=True)
            if b64encode(signature).decode() != text:  # spare bits of the last digit: one signature, one spelling
                raise NotProven("signature")
            key.verify(signature, f"{stamp}\n{nonce}\n".encode() + body + b"\n", PKCS1v15(), SHA256())
        except (InvalidSignature, Base64Error, ValueError):
            raise NotProven("signature") from None


def open_resource(api_v3_key: bytes, *, nonce: str, associated_data: str, ciphertext: str) -> bytes:
    """The plaintext of a sealed resource; NotProven if key, nonce, associated data or a single bit differ."""
    try:
        sealed = b64decode(ciphertext, validate=True)
        return AESGCM(api_v3_key).decrypt(nonce.encode(), sealed, associated_data.encode())
    except (InvalidTag, Base64Error, ValueError):
        raise NotProven("resource") from None
