"""Slowing down guesses: wrong passwords per account (in MongoDB, for all nodes), tries per network and in all."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import AsyncGenerator

from octshop_rt.core.auth import store
from octshop_rt.core.auth.model import Audience, TooManyTries, WrongCredentials
from octshop_rt.core.clock import MINUTE, SECOND, Clock
from octshop_rt.core.crypto import digest
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.core.ratelimit import Limiter, Quota

FREE_TRIES = 5
WINDOW_MS = 15 * MINUTE
FIRST_WAIT_MS = 30 * SECOND
LONGEST_WAIT_MS = 15 * MINUTE

# Counted before the answer is known, so a shop whose thirty phones sign in at once must fit into it.
PER_NETWORK = Quota(name="login.network", burst=60, per_ms=30 * MINUTE)
GLOBAL = Quota(name="login.all", burst=300, per_ms=MINUTE)
_TRIES = 20


class LoginThrottle:
    """Per account five free tries in 15 minutes, then a wait that doubles from 30 s up to 15 minutes.

    A try is counted before it is looked at and given back when it was right, so that many at once are no more tries
    than one after the other. The wait is never a lock that a stranger can keep on an owner: a device the person has
    used before is counted apart, and signing in by code has counters of its own.
    """

    def __init__(self, *, db: Database, clock: Clock, limiter: Limiter) -> None:
        self._db = db
        self._clock = clock
        self._limiter = limiter

    @contextlib.asynccontextmanager
    async def entering(self, audience: Audience, ip: str) -> AsyncGenerator[None]:
        """Around a whole sign-in. TooManyTries after many failed ones from this /24 (IPv6: /56) or from all the world.

        Failed is wrong, or slowed down by its account; everything else costs nothing: many people share an address.
        What the network refuses costs the world nothing, so one network cannot keep all others out.
        """
        place, world = f"{audience}:{network(ip)}", str(audience)
        after_ms = await self._limiter.take(GLOBAL, world, count=False) or await self._limiter.take(PER_NETWORK, place)
        if after_ms:
            raise TooManyTries(after_ms=after_ms)
        failed = False
        try:
            yield
        except (WrongCredentials, TooManyTries):
            failed = True
            raise
        finally:
            if failed:
                await self._limiter.take(GLOBAL, world)
            else:
                await self._limiter.give_back(PER_NETWORK, place)

    @contextlib.asynccontextmanager
    async def guessing(self, audience: Audience, account: str, device_id: str | None) -> AsyncGenerator[None]:
        """Around one look at a password; TooManyTries while a wait lasts. `device_id` only if used before.

        WrongCredentials inside it leaves the try counted, also for accounts that do not exist; a right one ends the
        counting; one that could not be looked at was none.
        """
        key = digest(f"{audience}\n{account}\n{device_id or ''}")
        await self._count(key)
        try:
            yield
        except WrongCredentials:
            raise
        except BaseException:
            await store.take_back_guess(self._db, key)
            raise
        await store.forgive(self._db, key)

    async def _count(self, key: str) -> None:
        for _ in range(_TRIES):
            now = self._clock.now()
            try:
                await store.count_guess(
                    self._db,
                    key,
                    now,
                    window_ms=WINDOW_MS,
                    free=FREE_TRIES,
                    first_wait_ms=FIRST_WAIT_MS,
                    longest_wait_ms=LONGEST_WAIT_MS,
                )
            except DuplicateKey:
                guard = await store.guard(self._db, key)
                if guard is not None and guard.wait_until > now:
                    raise TooManyTries(after_ms=guard.wait_until - now) from None
                continue  # two first guesses at once, or the wait has just been lifted: once more
            return
        raise TooManyTries(after_ms=FIRST_WAIT_MS)


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
