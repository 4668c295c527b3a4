"""One contract for both limiters: the in-process one and the one in Redis (a real server)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio import Redis

from octshop_rt.core.clock import Clock, TestClock
from octshop_rt.core.ratelimit import Limiter, LocalLimiter, Quota, RedisLimiter


@pytest.fixture(params=["local", "redis"])
async def limiter(request: pytest.FixtureRequest) -> AsyncIterator[Limiter]:
    if request.param == "local":
        yield LocalLimiter(Clock())
        return
    url: str = request.getfixturevalue("redis_url")
    redis = Redis.from_url(url)
    await redis.flushall()
    yield RedisLimiter(redis, Clock())
    await redis.aclose()


async def test_a_burst_then_one_by_one(limiter: Limiter) -> None:
    quota = Quota(name="t", burst=5, per_ms=5_000)
    began = time.monotonic()
    answers = [await limiter.take(quota, "a") for _ in range(6)]
    spent_ms = (time.monotonic() - began) * 1000
    assert answers[:5] == [0] * 5
    assert 1_000 - spent_ms - 1 <= answers[5] <= 1_000
    await asyncio.sleep(answers[5] / 1000 + 0.002)
    assert await limiter.take(quota, "a") == 0  # no later than it said
    assert await limiter.take(quota, "a") > 0


async def test_refused_takes_cost_nothing(limiter: Limiter) -> None:
    quota = Quota(name="t", burst=1, per_ms=1_500)
    assert await limiter.take(quota, "a") == 0
    for _ in range(20):
        assert 0 < await limiter.take(quota, "a") <= 1_500
    await asyncio.sleep(1.51)
    assert await limiter.take(quota, "a") == 0


async def test_looking_counts_nothing(limiter: Limiter) -> None:
    quota = Quota(name="t", burst=2, per_ms=60_000)
    for _ in range(5):
        assert await limiter.take(quota, "a", count=False) == 0
    assert [await limiter.take(quota, "a") for _ in range(2)] == [0, 0]
    assert await limiter.take(quota, "a", count=False) > 0


async def test_what_is_given_back_may_be_taken_again(limiter: Limiter) -> None:
    quota = Quota(name="back", burst=2, per_ms=3_600_000)
    await limiter.give_back(quota, "a")  # nothing to give back, and nothing gained by it
    assert [await limiter.take(quota, "a") for _ in range(2)] == [0, 0]
    assert await limiter.take(quota, "a") > 0
    await limiter.give_back(quota, "a")
    assert await limiter.take(quota, "a") == 0
    assert await limiter.take(quota, "a") > 0


async def test_keys_and_quotas_are_apart(limiter: Limiter) -> None:
    one, other = (Quota(name=name, burst=1, per_ms=60_000) for name in ("one", "other"))
    assert await limiter.take(one, "a") == 0
    assert await limiter.take(one, "b") == 0
    assert await limiter.take(other, "a") == 0
    assert await limiter.take(one, "a") > 0


async def test_exactly_the_burst_however_many_ask_at_once(limiter: Limiter) -> None:
    quota = Quota(name="t", burst=20, per_ms=3_600_000)
    answers = await asyncio.gather(*(limiter.take(quota, "a") for _ in range(100)))
    assert answers.count(0) == 20


async def test_odd_figures_do_not_lose_a_take(limiter: Limiter) -> None:
    quota = Quota(name="t", burst=7, per_ms=1_000)  # 1000 / 7 is no whole number
    assert [await limiter.take(quota, "a") for _ in range(7)] == [0] * 7
    assert await limiter.take(quota, "a") > 0


@pytest.mark.parametrize("break_it", ["flush", "script"])
async def test_redis_may_forget(redis_url: str, break_it: str) -> None:
    redis = Redis.from_url(redis_url)
    limiter = RedisLimiter(redis, Clock())
    quota = Quota(name="forget", burst=1, per_ms=60_000)
    await limiter.take(quota, break_it)
    forget: Callable[[], object] = redis.flushall if break_it == "flush" else redis.script_flush
    await forget()
    answer = await limiter.take(quota, break_it)
    assert (answer == 0) is (break_it == "flush")
    await redis.aclose()


async def test_without_redis_each_node_limits_by_itself() -> None:
    limiter = RedisLimiter(Redis.from_url("redis://127.0.0.1:1"), TestClock())
    quota = Quota(name="t", burst=2, per_ms=60_000)
    assert [await limiter.take(quota, "a") for _ in range(3)] == [0, 0, 30_000]


async def test_the_local_one_does_not_grow_without_end(clock: TestClock) -> None:
    limiter = LocalLimiter(clock, most_keys=100)
    quota = Quota(name="t", burst=1, per_ms=1_000)
    for number in range(1_000):
        await limiter.take(quota, str(number))
    assert len(limiter._full_at) <= 100
    assert await limiter.take(quota, "999") > 0  # the youngest are kept
