"""Our half of the channel's cryptography against openssl: the same bytes, and nothing but the same bytes."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from octshop_rt.commerce.payment.channels.wechat_signature import (
    KeyFileError,
    NotProven,
    Prover,
    Signer,
    UnknownSerial,
    open_resource,
    private_key,
    public_key,
)

NOW = 1_790_000_000_000
STAMP = str(NOW // 1000)


def openssl(*words: str, feed: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *words], input=feed, capture_output=True)
    assert done.returncode == 0, f"openssl is needed (apt-get install openssl): {done.stderr.decode()}"
    return done.stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("openssl")
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(folder / "key.pem"))
    openssl("pkey", "-in", str(folder / "key.pem"), "-pubout", "-out", str(folder / "pub.pem"))
    subject = ("-subj", "/CN=channel", "-days", "30")
    openssl("req", "-x509", "-key", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), *subject)
    return folder


def signed_by_openssl(keys: Path, message: bytes) -> str:
    made = openssl("dgst", "-sha256", "-sign", str(keys / "key.pem"), feed=message)
    return base64.b64encode(made).decode()


def test_requests_carry_the_signature_openssl_makes(keys: Path) -> None:
    signer = Signer("1900000109", "SERIAL", private_key((keys / "key.pem").read_bytes()))
    body = '{"description":"牛肉面"}'.encode()
    path = "/v3/pay/transactions/native?a=%E9%9D%A2"
    header = signer.authorization("POST", path, body, now=NOW, nonce="N0NCE")
    message = b"POST\n" + path.encode() + b"\n" + STAMP.encode() + b"\nN0NCE\n" + body + b"\n"
    assert header == (
        f'WECHATPAY2-SHA256-RSA2048 mchid="1900000109",nonce_str="N0NCE",'
        f'signature="{signed_by_openssl(keys, message)}",timestamp="{STAMP}",serial_no="SERIAL"'
    )
    empty = signer.authorization("GET", "/v3/certificates", b"", now=NOW, nonce="N")
    assert signed_by_openssl(keys, f"GET\n/v3/certificates\n{STAMP}\nN\n\n".encode()) in empty


def headers(keys: Path, body: bytes, **changes: str) -> dict[str, str]:
    return {
        "Wechatpay-Timestamp": STAMP,
        "Wechatpay-Nonce": "N",
        "Wechatpay-Serial": "S1",
        "Wechatpay-Signature": signed_by_openssl(keys, f"{STAMP}\nN\n".encode() + body + b"\n"),
        "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
    } | changes


@pytest.mark.parametrize("file", ["pub.pem", "cert.pem"])
@pytest.mark.parametrize("body", [b"", b'{"a":"\xe9\x9d\xa2"}'])
def test_answers_signed_by_openssl_are_proven(keys: Path, file: str, body: bytes) -> None:
    prover = Prover({"S1": public_key((keys / file).read_bytes())})
    prover.check(headers(keys, body), body, now=NOW)
    with pytest.raises(NotProven):
        prover.check(headers(keys, body), body + b" ", now=NOW)


def test_what_is_not_proven(keys: Path) -> None:
    prover = Prover({"S1": public_key((keys / "pub.pem").read_bytes())})
    good = headers(keys, b"x")
    prover.check(good, b"x", now=NOW + 299_000)
    bad = [
        {"Wechatpay-Timestamp": "soon"},
        {"Wechatpay-Timestamp": "1" * 5_000},  # int() itself would refuse this one, with a fault of its own
        {"Wechatpay-Nonce": "\udc80"},
        {"Wechatpay-Timestamp": f"{int(STAMP) - 301}"},
        {"Wechatpay-Nonce": "M"},
        {"Wechatpay-Signature": ""},
        {"Wechatpay-Signature": "WECHATPAY/SIGNTEST/" + good["Wechatpay-Signature"][19:]},
        {"Wechatpay-Signature": good["Wechatpay-Signature"] + "\n"},
        {"Wechatpay-Signature-Type": "WECHATPAY2-SM2-WITH-SM3"},
    ]
    for change in bad:
        with pytest.raises(NotProven):
            prover.check(good | change, b"x", now=NOW)
    for later in (-301_000, 301_000):
        with pytest.raises(NotProven, match="timestamp"):
            prover.check(good, b"x", now=NOW + later)
    with pytest.raises(UnknownSerial):
        prover.check(good | {"Wechatpay-Serial": "S2"}, b"x", now=NOW)
    with pytest.raises(NotProven):
        prover.check({}, b"x", now=NOW)


def test_a_resource_opens_with_its_own_key_only() -> None:
    # AES-256-GCM of b"ok" under a key of thirty-two "k", made with another implementation (Node's crypto).
    sealed = "HY2sX/cJQFVC56XcYoO1BIvP"
    assert len(base64.b64decode(sealed)) == 18
    key = b"k" * 32
    opened = open_resource(key, nonce="123456789012", associated_data="transaction", ciphertext=sealed)
    assert opened == b"ok"
    for change in ({"nonce": "123456789013"}, {"associated_data": ""}, {"ciphertext": "X" + sealed[1:]}):
        given = {"nonce": "123456789012", "associated_data": "transaction", "ciphertext": sealed} | change
        with pytest.raises(NotProven):
            open_resource(key, **given)
    with pytest.raises(NotProven):
        open_resource(b"j" * 32, nonce="123456789012", associated_data="transaction", ciphertext=sealed)


def test_key_files_that_are_none() -> None:
    for junk in (b"", b"hello", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(KeyFileError):
            private_key(junk)
        with pytest.raises(KeyFileError):
            public_key(junk)
