"""A push service for tests and the trial (RFC 8030): hands out subscriptions, checks who calls, opens what comes.

It plays both ends that are not ours: the service, which proves our signature (RFC 8292), and the browser, which holds
the private key and really decrypts (RFC 8291). What is wrong is refused with the status a real service would give.
A page of the trial gets its subscription here instead of from its browser; the sandbox phone shows what arrived.
"""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from octshop_rt.core.clock import Clock, Millis
from octshop_rt.sandbox.journal import Journal
from octshop_rt.sandbox.model import SandboxInProduction

Trouble = Literal["", "gone", "busy", "broken", "moved", "slow"]
_DAY_S = 86_400
_MOST_BROWSERS = 200
_MOST_NOTICES = 50
_SLOW_S = 30
_HEADER = re.compile(r"vapid t=([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+), ?k=([A-Za-z0-9_-]+)")
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pushed:
    """One message as the browser read it."""

    body: dict[str, Any]
    topic: str
    urgency: str
    ttl: int


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a device would show, and when it arrived."""

    at: Millis
    topic: str
    body: dict[str, Any]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A browser in the journal."""

    private: str
    auth: str
    key: str


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page gives `PushManager.subscribe`."""

    key: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{87}$(?!\n)")]


@dataclass(kw_only=True, slots=True)
class Browser:
    """One subscription. `key` is the sender's public key it was made for: no other may use it."""

    endpoint: str
    private: ec.EllipticCurvePrivateKey
    auth: bytes
    key: str
    trouble: Trouble = ""
    retry_after: int = 1
    got: list[Pushed] = field(default_factory=list[Pushed])
    refused: list[int] = field(default_factory=list[int])

    @property
    def body(self) -> dict[str, str]:
        """What a page would send us."""
        point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"endpoint": self.endpoint, "p256dh": _b64(point), "auth": _b64(self.auth)}


