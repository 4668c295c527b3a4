"""The simulator's own keys: the platform's certificates; for each merchant a key, a certificate, an APIv3 key."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from octshop_rt.core.clock import Clock, as_datetime
from octshop_rt.sandbox.model import Merchant

_BITS = 2048
_YEARS_10 = timedelta(days=3650)


class SigningKey:
    """One key the simulator signs with, under the serial number or key id that names it in the headers."""

    def __init__(self, private_key: rsa.RSAPrivateKey, serial_no: str) -> None:
        self.private_key = private_key
        self.serial_no = serial_no

    @property
    def public_pem(self) -> bytes:
        """The public half."""
        return self.private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


class PlatformKey(SigningKey):
    """A signing key known by a certificate."""

    def __init__(self, private_key: rsa.RSAPrivateKey, certificate: x509.Certificate) -> None:
        super().__init__(private_key, serial_of(certificate))
        self.certificate = certificate

    @property
    def pem(self) -> str:
        """The certificate, as merchants download it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


def serial_of(certificate: x509.Certificate) -> str:
    """The serial number as the channel writes it: upper-case hexadecimal."""
    return f"{certificate.serial_number:X}"


def _write_private(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


def _make(folder: Path, name: str, clock: Clock) -> None:
    """A fresh key and a self-signed certificate as `<name>_key.pem` and `<name>_cert.pem`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"octshop sandbox {name}")])
    born = as_datetime(clock.now()) - timedelta(days=365)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(born)
        .not_valid_after(born + _YEARS_10)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write_private(folder / f"{name}_key.pem", pem)
    (folder / f"{name}_cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _load(folder: Path, name: str) -> PlatformKey:
    # Made by `_make`, in a folder of ours: that it is a good key need not be proved anew at each start (40 ms a key).
    pem = (folder / f"{name}_key.pem").read_bytes()
    key = serialization.load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{folder / name}: not an RSA key")
    return PlatformKey(key, x509.load_pem_x509_certificate((folder / f"{name}_cert.pem").read_bytes()))


class KeyRing:
    """All keys below `folder`, made on first use and kept. Files with secrets are readable by their owner only."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / "platform1_key.pem").exists():
            _make(folder, "platform1", clock)
        names = (path.name.removesuffix("_key.pem") for path in folder.glob("platform*_key.pem"))
        numbers = sorted(int(name.removeprefix("platform")) for name in names)
        self.platform = [_load(folder, f"platform{number}") for number in numbers]
        if not (folder / "public_key.pem").exists():
            _make(folder, "public", clock)
        public = _load(folder, "public")
        self.public = SigningKey(public.private_key, f"PUB_KEY_ID_{public.certificate.serial_number % 10**30:030d}")
        self.public_key_file = folder / "public_pub.pem"
        self.public_key_file.write_bytes(self.public.public_pem)

    @property
    def newest(self) -> PlatformKey:
        """The one that signs; older ones stay valid and downloadable."""
        return self.platform[-1]

    def rotate(self) -> PlatformKey:
        """From now on sign with a new certificate, as the channel does before an old one runs out."""
        name = f"platform{len(self.platform) + 1}"
        _make(self._folder, name, self._clock)
        self.platform.append(_load(self._folder, name))
        return self.newest

    def merchant(self, mchid: str, appid: str, name: str) -> Merchant:
        """The merchant `mchid`; its keys are made when first asked for."""
        folder = self._folder / mchid
        folder.mkdir(exist_ok=True, mode=0o700)
        if not (folder / "apiclient_key.pem").exists():
            _make(folder, "apiclient", self._clock)
        apiv3 = folder / "apiv3_key.txt"
        if not apiv3.exists():
            _write_private(apiv3, secrets.token_hex(16).encode())
        return Merchant(
            mchid=mchid,
            appid=appid,
            name=name,
            serial_no=_load(folder, "apiclient").serial_no,
            private_key_file=str(folder / "apiclient_key.pem"),
            certificate_file=str(folder / "apiclient_cert.pem"),
            apiv3_key_file=str(apiv3),
        )
