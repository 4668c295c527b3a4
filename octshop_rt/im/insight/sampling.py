"""Pure decisions of quality checks: whether a sheet is one, what marks amount to, and who is drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from octshop_rt.im.insight.model import WHOLE, BadMarks, BadSheet, SheetItem


def check_sheet(items: Sequence[SheetItem]) -> None:
    """BadSheet unless the points are 100 and each line has a name of its own."""
    names = {item.name.strip() for item in items}
    if sum(item.points for item in items) != WHOLE or len(names) != len(items) or "" in names:
        raise BadSheet


def score(items: Sequence[SheetItem], marks: Sequence[int]) -> int:
    """The sum of the marks; nothing when a fatal line got none. BadMarks unless they fit the lines."""
    if len(marks) != len(items) or any(not 0 <= mark <= item.points for mark, item in zip(marks, items, strict=True)):
        raise BadMarks
    if any(item.fatal and mark == 0 for mark, item in zip(marks, items, strict=True)):
        return 0
    return sum(marks)


def spread(agent_of: Mapping[str, str], seed: str, size: int) -> list[str]:
    """At most `size` of the cases, by a chance that `seed` fixes: one of each agent, then another of each…"""
    shuffled = sorted(agent_of, key=lambda case_id: hashlib.blake2b(f"{seed} {case_id}".encode()).digest())
    rounds: dict[str, int] = {}
    placed: list[tuple[int, int, str]] = []
    for number, case_id in enumerate(shuffled):
        agent = agent_of[case_id]
        rounds[agent] = rounds.get(agent, 0) + 1
        placed.append((rounds[agent], number, case_id))
    return [case_id for _, _, case_id in sorted(placed)[:size]]
