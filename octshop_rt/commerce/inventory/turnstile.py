"""A turnstile per SKU: inside one process, checkouts of the same goods go one after another.

MongoDB aborts the later of two transactions that write one document, and the driver runs it again from the start: two
hundred buyers on one SKU would mostly repeat each other's work and some would run out of time. In a queue each waits
for a commit of a few milliseconds instead. Two processes still meet in the database, which stays the judge.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence


class Turnstile:
    """Locks by key, made when wanted and dropped when nobody waits."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._wanted: dict[str, int] = {}

    @contextlib.asynccontextmanager
    async def through(self, keys: Sequence[str]) -> AsyncGenerator[None]:
        """Hold all `keys`; always taken in sorted order, so that two holders cannot wait for each other."""
        async with contextlib.AsyncExitStack() as held:
            for key in sorted(set(keys)):
                await held.enter_async_context(self._one(key))
            yield

    @contextlib.asynccontextmanager
    async def _one(self, key: str) -> AsyncGenerator[None]:
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._wanted[key] = self._wanted.get(key, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._wanted[key] -= 1
            if not self._wanted[key]:
                del self._wanted[key]
                del self._locks[key]
