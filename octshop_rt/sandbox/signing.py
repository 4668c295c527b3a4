"""The channel's half of the API v3 cryptography: prove a merchant's request, sign an answer, seal a resource.

Written apart from the merchant's half in commerce/payment on purpose: a mistake shared by both would hide itself.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from octshop_rt.core.clock import MINUTE, Millis
from octshop_rt.sandbox.keys import SigningKey
from octshop_rt.sandbox.model import Merchant
from octshop_rt.sandbox.refusals import sign_error

SCHEME = "WECHATPAY2-SHA256-RSA2048"
CLOCK_TOLERANCE_MS = 5 * MINUTE
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"

_STAMP = re.compile(r"[0-9]{1,12}")
_PAIR = re.compile(r'(\w+)="([^"]*)"')


class Door:
    """Knows one merchant's certificate and proves that a request is its own."""

    def __init__(self, merchant: Merchant) -> None:
        self.merchant = merchant
        certificate = x509.load_pem_x509_certificate(Path(merchant.certificate_file).read_bytes())
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise TypeError(f"{merchant.mchid}: not an RSA certificate")
        self._key = key
        self.apiv3_key = Path(merchant.apiv3_key_file).read_bytes().strip()

    def check(self, fields: dict[str, str], method: str, path_and_query: str, body: bytes, now: Millis) -> None:
        """Raise SIGN_ERROR unless key, clock and the exact bytes agree."""
        if fields.get("serial_no") != self.merchant.serial_no:
            raise sign_error("serial_no")
        stamp = fields.get("timestamp", "")
        if not _STAMP.fullmatch(stamp) or abs(int(stamp) * 1000 - now) > CLOCK_TOLERANCE_MS:
            raise sign_error("timestamp")
        head = f"{method}\n{path_and_query}\n{stamp}\n{fields.get('nonce_str', '')}\n".encode()
        try:
            signature = b64decode(fields.get("signature", ""), validate=True)
            self._key.verify(signature, head + body + b"\n", PKCS1v15(), SHA256())
        except (InvalidSignature, Base64Error, ValueError):
            raise sign_error("signature") from None


def authorization_fields(header: str) -> dict[str, str]:
    """Take an Authorization header apart; the order of its attributes is free."""
    scheme, _, rest = header.partition(" ")
    if scheme != SCHEME:
        raise sign_error("scheme")
    return dict(_PAIR.findall(rest))


def signed_headers(
    key: SigningKey, body: bytes, now: Millis, *, forged: bool = False, probe: bool = False
) -> dict[str, str]:
    """Headers that prove `body` (perhaps empty) to be ours. `forged` and `probe` carry signatures that must fail."""
    stamp = str(now // 1000)
    nonce = secrets.token_hex(16)
    proof = key.private_key.sign(f"{stamp}\n{nonce}\n".encode() + body + b"\n", PKCS1v15(), SHA256())
    signature = b64encode(proof).decode()
    if forged:
        signature = b64encode(secrets.token_bytes(256)).decode()
    if probe:
        signature = PROBE_PREFIX + signature[len(PROBE_PREFIX) :]
    return {
        "Wechatpay-Timestamp": stamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Signature": signature,
        "Wechatpay-Serial": key.serial_no,
        "Wechatpay-Signature-Type": SCHEME,
        "Request-ID": secrets.token_hex(12).upper(),
    }


def seal(apiv3_key: bytes, plaintext: bytes, associated_data: str) -> dict[str, str]:
    """AES-256-GCM with a 12-character nonce; the tag ends the ciphertext."""
    nonce = secrets.token_hex(6)
    sealed = AESGCM(apiv3_key).encrypt(nonce.encode(), plaintext, associated_data.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": b64encode(sealed).decode(),
        "associated_data": associated_data,
        "nonce": nonce,
    }