class SimulatedPushService:
    """Listens on one port; `subscribe` is what a browser does, POST /push/{id} what an application server does."""

    def __init__(self, clock: Clock, *, production: bool, journal: Journal | None = None) -> None:
        if production:
            raise SandboxInProduction
        self._clock = clock
        self._journal = journal
        self._browsers: dict[str, Browser] = {}
        self._notices: deque[Notice] = deque(maxlen=_MOST_NOTICES)
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, host: str, port: int) -> str:
        """Listen; returns what belongs into `[push] sandbox_url`."""
        app = web.Application()
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.at(f"http://{host}:{self._runner.addresses[0][1]}")
        return self.url

    def routes(self) -> list[web.RouteDef]:
        """For another simulator's router; `at` then says where that listens."""
        return [
            web.post("/push/{id}", self._push),
            web.post("/phone/api/browsers", self._subscribe),
            web.get("/phone/api/notices", self._shown),
        ]

    def at(self, url: str) -> None:
        """Reached there from now on; browsers of an earlier start are there again."""
        self.url = url
        kept = self._journal.rows("browser", Kept) if self._journal else {}
        for one, row in list(kept.items())[-_MOST_BROWSERS:]:
            private = ec.derive_private_key(int(row.private, 16), ec.SECP256R1())
            self._browsers[one] = self._browser(one, private, bytes.fromhex(row.auth), row.key)

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def subscribe(self, key: str) -> Browser:
        """A new browser that takes messages of the owner of `key` alone."""
        one = secrets.token_urlsafe(24)
        browser = self._browser(one, ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16), key)
        self._browsers[one] = browser
        if len(self._browsers) > _MOST_BROWSERS:
            del self._browsers[next(iter(self._browsers))]
        if self._journal:
            private = f"{browser.private.private_numbers().private_value:x}"
            self._journal.write("browser", one, Kept(private=private, auth=browser.auth.hex(), key=key))
        return browser

    def _browser(self, one: str, private: ec.EllipticCurvePrivateKey, auth: bytes, key: str) -> Browser:
        return Browser(endpoint=f"{self.url}/push/{one}", private=private, auth=auth, key=key)

    async def _subscribe(self, request: web.Request) -> web.Response:
        """A page asks for what its browser's PushManager would give it."""
        try:
            wish = msgspec.json.decode(await request.read(), type=Wish)
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _unb64(wish.key))
        except (msgspec.MsgspecError, ValueError):
            return web.Response(status=400)
        return _json(self.subscribe(wish.key).body, status=201)

    async def _shown(self, request: web.Request) -> web.Response:
        """What has arrived on devices, newest first."""
        return _json({"items": list(self._notices)})

    async def _push(self, request: web.Request) -> web.Response:
        browser = self._browsers.get(request.match_info["id"])
        if browser is None:
            return web.Response(status=404)
        if browser.trouble == "slow":
            browser.refused.append(0)
            await asyncio.sleep(_SLOW_S)
            return web.Response(status=503)
        status = self._status(request, browser) or self._take(request, browser, await request.read())
        if status != 201:
            browser.refused.append(status)
            headers = {"Retry-After": str(browser.retry_after)} if status == 429 else {}
            return web.Response(status=status, headers=headers | ({"Location": "/"} if status == 307 else {}))
        return web.Response(status=201, headers={"Location": f"{self.url}/message/{secrets.token_urlsafe(12)}"})

    def _status(self, request: web.Request, browser: Browser) -> int:
        """What stands against this request before its body is read; 0: nothing."""
        if browser.trouble:
            return {"gone": 410, "busy": 429, "broken": 503, "moved": 307, "slow": 503}[browser.trouble]
        if not self._signed(request.headers.get("Authorization", ""), browser.key):
            return 403
        ttl, topic = request.headers.get("TTL", ""), request.headers.get("Topic", "x")
        urgent = request.headers.get("Urgency", "normal") in {"very-low", "low", "normal", "high"}
        well = ttl.isdigit() and _TOPIC.fullmatch(topic) and urgent
        return 0 if well and request.headers.get("Content-Encoding") == "aes128gcm" else 400

    def _signed(self, header: str, key: str) -> bool:
        match = _HEADER.fullmatch(header)
        if match is None or match[4] != key:
            return False
        try:
            claims = msgspec.json.decode(_unb64(match[2]), type=dict[str, Any])
            algorithm = msgspec.json.decode(_unb64(match[1]), type=dict[str, Any]).get("alg")
            pair = _unb64(match[3])
            signature = encode_dss_signature(int.from_bytes(pair[:32], "big"), int.from_bytes(pair[32:], "big"))
            public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _unb64(key))
            public.verify(signature, f"{match[1]}.{match[2]}".encode(), ec.ECDSA(hashes.SHA256()))
        except (ValueError, InvalidSignature, msgspec.MsgspecError):
            return False
        now = self._clock.now() // 1000
        in_time = now < int(claims.get("exp", 0)) <= now + _DAY_S
        reachable = str(claims.get("sub", "")).startswith(("mailto:", "https:", "http:"))
        return algorithm == "ES256" and len(pair) == 64 and claims.get("aud") == self.url and in_time and reachable

    def _take(self, request: web.Request, browser: Browser, sealed: bytes) -> int:
        if len(sealed) > 4096:
            return 413
        try:
            body = msgspec.json.decode(opened(sealed, browser.private, browser.auth), type=dict[str, Any])
        except (ValueError, InvalidTag, msgspec.MsgspecError):
            return 400
        topic = request.headers.get("Topic", "")
        pushed = Pushed(
            body=body, topic=topic, urgency=request.headers.get("Urgency", "normal"), ttl=int(request.headers["TTL"])
        )
        browser.got.append(pushed)
        self._notices.appendleft(Notice(at=self._clock.now(), topic=topic, body=body))
        return 201


def opened(sealed: bytes, private: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """A browser's side of RFC 8291. ValueError or InvalidTag for what it cannot read."""
    if len(sealed) < 86 or sealed[20] != 65:
        message = "not one record with a key before it"
        raise ValueError(message)
    salt, theirs = sealed[:16], sealed[21:86]
    mine = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
    secret = _hkdf(shared, auth, b"WebPush: info\x00" + mine + theirs, 32)
    key = _hkdf(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _hkdf(secret, salt, b"Content-Encoding: nonce\x00", 12)
    text = AESGCM(key).decrypt(nonce, sealed[86:], None).rstrip(b"\x00")
    if not text.endswith(b"\x02"):
        message = "the last record ends with 2 and zeros"
        raise ValueError(message)
    return text[:-1]


def _json(answer: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")


def _hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
