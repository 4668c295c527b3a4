"""Rate limits (GCRA): an in-process limiter and its Redis twin for several nodes. Limits may forget; they never lie."""

from __future__ import annotations

from typing import Protocol

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from octshop_rt.core.clock import Clock

log = structlog.get_logger(__name__)


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """`burst` at once, `burst` per `per_ms` in the long run. `name` keeps the keys of two quotas apart."""

    name: str
    burst: int
    per_ms: int

    @property
    def step_us(self) -> int:
        """Microseconds that one take uses up."""
        return self.per_ms * 1000 // self.burst


class Limiter(Protocol):
    """Two real ones: LocalLimiter and RedisLimiter."""

    async def take(self, quota: Quota, key: str, *, count: bool = True) -> int:
        """0 if one more is within the quota of `key`, else in how many ms it will be.

        What is within is counted, what is not is not; with `count` false this only looks.
        """
        ...

    async def give_back(self, quota: Quota, key: str) -> None:
        """Undo one counted take: it was asked for beforehand and has turned out to cost nothing."""
        ...


class LocalLimiter:
    """The in-process twin: one dict of arrival times, swept as it grows."""

    def __init__(self, clock: Clock, *, most_keys: int = 100_000) -> None:
        self._clock = clock
        self._most_keys = most_keys
        self._full_at: dict[tuple[str, str], int] = {}

    async def take(self, quota: Quota, key: str, *, count: bool = True) -> int:
        """See Limiter."""
        now_us = self._clock.now() * 1000
        full_at = max(self._full_at.get((quota.name, key), now_us), now_us) + quota.step_us
        over_us = full_at - now_us - quota.per_ms * 1000
        if over_us > 0:
            return -(-over_us // 1000)
        if not count:
            return 0
        if len(self._full_at) >= self._most_keys:
            self._sweep(now_us)
        self._full_at[quota.name, key] = full_at
        return 0

    async def give_back(self, quota: Quota, key: str) -> None:
        """See Limiter."""
        full_at = self._full_at.get((quota.name, key))
        if full_at is not None:
            self._full_at[quota.name, key] = full_at - quota.step_us

    def _sweep(self, now_us: int) -> None:
        self._full_at = {key: at for key, at in self._full_at.items() if at > now_us}
        # All of them busy: forget the oldest half rather than grow without end.
        if len(self._full_at) >= self._most_keys:
            oldest = sorted(self._full_at, key=lambda key: self._full_at[key])[: self._most_keys // 2]
            for key in oldest:
                del self._full_at[key]


# Redis keeps the time so that nodes with different clocks count alike. One key, so it works on a cluster.
_GCRA = """
local now = redis.call('TIME')
local now_us = now[1] * 1000000 + now[2]
local step = tonumber(ARGV[1])
local window = tonumber(ARGV[2])
local full_at = tonumber(redis.call('GET', KEYS[1]) or now_us)
if full_at < now_us then full_at = now_us end
full_at = full_at + step
local over = full_at - now_us - window
if over > 0 then return math.ceil(over / 1000) end
if ARGV[3] == '0' then return 0 end
redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now_us) / 1000) + 1)
return 0
"""

_BACK = """
local full_at = redis.call('GET', KEYS[1])
if full_at then redis.call('SET', KEYS[1], string.format('%.0f', tonumber(full_at) - tonumber(ARGV[1])), 'KEEPTTL') end
return 0
"""


class RedisLimiter:
    """The twin for several nodes. While Redis does not answer, each node limits by itself with the local one."""

    def __init__(self, redis: Redis, clock: Clock, *, prefix: str = "octshop:limit") -> None:
        # redis-py's register_script copes with a restarted server that has lost the script.
        self._gcra = redis.register_script(_GCRA)
        self._back = redis.register_script(_BACK)
        self._prefix = prefix
        self._local = LocalLimiter(clock)

    async def take(self, quota: Quota, key: str, *, count: bool = True) -> int:
        """See Limiter."""
        try:
            answer = await self._gcra(
                keys=[f"{self._prefix}:{quota.name}:{key}"], args=[quota.step_us, quota.per_ms * 1000, int(count)]
            )
        except (RedisError, OSError, TimeoutError) as fault:
            log.warning("redis limiter away, limiting locally", fault=repr(fault))
            return await self._local.take(quota, key, count=count)
        return int(answer)

    async def give_back(self, quota: Quota, key: str) -> None:
        """See Limiter."""
        try:
            await self._back(keys=[f"{self._prefix}:{quota.name}:{key}"], args=[quota.step_us])
        except (RedisError, OSError, TimeoutError) as fault:
            log.warning("redis limiter away, limiting locally", fault=repr(fault))
            await self._local.give_back(quota, key)
