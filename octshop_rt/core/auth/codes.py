"""Sign-in codes by text message: six digits, ten minutes, five tries, one use; and who may be sent how many."""

from __future__ import annotations

import secrets
from typing import Any, Literal, Protocol

import aiohttp
import structlog
from msgspec import Struct

from octshop_rt.core.auth import store
from octshop_rt.core.auth.model import Audience, CodeNotSent, CodeTooSoon, TooManyTries
from octshop_rt.core.auth.throttle import network
from octshop_rt.core.clock import DAY, HOUR, MINUTE, SECOND, Clock, Millis
from octshop_rt.core.crypto import mac, same
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.core.ratelimit import Limiter, Quota
from octshop_rt.core.tasks import TaskRegistry

log = structlog.get_logger(__name__)

CODE_MS = 10 * MINUTE
TRIES = 5
SEND_SECONDS = 8
# In any span of this length at most so many codes to one phone.
SENDS: tuple[tuple[int, int], ...] = ((MINUTE, 1), (HOUR, 5), (DAY, 10))
PER_NETWORK = Quota(name="code.network", burst=60, per_ms=HOUR)
GLOBAL = Quota(name="code.all", burst=600, per_ms=MINUTE)


class CodeSender(Protocol):
    """Brings a code to a phone. Real ones: HttpSender, InboxSender."""

    async def send(self, phone: str, code: str, purpose: str) -> None:
        """Raises CodeNotSent if the provider did not take it; asking again is safe."""
        ...


class InboxMessage(Struct, frozen=True, kw_only=True):
    """A text message as the demo phone shows it."""

    phone: str
    code: str
    purpose: str
    sent_at: Millis


class InboxSender:
    """For demo and tests: codes stay in memory, for the sandbox phone to show. Production refuses it at the start."""

    def __init__(self, clock: Clock, *, most: int = 50) -> None:
        self._clock = clock
        self._most = most
        self._messages: list[InboxMessage] = []

    async def send(self, phone: str, code: str, purpose: str) -> None:
        """See CodeSender."""
        message = InboxMessage(phone=phone, code=code, purpose=purpose, sent_at=self._clock.now())
        self._messages = [message, *self._messages][: self._most]

    def messages(self, phone: str | None = None) -> list[InboxMessage]:
        """Newest first."""
        return [message for message in self._messages if phone in {None, message.phone}]


class HttpSender:
    """POSTs `{"phone": "+86…", "code": "123456", "purpose": "login"}` to a gateway of the operator's own.

    `Authorization: Bearer <token>` is sent if a token is configured; any 2xx within eight seconds means taken. The
    gateway turns it into its provider's call (Aliyun, Tencent Cloud, …), so no provider's SDK lives here.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str = "") -> None:
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def send(self, phone: str, code: str, purpose: str) -> None:
        """See CodeSender."""
        body: dict[str, Any] = {"phone": f"+86{phone}", "code": code, "purpose": purpose}
        limit = aiohttp.ClientTimeout(total=SEND_SECONDS)
        try:
            async with self._session.post(
                self._url, json=body, headers=self._headers, timeout=limit, allow_redirects=False
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            log.warning("code sender away", fault=type(fault).__name__)
            raise CodeNotSent from None
        if not 200 <= status < 300:
            log.warning("code sender refused", status=status)
            raise CodeNotSent


class LoginCodes:
    """Sends and checks codes. What is stored is keyed by HMAC, so the collection holds no phone number and no code."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        limiter: Limiter,
        sender: CodeSender,
        key: bytes,
        tasks: TaskRegistry,
    ) -> None:
        self._db = db
        self._clock = clock
        self._limiter = limiter
        self._sender = sender
        self._key = key
        self._tasks = tasks

    async def send(
        self, audience: Audience, phone: str, ip: str, *, known: bool, purpose: Literal["login"] = "login"
    ) -> None:
        """Send a code. CodeTooSoon beyond 1 a minute, 5 an hour, 10 a day; the same for phones we do not know.

        With `known` false everything is counted and stored but nothing is sent. Only buyers, who are all known, wait
        for the provider: elsewhere its delay would tell whether the phone belongs to somebody.
        """
        for quota, who in ((PER_NETWORK, network(ip)), (GLOBAL, "")):
            after_ms = await self._limiter.take(quota, who)
            if after_ms:
                raise CodeTooSoon(after_ms=after_ms)
        now = self._clock.now()
        key = self._id(audience, phone)
        before = await store.code(self._db, key)
        sent = tuple(at for at in (before.sent if before else ()) if at > now - DAY)
        _check_sends(sent, now)
        code = f"{secrets.randbelow(1_000_000):06d}"
        row = store.LoginCode(
            id=key,
            code_hash=self._hash(key, code),
            until=now + CODE_MS,
            tries=0,
            sent=(*sent, now),
        )
        try:
            first = await store.put_code(self._db, row, before)
        except DuplicateKey:
            first = False
        if not first:  # two requests at once: the other one sends
            raise CodeTooSoon(after_ms=MINUTE)
        if known and audience is Audience.BUYER:
            await self._sender.send(phone, code, purpose)
        elif known:
            self._tasks.spawn(self._sender.send(phone, code, purpose), name="login code")

    async def check(self, audience: Audience, phone: str, code: str) -> bool:
        """Whether this is the code, in time and for the first time. TooManyTries after five wrong ones."""
        key = self._id(audience, phone)
        now = self._clock.now()
        row = await store.try_code(self._db, key, now, TRIES)
        if row is None or row.code_hash is None:
            last = await store.code(self._db, key)
            if last is not None and last.tries >= TRIES and last.until > now:
                raise TooManyTries(after_ms=max(last.until - now, SECOND))
            return False
        given = self._hash(key, code)
        return same(given, row.code_hash) and await store.use_code(self._db, key, given)

    def _id(self, audience: Audience, phone: str) -> str:
        return mac(self._key, f"phone\n{audience}\n{phone}".encode()).hex()

    def _hash(self, key: str, code: str) -> str:
        return mac(self._key, f"code\n{key}\n{code}".encode()).hex()


def _check_sends(sent: tuple[Millis, ...], now: Millis) -> None:
    for span, most in SENDS:
        within = [at for at in sent if at > now - span]
        if len(within) >= most:
            raise CodeTooSoon(after_ms=max(within[-most] + span - now, 1))
