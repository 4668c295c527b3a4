"""The only file that tells time: UTC in whole milliseconds, and the business day in Asia/Shanghai."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta

Millis = Annotated[int, Meta(ge=0, le=2**53 - 1, description="UTC milliseconds since 1970-01-01")]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Clock:
    """Wall clock. Inject it; never call `time` or `datetime.now` elsewhere."""

    def now(self) -> Millis:
        """UTC milliseconds."""
        return time.time_ns() // 1_000_000


class TestClock(Clock):
    """A clock that moves only when told to. Shipped because rehearsals use it too, not only tests."""

    __test__ = False

    def __init__(self, start: Millis = 1_790_000_000_000) -> None:
        self._now = start

    def now(self) -> Millis:
        """The time last set."""
        return self._now

    def advance(self, ms: int) -> Millis:
        """Move forward by `ms` milliseconds and return the new time."""
        if ms < 0:
            message = "a test clock only moves forward"
            raise ValueError(message)
        self._now += ms
        return self._now


def monotonic_ms() -> int:
    """Milliseconds that never jump, for measuring durations; unrelated to the wall clock."""
    return time.monotonic_ns() // 1_000_000


def as_datetime(ms: Millis) -> datetime:
    """An aware UTC datetime, for the places that need one (TTL indexes, certificates, RFC 3339 fields)."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC)


def from_datetime(moment: datetime) -> Millis:
    """Milliseconds of an aware datetime."""
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))


def business_day(ms: Millis) -> str:
    """The day a shop would write on its books, `YYYY-MM-DD` in Asia/Shanghai."""
    return as_datetime(ms).astimezone(SHANGHAI).strftime("%Y-%m-%d")


def business_day_bounds(day: str) -> tuple[Millis, Millis]:
    """First millisecond of `day` and of the day after, for half-open range queries. ValueError on a bad day."""
    start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=SHANGHAI)
    return from_datetime(start), from_datetime(start + timedelta(days=1))
