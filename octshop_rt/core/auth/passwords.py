"""Passwords: argon2id in a small pool of threads with a short queue, so that signing in cannot eat the machine.

t=2, m=19 MiB, p=1 (OWASP's minimum; 26 ms on the reference machine, and the GIL is released meanwhile).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from octshop_rt.core.auth.model import SignInBusy

T = TypeVar("T")

MIN_LENGTH = 8  # 15 and more is recommended to staff; no rules of composition
MAX_LENGTH = 128
QUEUE = 32
_BUSY_AFTER_MS = 1_000


class Passwords:
    """Hashes and verifies. Beyond `queue` waiting passwords it refuses with SignInBusy instead of queueing on."""

    def __init__(self, *, threads: int = 2, queue: int = QUEUE) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="argon2")
        self._room = threads + queue
        self._waiting = 0
        # Verified for accounts that do not exist or have no password, so that they take the same time.
        self._dummy = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """The string to store, with its own salt and parameters."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether `password` is the one of `stored`. None costs the same time and is never right."""
        matches = await self._run(lambda: self._matches(stored or self._dummy, password))
        return matches and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether `stored` was made with other parameters than today's and should be made anew at this sign-in."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._room:
            raise SignInBusy(after_ms=_BUSY_AFTER_MS)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1
