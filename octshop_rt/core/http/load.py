"""How much is carried at once: requests at work, and bodies still on their way, in all and from one address."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Final

from aiohttp import web

from octshop_rt.core.errors import Busy, RateLimited
from octshop_rt.core.http.refusals import TooLarge, TooSlow

MOST_AT_WORK: Final = 1_000
MOST_READING: Final = 1_000
# Thirty phones behind one address that all send photos at once are far from it.
READING_EACH: Final = 100
BODY_SECONDS: Final = 15
_AFTER_MS: Final = 1_000


class Load:
    """Counts for one server. A slow client costs a place among those that send, never one among those we work for."""

    def __init__(
        self, *, at_work: int = MOST_AT_WORK, reading: int = MOST_READING, reading_each: int = READING_EACH
    ) -> None:
        self.most_at_work = at_work
        self.most_reading = reading
        self.reading_each = reading_each
        self.at_work = 0
        self._reading: dict[asyncio.Timeout, str] = {}  # longest first
        self._each: Counter[str] = Counter()
        self._closing = False

    @property
    def reading(self) -> int:
        """Bodies on their way."""
        return len(self._reading)

    def close(self) -> None:
        """The server stops: nobody waits for a body any more."""
        self._closing = True
        for limit in list(self._reading):
            self._cut(limit)

    def arriving(self, limit: asyncio.Timeout, address: str) -> None:
        """A body is awaited until `limit`: so many of one address; of all so many, then the longest gives way."""
        if self._closing:
            raise Busy(after_ms=_AFTER_MS)
        if self._each[address] >= self.reading_each:
            raise RateLimited(after_ms=_AFTER_MS)
        if len(self._reading) >= self.most_reading:
            self._cut(next(iter(self._reading)))
        self._reading[limit] = address
        self._each[address] += 1

    def arrived(self, limit: asyncio.Timeout) -> None:
        """It is here, or given up."""
        address = self._reading.pop(limit, None)
        if address is not None:
            self._each[address] -= 1
            if not self._each[address]:
                del self._each[address]

    def _cut(self, limit: asyncio.Timeout) -> None:
        self.arrived(limit)
        if not limit.expired():
            limit.reschedule(asyncio.get_running_loop().time())


class Place:
    """One request's place among those at work: from when it is let in until its answer begins."""

    def __init__(self, load: Load, address: str) -> None:
        self._load = load
        self._address = address
        self._held = False

    def enter(self) -> None:
        """Busy if all places are taken."""
        if self._held:
            return
        if self._load.at_work >= self._load.most_at_work:
            raise Busy(after_ms=_AFTER_MS)
        self._load.at_work += 1
        self._held = True

    def leave(self) -> None:
        """Make room: for good, or while the request waits for something that is not ours to hurry."""
        if self._held:
            self._load.at_work -= 1
            self._held = False

    @contextlib.asynccontextmanager
    async def reading(self, seconds: float) -> AsyncGenerator[None]:
        """While the client sends. TooSlow after `seconds`; RateLimited and Busy when too many send or are at work."""
        limit = asyncio.timeout(seconds)
        self._load.arriving(limit, self._address)
        self.leave()
        try:
            async with limit:
                yield
        except TimeoutError:
            raise TooSlow from None
        finally:
            self._load.arrived(limit)
        self.enter()


PLACE: Final = web.RequestKey("place", Place)


async def read(request: web.Request, most: int) -> bytes:
    """The body, no longer than `most` and no slower than 15 s. Otherwise the connection is of no more use."""
    if request.content_length is not None and request.content_length > most:
        raise TooLarge(limit=most)
    if request.content.is_eof():  # it came with the headers: there is nothing to wait for
        return await _collect(request, most)
    async with request[PLACE].reading(BODY_SECONDS):
        return await _collect(request, most)


async def _collect(request: web.Request, most: int) -> bytes:
    data = bytearray()
    async for chunk in request.content.iter_any():
        data += chunk
        if len(data) > most:
            raise TooLarge(limit=most)
    return bytes(data)
