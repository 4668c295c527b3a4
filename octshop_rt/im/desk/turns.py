"""Pure: whose turn comes when, by the very rules that assign. What a buyer who waits is told follows from here."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence

from msgspec import Struct

from octshop_rt.core.clock import SECOND, Millis
from octshop_rt.im.desk import rules
from octshop_rt.im.desk.model import Agent, Waiter
from octshop_rt.im.desk.settings import DeskSettings


class Turn(Struct, frozen=True):
    """Place from 1, seconds until the turn (None: by itself it does not come now), and whether anybody who may serve
    is there.
    """

    pos: int
    eta_s: int | None
    attended: bool


class _Line(Struct, kw_only=True):
    """Those who wait for the same agents. Of all who stood before the one just looked at: how many these agents may
    serve as well (`rivals`), and since when the others have waited, ascending: any of these agents may serve them too
    once they have waited past the overflow.
    """

    able: frozenset[str]
    seats: int
    rivals: int = 0
    others: list[Millis]
    ahead: int = 0  # of the last one looked at; of the next it is no less


def turns(
    waiting: Sequence[Waiter], agents: Sequence[Agent], settings: DeskSettings, now: Millis, handling_ms: int
) -> dict[str, Turn]:
    """By case. `waiting` is in the order in which it is served; `agents` are online.

    Before somebody come those who stand before them and may be given to one of the same agents: now, or because they
    will have overflowed when the turn comes. Whoever stands behind does not: a free agent is given the first they may
    serve. So, whoever comes free, a place gets worse only by newcomers of a higher priority.
    """
    crew = [one for one in agents if one.cap > 0]
    seats = sum(one.cap for one in crew)
    gives = rules.gives(settings, now)
    lines: dict[tuple[str | None, tuple[str, ...], bool], _Line] = {}
    queue: list[tuple[Waiter, _Line]] = []
    for one in waiting:
        kind = (one.group_id, one.skills, rules.overflows(one, settings, now))
        if kind not in lines:
            lines[kind] = _line(one, crew, settings, now)
        queue.append((one, lines[kind]))
    found: dict[str, Turn] = {}
    for before, (one, line) in enumerate(queue):
        if line.able and gives:
            eta_s = _advance(line, settings, now, handling_ms)
            opens = (one.queued_at or now) - rules.overflown(settings, now)
            if opens > 0:  # it may overflow before that, and is served by whoever is there
                by_all = max(-(-opens // (10 * SECOND)) * 10, rules.eta_s(before, handling_ms, seats) or 0)
                eta_s = min(eta_s, by_all)
            found[one.id] = Turn(line.ahead + 1, eta_s, attended=True)
        else:
            # Nobody who may serve it gives it a turn now. When somebody does, all before it may have overflowed.
            found[one.id] = Turn(before + 1, None, attended=bool(line.able))
        for other in lines.values():
            if other.able.isdisjoint(line.able):
                insort(other.others, one.queued_at or now)
            else:
                other.rivals += 1
    return found


def _line(one: Waiter, crew: Sequence[Agent], settings: DeskSettings, now: Millis) -> _Line:
    by_hand = settings.strategy == "manual"  # whoever takes somebody by hand is asked for no group
    able = [agent for agent in crew if by_hand or rules.may_serve(agent, one, settings, now)]
    return _Line(able=frozenset(agent.id for agent in able), seats=sum(agent.cap for agent in able), others=[])


def _advance(line: _Line, settings: DeskSettings, now: Millis, handling_ms: int) -> int:
    """Count who comes before the next in line; when its turn comes. The longer that is, the more will have overflowed
    by then, so it is asked until it stands.
    """
    ahead = max(line.ahead, line.rivals)
    while True:
        eta_s = rules.eta_s(ahead, handling_ms, line.seats)
        assert eta_s is not None, "whoever is in the crew has a seat"
        overflown = rules.overflown(settings, now + eta_s * SECOND)
        more = line.rivals + bisect_right(line.others, overflown)
        if more <= ahead:
            line.ahead = ahead
            return eta_s
        ahead = more
