"""What the figures of service mean, as pure functions over cases and their lines; the prose is docs/service-figures.md.

A case becomes *facts* (one thing that happened, when, whose), and figures are sums over facts. So a figure of an hour,
an agent or a group is the same sum over fewer facts, and parts always add up to the whole.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal

from msgspec import Struct

from octshop_rt.core.clock import MINUTE, SECOND, Millis
from octshop_rt.im.insight.model import Fact, FactKind
from octshop_rt.im.wire.fields import EntryKind, Role, Visibility

Stage = Literal["new", "bot", "queued", "human", "ended"]

FAST_MS = 30 * SECOND
HUMAN_MS = 3 * MINUTE
SLOW_MS = 100 * SECOND
_SILENT: frozenset[EntryKind] = frozenset({"event", "void", "note"})


class Line(Struct, frozen=True, kw_only=True):
    """What the figures need of an entry."""

    ts: Millis
    fr: Role
    f: str
    k: EntryKind
    vis: Visibility | None = None


class Step(Struct, frozen=True, kw_only=True):
    """From `at` on the case is in `stage`, with this agent and in this group."""

    at: Millis
    stage: Stage
    agent_id: str | None = None
    group_id: str | None = None


class Stretch(Struct, frozen=True, kw_only=True):
    """One case: its steps in order, its lines in order, and what was said of it afterwards."""

    case_id: str
    buyer_id: str
    opened_at: Millis
    steps: tuple[Step, ...]
    lines: tuple[Line, ...] = ()
    ended_at: Millis | None = None
    stars: int | None = None
    solved: bool | None = None


class Turn(Struct, frozen=True, kw_only=True):
    """A buyer waited from `asked_at` for a person until `until`: an answer (`by`), the end of the case, or still now.

    `agent_id` and `group_id` are those it counts for: who answered, else who had the case when the waiting ended.
    """

    asked_at: Millis
    until: Millis
    outcome: Literal["answered", "dropped", "open"]
    first: bool
    agent_id: str | None = None
    group_id: str | None = None

    @property
    def ms(self) -> int:
        """How long the buyer waited."""
        return self.until - self.asked_at


def speaks(line: Line) -> bool:
    """Whether the other side can read it as something said: no event, void or note. Recalled words were said."""
    return line.k not in _SILENT and line.vis is None


def asked_for_person_at(case: Stretch) -> Millis | None:
    """When the case left the bot, or was never with it; None while (or if only) the bot has it."""
    return next((step.at for step in case.steps if step.stage in {"queued", "human"}), None)


def turns(case: Stretch, now: Millis) -> list[Turn]:
    """Every wait of the buyer for a person, in order.

    A wait begins with the first line nobody has answered, or, after the bot, at the moment a person was asked for. What
    is said while the bot has the case is the bot's. It ends with the first line of a person to the buyer; notes, events
    and automatic answers end nothing. Lines after the end belong to the next case.
    """
    wanted_at = asked_for_person_at(case)
    if wanted_at is None:
        return []
    after_bot = any(step.stage == "bot" for step in case.steps if step.at <= wanted_at)
    end = case.ended_at
    found: list[Turn] = []
    asked: Millis | None = wanted_at if after_bot else None
    for line in case.lines:
        if not speaks(line) or (end is not None and line.ts > end) or (after_bot and line.ts < wanted_at):
            continue
        if line.fr == "buyer" and asked is None:
            asked = line.ts
        elif line.fr == "staff" and asked is not None:
            step = _step_at(case, line.ts)
            found.append(
                Turn(
                    asked_at=asked,
                    until=max(asked, line.ts),
                    outcome="answered",
                    first=not found,
                    agent_id=line.f,
                    group_id=step.group_id if step else None,
                )
            )
            asked = None
    if asked is not None:
        until = max(asked, end if end is not None else now)
        step = _step_at(case, until, before_end=True)
        found.append(
            Turn(
                asked_at=asked,
                until=until,
                outcome="open" if end is None else "dropped",
                first=not found,
                agent_id=step.agent_id if step else None,
                group_id=step.group_id if step else None,
            )
        )
    return found


def facts(case: Stretch, now: Millis) -> list[Fact]:
    """Everything countable of one case, as of `now`. Of an ended case all but `opinions` stays the same for ever."""
    return [*happened(case, now), *opinions(case)]


def happened(case: Stretch, now: Millis) -> list[Fact]:
    """What the log and the steps tell."""
    last = _step_at(case, now, before_end=True)
    agent_id, group_id = (last.agent_id, last.group_id) if last else (None, None)
    wanted_at = asked_for_person_at(case)
    served = [step for step in case.steps if step.stage == "human"]
    mine = _Maker(case.case_id, case.buyer_id)
    found = [mine.fact("opened", case.opened_at, agent_id, group_id)]
    for before, after in zip(case.steps, case.steps[1:], strict=False):
        moved = before.stage == "human" and after.stage in {"human", "queued"}
        if moved and (before.agent_id, before.group_id) != (after.agent_id, after.group_id):
            found.append(mine.fact("moved", after.at, before.agent_id, before.group_id))
    found += _spells(case, mine)
    if served:
        found.append(mine.fact("served", served[0].at, served[0].agent_id, served[0].group_id))
    for turn in turns(case, now):
        found += _waits(turn, mine)
    if case.ended_at is not None:
        found.append(mine.fact("closed", case.ended_at, agent_id, group_id))
        if wanted_at is None:
            found.append(mine.fact("bot_only", case.ended_at, None, None))
        elif not served:
            ms = max(0, case.ended_at - wanted_at)
            found.append(mine.fact("abandoned", case.ended_at, agent_id, group_id, ms=ms))
    return found


def opinions(case: Stretch) -> list[Fact]:
    """What people say of an ended case, dated by its end and counted for who had it last."""
    if case.ended_at is None:
        return []
    last = _step_at(case, case.ended_at, before_end=True)
    agent_id, group_id = (last.agent_id, last.group_id) if last else (None, None)
    mine = _Maker(case.case_id, case.buyer_id)
    found: list[Fact] = []
    if case.solved is not None:
        found.append(mine.fact("solved" if case.solved else "unsolved", case.ended_at, agent_id, group_id))
    if case.stars is not None:
        found.append(mine.fact("rated", case.ended_at, agent_id, group_id, stars=case.stars))
    return found


def _waits(turn: Turn, mine: _Maker) -> list[Fact]:
    """The facts of one wait: `first` beside `answered` or `dropped`; `slow` at the moment the reminder is due."""
    found: list[Fact] = []
    if turn.outcome == "answered":
        found.append(mine.fact("answered", turn.asked_at, turn.agent_id, turn.group_id, ms=turn.ms))
    elif turn.outcome == "dropped" or turn.ms > FAST_MS:
        # An open wait counts only for the limits it has already missed.
        found.append(mine.fact("dropped", turn.asked_at, turn.agent_id, turn.group_id, ms=turn.ms))
    if turn.first and found:
        answered = 1 if turn.outcome == "answered" else 0
        found.append(mine.fact("first", turn.asked_at, turn.agent_id, turn.group_id, ms=turn.ms, stars=answered))
    if turn.ms > SLOW_MS:
        found.append(mine.fact("slow", turn.asked_at, turn.agent_id, turn.group_id, ms=turn.ms))
    return found


def _spells(case: Stretch, mine: _Maker) -> list[Fact]:
    """One per time in the queue that ended with an agent; it counts for that agent. Neighbouring steps in the queue
    (another group, another place) are one spell.
    """
    found: list[Fact] = []
    since: Millis | None = None
    for step in case.steps:
        if step.stage == "queued":
            since = step.at if since is None else since
        else:
            if step.stage == "human" and since is not None:
                found.append(mine.fact("spell", since, step.agent_id, step.group_id, ms=step.at - since))
            since = None
    return found


class _Maker:
    """Facts of one case."""

    def __init__(self, case_id: str, buyer_id: str) -> None:
        self._case_id = case_id
        self._buyer_id = buyer_id

    def fact(
        self, kind: FactKind, at: Millis, agent_id: str | None, group_id: str | None, *, ms: int = 0, stars: int = 0
    ) -> Fact:
        return Fact(
            kind=kind, at=at, case_id=self._case_id, buyer_id=self._buyer_id, agent_id=agent_id, group_id=group_id,
            ms=ms, stars=stars,
        )  # fmt: skip


def _step_at(case: Stretch, at: Millis, *, before_end: bool = False) -> Step | None:
    """The step in force at `at`; with `before_end` never the ending itself, so that it tells who had the case."""
    steps = [step for step in case.steps if not (before_end and step.stage == "ended")]
    number = bisect_right([step.at for step in steps], at)
    return steps[number - 1] if number else None
