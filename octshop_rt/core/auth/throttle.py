"""Slowing down guesses: wrong passwords per account (in MongoDB, for all nodes), tries per network and in all."""

from __future__ import annotations

import ipaddress

from octshop_rt.core.auth import store
from octshop_rt.core.auth.model import Audience, TooManyTries
from octshop_rt.core.clock import MINUTE, SECOND, Clock
from octshop_rt.core.crypto import digest
from octshop_rt.core.mongo import Database
from octshop_rt.core.ratelimit import Limiter, Quota

FREE_TRIES = 5
WINDOW_MS = 15 * MINUTE
FIRST_WAIT_MS = 30 * SECOND
LONGEST_WAIT_MS = 15 * MINUTE

PER_NETWORK = Quota(name="login.network", burst=30, per_ms=15 * MINUTE)
GLOBAL = Quota(name="login.all", burst=300, per_ms=MINUTE)


class LoginThrottle:
    """Per account five free tries in 15 minutes, then a wait that doubles from 30 s up to 15 minutes.

    The wait is never a lock that a stranger can keep on an owner: a device the person has used before is counted
    apart, and signing in by code has counters of its own.
    """

    def __init__(self, *, db: Database, clock: Clock, limiter: Limiter) -> None:
        self._db = db
        self._clock = clock
        self._limiter = limiter

    async def enter(self, audience: Audience, ip: str) -> None:
        """Call before anything of a sign-in is looked at. TooManyTries after many failed ones from this /24
        (IPv6: /56) or from all the world. Right ones cost nothing: many people share an address.
        """
        for quota, key in _counters(audience, ip):
            after_ms = await self._limiter.take(quota, key, count=False)
            if after_ms:
                raise TooManyTries(after_ms=after_ms)

    async def missed(self, audience: Audience, ip: str) -> None:
        """Count a sign-in that `enter` let pass and that failed: wrong, or slowed down by its account."""
        for quota, key in _counters(audience, ip):
            await self._limiter.take(quota, key)

    async def before_password(self, audience: Audience, account: str, device_id: str | None) -> str:
        """The counter's key; TooManyTries while its wait lasts. `device_id` only if the person has used it before."""
        key = digest(f"{audience}\n{account}\n{device_id or ''}")
        guard = await store.guard(self._db, key)
        now = self._clock.now()
        if guard is not None and guard.wait_until > now:
            raise TooManyTries(after_ms=guard.wait_until - now)
        return key

    async def wrong(self, key: str) -> None:
        """Count a wrong password. The same happens for accounts that do not exist."""
        now = self._clock.now()
        guard = await store.count_fail(self._db, key, now, WINDOW_MS)
        if guard is not None and guard.fails >= FREE_TRIES:
            wait = min(FIRST_WAIT_MS * 2 ** min(guard.fails - FREE_TRIES, 10), LONGEST_WAIT_MS)
            await store.wait(self._db, key, now + wait)

    async def right(self, key: str) -> None:
        """A right password ends the counting."""
        await store.forgive(self._db, key)


def _counters(audience: Audience, ip: str) -> tuple[tuple[Quota, str], ...]:
    """The network first: what it refuses costs the world nothing, so one network cannot keep all others out."""
    return (PER_NETWORK, f"{audience}:{network(ip)}"), (GLOBAL, str(audience))


def network(ip: str) -> str:
    """The /24 of an IPv4 address, the /56 of an IPv6 one; anything else as it is."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    bits = 24 if address.version == 4 else 56
    return str(ipaddress.ip_network((address, bits), strict=False))
