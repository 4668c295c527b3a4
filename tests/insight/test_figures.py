"""Figures for any case: waits are told apart, never overlap, belong to one case, and parts add up to the whole."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from octshop_rt.core.clock import SECOND
from octshop_rt.im.insight import figures, rules
from octshop_rt.im.insight.figures import CUTS, Figures
from octshop_rt.im.insight.rules import Line, Step, Stretch
from tests.insight.days import at

START = at("08:00:00")
WHO: list[tuple[Any, str]] = [("buyer", "U-1"), ("staff", "ann"), ("staff", "bob"), ("bot", "bot"), ("system", "desk")]
KINDS: list[Any] = ["text", "text", "text", "image", "note", "event", "void"]
SUMS = ("opened", "closed", "bot_only", "served", "moved", "abandoned", "queue_count", "first_count", "answer_count",
        "fast_due", "fast_met", "slow_count", "solved", "unsolved", "rated", "rated_good", "stars_sum")  # fmt: skip


@st.composite
def cases(draw: st.DrawFn) -> Stretch:
    opened = START + draw(st.integers(0, 15 * 3_600)) * SECOND
    paths: list[list[Any]] = [
        ["queued", "human", "ended"], ["bot", "ended"], ["bot", "queued", "human"], ["new"],
        ["queued", "ended"], ["bot", "queued", "ended"], ["human", "human", "ended"],
        ["human", "queued", "human", "ended"],
    ]  # fmt: skip
    moment, steps = opened, [Step(at=opened, stage="new")]
    for stage in draw(st.sampled_from(paths)):
        moment += draw(st.integers(0, 300)) * SECOND
        agent = draw(st.sampled_from(["ann", "bob"])) if stage == "human" else None
        steps.append(Step(at=moment, stage=stage, agent_id=agent, group_id=draw(st.sampled_from(["G1", "G2", None]))))
    said, now = [], opened
    for _ in range(draw(st.integers(0, 12))):
        now += draw(st.integers(0, 200)) * SECOND
        fr, f = draw(st.sampled_from(WHO))
        kind = draw(st.sampled_from(KINDS))
        said.append(Line(ts=now, fr=fr, f=f, k=kind, vis="staff" if kind == "note" else None))
    ended = steps[-1].at if steps[-1].stage == "ended" else None
    return Stretch(
        case_id=f"Z{draw(st.integers(0, 10**9))}", buyer_id=draw(st.sampled_from(["U-1", "U-2", "U-3"])),
        opened_at=opened, steps=tuple(steps), lines=tuple(said), ended_at=ended,
        stars=draw(st.sampled_from([None, 1, 4, 5])), solved=draw(st.sampled_from([None, True, False])),
    )  # fmt: skip


def late(case: Stretch) -> int:
    return max([case.opened_at, *(line.ts for line in case.lines), *(step.at for step in case.steps)])


@settings(max_examples=400, deadline=None)
@given(cases(), st.integers(0, 400))
def test_waits_follow_each_other_and_each_begins_with_the_buyer(case: Stretch, more: int) -> None:  # req I8
    now = late(case) + more * SECOND
    waits = rules.turns(case, now)
    lines = [line.ts for line in case.lines if line.fr == "buyer" and rules.speaks(line)]
    wanted = rules.asked_for_person_at(case)
    for before, after in itertools.pairwise(waits):
        assert before.until <= after.asked_at
        assert before.outcome == "answered"
    for wait in waits:
        assert wait.asked_at in {*lines, wanted}
        assert wait.ms >= 0
        assert case.ended_at is None or wait.asked_at <= case.ended_at or not lines
    assert sum(wait.first for wait in waits) == (1 if waits else 0)
    if wanted is None:
        assert waits == []


@settings(max_examples=200, deadline=None)
@given(cases())
def test_notes_events_and_the_bot_answer_nobody(case: Stretch) -> None:
    kept = tuple(line for line in case.lines if rules.speaks(line) and line.fr in {"buyer", "staff"})
    bare = Stretch(
        case_id=case.case_id, buyer_id=case.buyer_id, opened_at=case.opened_at, steps=case.steps, lines=kept,
        ended_at=case.ended_at,
    )  # fmt: skip
    assert rules.turns(bare, late(case)) == rules.turns(case, late(case))


@settings(max_examples=200, deadline=None)
@given(st.lists(cases(), max_size=6))
def test_parts_add_up_to_the_whole(day: list[Stretch]) -> None:  # req I8
    now = max((late(case) for case in day), default=START)
    found = [fact for case in day for fact in rules.facts(case, now)]
    whole = figures.figures(found)
    for by in CUTS:
        parts = [figures.figures(facts) for facts in figures.cut(found, by).values()]
        for name in SUMS:
            assert sum(getattr(part, name) for part in parts) == getattr(whole, name), (by, name)
    _within_bounds(whole)


def _within_bounds(whole: Figures) -> None:
    assert whole.fast_met <= whole.fast_due <= whole.opened
    assert whole.human_missed <= whole.human_buyers
    assert whole.bot_only + whole.abandoned <= whole.closed
    for name in ("fast_bp", "human_bp", "solved_bp", "csat_bp"):
        value = getattr(whole, name)
        assert value is None or 0 <= value <= figures.WHOLE_BP


@settings(max_examples=200, deadline=None)
@given(cases(), st.integers(0, 10_000))
def test_an_ended_case_is_the_same_for_ever(case: Stretch, later: int) -> None:
    """What makes it right to keep facts."""
    if case.ended_at is not None:
        now = late(case)
        assert rules.facts(case, now) == rules.facts(case, now + later * SECOND)


def one(*lines: tuple[int, str], ended: int | None = None) -> list[rules.Turn]:
    """A case served by ann from its first second; lines at seconds by `b` or an agent."""
    said = tuple(
        Line(ts=START + second * SECOND, fr="buyer" if who == "b" else "staff", f=who, k="text")
        for second, who in lines
    )
    steps = [Step(at=START, stage="human", agent_id="ann")]
    end = None if ended is None else START + ended * SECOND
    if end is not None:
        steps.append(Step(at=end, stage="ended", agent_id="ann"))
    case = Stretch(case_id="Z1", buyer_id="U-1", opened_at=START, steps=tuple(steps), lines=said, ended_at=end)
    return rules.turns(case, START + 1_000 * SECOND)


def test_a_colleague_who_answers_has_the_answer() -> None:
    wait = one((0, "b"), (9, "guest"))[0]
    assert (wait.agent_id, wait.ms) == ("guest", 9_000)


def test_what_is_said_after_the_end_belongs_to_the_next_case() -> None:
    assert [wait.ms for wait in one((0, "b"), (5, "ann"), (70, "b"), ended=60)] == [5_000]


def test_thanks_before_the_end_is_a_wait_that_counts_for_no_rate_when_it_is_short() -> None:
    waits = one((0, "b"), (5, "ann"), (50, "b"), ended=60)
    assert [(wait.outcome, wait.ms) for wait in waits] == [("answered", 5_000), ("dropped", 10_000)]
    case_facts = [fact for wait in waits for fact in rules._waits(wait, rules._Maker("Z1", "U-1"))]
    assert (figures.figures(case_facts).human_buyers, figures.figures(case_facts).human_missed) == (1, 0)


def test_rounding_is_half_up() -> None:
    assert [figures.average([1, 2]), figures.average([]), figures.share_bp(1, 3), figures.share_bp(2, 3)] == [
        2, None, 3_333, 6_667,
    ]  # fmt: skip
