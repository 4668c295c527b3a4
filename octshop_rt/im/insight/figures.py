"""Sums over facts: the figures of a shop, and of any part of it, because parts always add up to the whole. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from msgspec import Struct

from octshop_rt.core.clock import SHANGHAI, Millis, as_datetime, business_day
from octshop_rt.im.insight.model import Fact, FactKind
from octshop_rt.im.insight.rules import FAST_MS, HUMAN_MS

GOOD_STARS = 4
WHOLE_BP = 10_000


class Hours(Struct, frozen=True, kw_only=True):
    """The hours of day (Asia/Shanghai) in which a question counts for the two rates, from included, to excluded."""

    fast_from: int = 9
    fast_to: int = 23
    human_from: int = 8
    human_to: int = 23


class Figures(Struct, frozen=True, kw_only=True):
    """Sums over facts. Rates in basis points, averages rounded half up; None where there is nothing to divide by."""

    opened: int
    closed: int
    bot_only: int
    served: int
    moved: int
    abandoned: int
    abandoned_avg_ms: int | None
    queue_count: int
    queue_avg_ms: int | None
    queue_max_ms: int | None
    first_count: int
    first_avg_ms: int | None
    answer_count: int
    answer_avg_ms: int | None
    fast_due: int
    fast_met: int
    fast_bp: int | None
    human_buyers: int
    human_missed: int
    human_bp: int | None
    slow_count: int
    solved: int
    unsolved: int
    solved_bp: int | None
    rated: int
    rated_good: int
    csat_bp: int | None
    stars_sum: int
    stars_avg_hundredths: int | None


def figures(found: Iterable[Fact], hours: Hours | None = None) -> Figures:
    """Sum up."""
    hours = hours or Hours()
    by: dict[FactKind, list[Fact]] = {}
    for fact in found:
        by.setdefault(fact.kind, []).append(fact)

    def of(kind: FactKind) -> list[Fact]:
        return by.get(kind, [])

    firsts = [fact.ms for fact in of("first") if fact.stars]
    answers = [fact.ms for fact in of("answered")]
    queue = [fact.ms for fact in of("spell")]
    left = [fact.ms for fact in of("abandoned")]
    due, met = _fast(of("first"), hours)
    buyers, missed = _human([*of("answered"), *of("dropped")], hours)
    stars = [fact.stars for fact in of("rated")]
    good = sum(1 for one in stars if one >= GOOD_STARS)
    solved, unsolved = len(of("solved")), len(of("unsolved"))
    return Figures(
        opened=len(of("opened")),
        closed=len(of("closed")),
        bot_only=len(of("bot_only")),
        served=len(of("served")),
        moved=len(of("moved")),
        abandoned=len(left),
        abandoned_avg_ms=average(left),
        queue_count=len(queue),
        queue_avg_ms=average(queue),
        queue_max_ms=max(queue, default=None),
        first_count=len(firsts),
        first_avg_ms=average(firsts),
        answer_count=len(answers),
        answer_avg_ms=average(answers),
        fast_due=due,
        fast_met=met,
        fast_bp=share_bp(met, due),
        human_buyers=buyers,
        human_missed=missed,
        human_bp=share_bp(buyers - missed, buyers),
        slow_count=len(of("slow")),
        solved=solved,
        unsolved=unsolved,
        solved_bp=share_bp(solved, solved + unsolved),
        rated=len(stars),
        rated_good=good,
        csat_bp=share_bp(good, len(stars)),
        stars_sum=sum(stars),
        stars_avg_hundredths=average([one * 100 for one in stars]),
    )


def _fast(firsts: Sequence[Fact], hours: Hours) -> tuple[int, int]:
    """(cases whose first wait is decided for 30 s, those answered in time). A first wait that ended otherwise before
    30 s were over is decided by nobody.
    """
    asked = [fact for fact in firsts if _within(fact.at, hours.fast_from, hours.fast_to)]
    due = [fact for fact in asked if fact.stars or fact.ms > FAST_MS]
    return len(due), sum(1 for fact in due if fact.stars and fact.ms <= FAST_MS)


def _human(waits: Sequence[Fact], hours: Hours) -> tuple[int, int]:
    """(buyers who asked a person, those of them with a wait over 3 minutes), a buyer counted once a business day."""
    asked: set[tuple[str, str]] = set()
    missed: set[tuple[str, str]] = set()
    for fact in waits:
        if not _within(fact.at, hours.human_from, hours.human_to):
            continue
        key = (business_day(fact.at), fact.buyer_id)
        if fact.ms > HUMAN_MS:
            missed.add(key)
        if fact.kind == "answered" or fact.ms > HUMAN_MS:
            asked.add(key)
    return len(asked), len(missed)


def _within(at: Millis, start: int, end: int) -> bool:
    return start <= hour_of(at) < end


def hour_of(at: Millis) -> int:
    """Hour of day in Asia/Shanghai."""
    return as_datetime(at).astimezone(SHANGHAI).hour


def average(values: Sequence[int]) -> int | None:
    """Rounded half up; None of nothing."""
    return (2 * sum(values) + len(values)) // (2 * len(values)) if values else None


def share_bp(part: int, whole: int) -> int | None:
    """In basis points, rounded half up; None of nothing."""
    return (2 * part * WHOLE_BP + whole) // (2 * whole) if whole else None


Cut = Literal["all", "agent", "group", "hour", "day"]

CUTS: dict[Cut, Callable[[Fact], str]] = {
    "all": lambda _: "",
    "agent": lambda fact: fact.agent_id or "",
    "group": lambda fact: fact.group_id or "",
    "hour": lambda fact: f"{hour_of(fact.at):02d}",
    "day": lambda fact: business_day(fact.at),
}


def cut(found: Iterable[Fact], by: Cut) -> dict[str, list[Fact]]:
    """Facts by agent, group, hour of day or business day; what has no agent or group is under the empty name."""
    parts: dict[str, list[Fact]] = {}
    for fact in found:
        parts.setdefault(CUTS[by](fact), []).append(fact)
    return dict(sorted(parts.items()))


def between(found: Iterable[Fact], start: Millis, end: Millis) -> list[Fact]:
    """Those that happened in [start, end)."""
    return [fact for fact in found if start <= fact.at < end]
