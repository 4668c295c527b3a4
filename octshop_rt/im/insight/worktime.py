"""Working time from the record of shifts, pure: who was at work, in which state and why, and with buyers in hand.

At work is whoever is there (a socket or a heartbeat says so) and has not chosen to be offline. Every stretch is cut at
the midnights of the shop's day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from octshop_rt.core.clock import Millis, business_day, business_day_bounds

Status = Literal["online", "busy", "away", "offline"]
Span = tuple[Millis, Millis]


class Mark(Struct, frozen=True, kw_only=True):
    """One line of the record. `by_other`: a manager chose it, which makes nobody be there."""

    at: Millis
    was: Status | None
    now: Status | Literal["gone", "back"]
    reason: str = ""
    by_other: bool = False


class Stretch(Struct, frozen=True, kw_only=True):
    """At work in one state, [since, until)."""

    status: Status
    reason: str
    since: Millis
    until: Millis


class Pause(Struct, frozen=True, kw_only=True):
    """How long somebody at work took no new buyers, and why, in the words they chose."""

    status: Literal["busy", "away"]
    reason: str
    ms: int


class Work(Struct, frozen=True, kw_only=True):
    """`work_ms` is `online_ms` and all pauses. `serving_ms`: of it, not away and with at least one buyer in hand."""

    work_ms: int
    online_ms: int
    serving_ms: int
    pauses: list[Pause]


def stretches(marks: Iterable[Mark], end: Millis) -> list[Stretch]:
    """What the record says until `end`. Of the time before its first line nothing is known, so nobody was there."""
    found: list[Stretch] = []
    status: Status = "offline"
    reason, there, since = "", False, 0
    for mark in marks:
        if mark.at >= end:
            break
        if there and status != "offline" and mark.at > since:
            found.append(Stretch(status=status, reason=reason, since=since, until=mark.at))
        since = mark.at
        if mark.now == "gone":
            there = False
        elif mark.now == "back":
            if mark.was is not None and mark.was != status:
                status, reason = mark.was, ""
            there = True
        else:
            status, reason = mark.now, mark.reason
            there = there or not mark.by_other
    if there and status != "offline" and end > since:
        found.append(Stretch(status=status, reason=reason, since=since, until=end))
    return found


def days_of(found: Sequence[Stretch], served: Iterable[Span], since: Millis, until: Millis) -> dict[str, Work]:
    """By day of the shop, [since, until): days on which they were at work. `served`: when each buyer was in hand."""
    taking = [(one.since, one.until) for one in found if one.status != "away"]
    hands = both(merged(taking), merged(served))
    parts: dict[str, list[Stretch]] = {}
    for one in found:
        for day, start, end in cut((one.since, one.until), since, until):
            piece = Stretch(status=one.status, reason=one.reason, since=start, until=end)
            parts.setdefault(day, []).append(piece)
    serving: dict[str, int] = {}
    for span in hands:
        for day, start, end in cut(span, since, until):
            serving[day] = serving.get(day, 0) + end - start
    return {day: _work(pieces, serving.get(day, 0)) for day, pieces in sorted(parts.items())}


def together(works: Iterable[Work]) -> Work:
    """Added up."""
    work_ms = online_ms = serving_ms = 0
    pauses: dict[tuple[Literal["busy", "away"], str], int] = {}
    for one in works:
        work_ms, online_ms, serving_ms = work_ms + one.work_ms, online_ms + one.online_ms, serving_ms + one.serving_ms
        for pause in one.pauses:
            key = (pause.status, pause.reason)
            pauses[key] = pauses.get(key, 0) + pause.ms
    return Work(work_ms=work_ms, online_ms=online_ms, serving_ms=serving_ms, pauses=_pauses(pauses))


def cut(span: Span, since: Millis, until: Millis) -> Iterator[tuple[str, Millis, Millis]]:
    """What of a span lies in [since, until), day by day."""
    at, end = max(span[0], since), min(span[1], until)
    while at < end:
        day = business_day(at)
        midnight = business_day_bounds(day)[1]
        yield day, at, min(end, midnight)
        at = midnight


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time as spans that neither overlap nor touch."""
    found: list[Span] = []
    for start, end in sorted(one for one in spans if one[0] < one[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def both(one: Sequence[Span], two: Sequence[Span]) -> list[Span]:
    """The time that is in both; each merged."""
    found: list[Span] = []
    a = b = 0
    while a < len(one) and b < len(two):
        start, end = max(one[a][0], two[b][0]), min(one[a][1], two[b][1])
        if start < end:
            found.append((start, end))
        if one[a][1] < two[b][1]:
            a += 1
        else:
            b += 1
    return found


def _work(pieces: Sequence[Stretch], serving_ms: int) -> Work:
    online_ms = 0
    pauses: dict[tuple[Literal["busy", "away"], str], int] = {}
    for one in pieces:
        length = one.until - one.since
        if one.status == "busy" or one.status == "away":  # noqa: PLR1714  (narrows the type)
            key = (one.status, one.reason)
            pauses[key] = pauses.get(key, 0) + length
        else:
            online_ms += length
    work_ms = online_ms + sum(pauses.values())
    return Work(work_ms=work_ms, online_ms=online_ms, serving_ms=serving_ms, pauses=_pauses(pauses))


def _pauses(found: dict[tuple[Literal["busy", "away"], str], int]) -> list[Pause]:
    """The longest first."""
    rows = [Pause(status=status, reason=reason, ms=ms) for (status, reason), ms in found.items()]
    return sorted(rows, key=lambda one: (-one.ms, one.status, one.reason))
