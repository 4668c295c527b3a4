"""The only file that tells time: UTC in whole milliseconds, and the business day in Asia/Shanghai."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

Millis = Annotated[int, Meta(ge=0, le=2**53 - 1, description="UTC milliseconds since 1970-01-01")]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

SHANGHAI = ZoneInfo("Asia/Shanghai")

_LAST = 8  # of what was heard of the store's time
_DRIFT_MS = 20  # that two good clocks may part while so many are heard


class Clock:
    """Wall clock. Inject it; never call `time` or `datetime.now` elsewhere."""

    def now(self) -> Millis:
        """UTC milliseconds."""
        return wall_ms()


class Heard(Struct, frozen=True):
    """What one question told of the store's time: how far it is ahead of this process's steady clock, and how wrong
    that may be, since nobody knows where between question and answer the store looked at its clock.
    """

    ahead: int
    doubt: int


class _Held(Struct, frozen=True):
    """At `at` of the steady clock it was `told` at the store, and this process had said `lead` more."""

    at: int
    told: Millis
    lead: int


class StoreClock(Clock):
    """The store's time is the time: what all nodes write together is dated by one clock, however wrong each one's own
    may be. Between two questions it runs on the steady clock, which nobody sets. It never steps back: what it
    has said too much is worked off at half speed. Until it has heard once it is this machine's own.
    """

    def __init__(self, wall: Callable[[], Millis] | None = None, steady: Callable[[], int] | None = None) -> None:
        self._wall = wall or wall_ms
        self._steady = steady or steady_ms
        self._heard: tuple[Heard, ...] = ()
        self._held: _Held | None = None

    def now(self) -> Millis:
        """The store's time."""
        held = self._held
        if held is None:
            return self._wall()
        since = self._steady() - held.at
        return held.told + since + max(0, held.lead - since // 2)

    def steady(self) -> int:
        """By which `hear` is told when a question was put and answered."""
        return self._steady()

    def hear(self, asked: int, answered: int, told: Millis) -> None:
        """The store was asked its time, and answered `told`."""
        half = (answered - asked) // 2
        self._heard = agreeing([*self._heard, Heard(told + half - answered, half + 1)])
        best = min(self._heard, key=lambda one: one.doubt)
        at = self._steady()
        lead = 0 if self._held is None else max(0, self.now() - at - best.ahead)
        self._held = _Held(at, at + best.ahead, lead)

    @property
    def skew_ms(self) -> int:
        """How far this machine's own clock is ahead of the store's time."""
        return self._wall() - self.now()


def agreeing(heard: Sequence[Heard]) -> tuple[Heard, ...]:
    """Those of the last few that the newest one does not contradict: when the store's clock was set, or another member
    answers, what was heard before is worth nothing.
    """
    newest = heard[-1]
    return tuple(one for one in heard[-_LAST:] if abs(one.ahead - newest.ahead) <= one.doubt + newest.doubt + _DRIFT_MS)


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


def wall_ms() -> Millis:
    """What this machine holds for the time; a process that has a clock asks that."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """As `monotonic_ms`, and, where the system can, going on while the machine sleeps."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000_000


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
