"""Pure decisions of the desk: next state, who serves whom, place and time in the queue, whether it is open now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal, Protocol

from msgspec import Struct, structs

from octshop_rt.core.clock import DAY, MINUTE, SECOND, SHANGHAI, Millis, as_datetime, business_day, business_day_bounds
from octshop_rt.im.desk.model import (
    LIFE,
    MOST_HISTORY,
    Agent,
    Aside,
    Card,
    Case,
    CaseState,
    Reason,
    Serves,
    Step,
)
from octshop_rt.im.desk.settings import DeskSettings
from octshop_rt.im.wire.fields import Body, Visibility

# Presence is renewed every 15 s: three missed and the person is not there.
HERE_MS = 45 * SECOND
MOST_AHEAD_DAYS = 40  # how far to look for the next open hour

SideOf = Literal["buyer", "staff"]


# --- life -------------------------------------------------------------------------------------------------------------


def moved(
    case: Case,
    now: CaseState,
    why: Reason,
    *,
    at: Millis,
    by: str,
    to: str | None = None,
    note: str | None = None,
    request_id: str | None = None,
    silent: bool = False,
) -> Case:
    """The case in its next state, with the step in its history and (unless silent) a word owed to the log. The fields
    of the place it comes to are those already on `case`.
    """
    assert LIFE.may(case.state, now), f"{case.state} may not become {now}"
    step = Step(
        at=at, by=by, was=case.state, now=now, why=why, rev=case.rev + 1, agent_id=case.agent_id,
        person_id=case.person_id, group_id=case.group_id, to=to, note=note, request_id=request_id,
    )  # fmt: skip
    history = (*case.history, step)[-MOST_HISTORY:]
    untold = case.untold if silent else (*case.untold, case.rev + 1)
    return structs.replace(
        case, state=now, open=now != "ended", rev=case.rev + 1, history=history, untold=untold,
    )  # fmt: skip


def owing(case: Case, rev: int, ev: str, body: Body, at: Millis, vis: Visibility | None = None) -> Case:
    """The case whose change to `rev` owes the log a word besides its step's; one such word a rev."""
    aside = Aside(rev=rev, ev=ev, body=body, vis=vis, at=at)
    untold = case.untold if rev in case.untold else (*case.untold, rev)
    return structs.replace(case, untold=untold, asides=(*case.asides, aside))


def owed_since(case: Case, rev: int) -> Millis:
    """When the words of this rev became due; 0 where nobody knows any more."""
    return next((one.at for one in (*case.history, *case.asides) if one.rev == rev), 0)


def enqueued(case: Case, settings: DeskSettings, at: Millis, *, first: bool = False) -> Case:
    """The fields of a case that waits: no agent, its place by the time it began to wait. `first` keeps the place it
    had before an agent was given it and did not answer: that buyer has waited longest. Who comes while nobody is given
    anybody is not taken for gone before somebody could have served them.
    """
    since = case.waiting_since if first and case.waiting_since is not None else at
    served_from = at if gives(settings, at) else opens_at(settings, at) or at
    return structs.replace(
        case, agent_id=None, person_id=None, agent_name=None, assigned_at=None, queued_at=since, guests=(),
        due_at=served_from + settings.abandon_s * SECOND if settings.abandon_s else None,
    )  # fmt: skip


def finished(case: Case, at: Millis, *, resolved: bool | None) -> Case:
    """The fields of a case that is over. Who served it stays on it."""
    return structs.replace(case, ended_at=at, resolved=resolved, due_at=None, queued_at=None, waiting_since=None)


def heard(case: Case, side: SideOf, s: int, at: Millis) -> Case | None:
    """The case after a word of the log was heard; None if that word changes nothing (heard before, or overtaken)."""
    if side == "buyer":
        if s <= case.buyer_s:
            return None
        waiting = case.waiting_since
        if s > case.staff_s and waiting is None:
            waiting = at
        return structs.replace(case, buyer_s=s, buyer_at=at, waiting_since=waiting)
    if s <= case.staff_s:
        return None
    waiting = None if s > case.buyer_s else case.waiting_since
    answered = case.answered_at if case.answered_at is not None else at
    return structs.replace(case, staff_s=s, waiting_since=waiting, answered_at=answered)


def next_look(case: Case, settings: DeskSettings, at: Millis) -> Millis | None:
    """When upkeep must look at a case in a person's hands: the buyer has waited too long, or has gone."""
    if case.waiting_since is not None:
        since = max(case.waiting_since, case.assigned_at or 0)
        return since + settings.response_timeout_s * SECOND if settings.response_timeout_s else None
    return max(at, case.buyer_at or 0) + settings.idle_end_s * SECOND if settings.idle_end_s else None


# --- where a case belongs ---------------------------------------------------------------------------------------------


class Wanted(Struct, frozen=True, kw_only=True):
    """What a case asks of whoever serves it."""

    group_id: str | None = None
    skills: tuple[str, ...] = ()
    priority: int = 0


def wanted(settings: DeskSettings, card: Card | None, level: int) -> Wanted:
    """By the first rule that fits the page, the thing and the buyer's level."""
    for rule in settings.rules:
        if rule.page is not None and (card is None or card.k != rule.page):
            continue
        if rule.thing_id is not None and (card is None or card.id != rule.thing_id):
            continue
        if rule.level is not None and level < rule.level:
            continue
        return Wanted(group_id=rule.group_id, skills=rule.skills, priority=rule.priority)
    return Wanted()


class Waits(Protocol):
    """What it hangs on who may serve a case."""

    @property
    def group_id(self) -> str | None: ...
    @property
    def skills(self) -> tuple[str, ...]: ...
    @property
    def queued_at(self) -> Millis | None: ...


def may_serve(agent: Agent, case: Waits, settings: DeskSettings, now: Millis) -> bool:
    """Whether this agent may be given that case: group and skills fit, or it has waited past `overflow_s`."""
    if overflows(case, settings, now):
        return True
    if case.group_id is not None and case.group_id not in agent.groups:
        return False
    return all(skill in agent.skills for skill in case.skills)


def standing(case: Case) -> tuple[bool, int, Millis]:
    """Whose turn comes first: who is served, then higher priority, then who has waited longest."""
    return case.state != "human", -case.priority, case.queued_at or case.assigned_at or case.opened_at


def overflows(case: Waits, settings: DeskSettings, now: Millis) -> bool:
    """Whether it waits and has waited so long that anybody may serve it."""
    return case.queued_at is not None and case.queued_at <= overflown(settings, now)


def overflown(settings: DeskSettings, now: Millis) -> Millis:
    """Who has waited since before that moment may be served by anybody."""
    return now - settings.overflow_s * SECOND


def kinds(agents: Sequence[Agent]) -> list[Serves]:
    """The kinds of agents there are, as far as cases are concerned."""
    return sorted(
        {Serves(tuple(sorted(one.groups)), tuple(sorted(one.skills))) for one in agents},
        key=lambda one: (one.groups, one.skills),
    )


def here(agent: Agent, now: Millis) -> bool:
    """Whether a socket or heartbeat of theirs was seen lately."""
    return agent.seen_at >= now - HERE_MS


# --- who serves whom --------------------------------------------------------------------------------------------------


class Match(Struct, frozen=True):
    """This case to that agent."""

    case: Case
    agent: Agent


def plan(
    waiting: Sequence[Case],
    agents: Sequence[Agent],
    settings: DeskSettings,
    now: Millis,
    *,
    most: int = 200,
) -> list[Match]:
    """Who is served by whom, from the head of the queue, as far as there is room; at most `most`.

    `waiting` is in order; `agents` are online. A case nobody free may serve is passed over: it waits for its
    group and does not keep others from theirs.
    """
    if settings.strategy == "manual":
        return []
    free = {one.id: one for one in agents if one.load < one.cap}
    matches: list[Match] = []
    for case in waiting:
        if not free or len(matches) >= most:
            break
        anybody = case.group_id is None and not case.skills
        able = [one for one in free.values() if anybody or may_serve(one, case, settings, now)]
        if not able:
            continue
        chosen = choose(case, able, settings)
        matches.append(Match(case, chosen))
        more = structs.replace(chosen, load=chosen.load + 1, last_assigned_at=now + len(matches))
        if more.load < more.cap:
            free[more.id] = more
        else:
            del free[more.id]
    return matches


def choose(case: Case, able: Sequence[Agent], settings: DeskSettings) -> Agent:
    """One of `able`: who served the buyer last, else by strategy; never one who has let this very case wait while
    somebody else is free.
    """
    fresh = [one for one in able if one.id not in case.passed] or list(able)
    for one in fresh:
        if one.id == case.last_agent_id:
            return one
    if settings.strategy == "round_robin":
        return min(fresh, key=lambda one: (one.last_assigned_at, one.id))
    # Least loaded by share of the cap, so that a newcomer with a small cap is not filled first.
    return min(fresh, key=lambda one: (one.load * 100 // max(1, one.cap), one.last_assigned_at, one.id))


# --- the queue --------------------------------------------------------------------------------------------------------


def eta_s(ahead: int, handling_ms: int, seats: int) -> int | None:
    """Seconds until the turn of somebody with `ahead` before them, given how long a conversation holds a seat and how
    many seats there are; None when nobody serves. Rounded up to ten seconds: nobody believes more.
    """
    if seats < 1:
        return None
    seconds = (ahead + 1) * handling_ms // (seats * SECOND)
    return max(10, -(-seconds // 10) * 10)


def handling_ms(ended: Sequence[Case]) -> int:
    """How long a conversation holds a seat: the median of recent ones, five minutes where there are none yet."""
    spans = sorted(
        one.ended_at - one.assigned_at for one in ended if one.ended_at is not None and one.assigned_at is not None
    )
    return max(10 * SECOND, spans[len(spans) // 2]) if spans else 5 * MINUTE


# --- hours ------------------------------------------------------------------------------------------------------------


def spans_of(settings: DeskSettings, day: str) -> list[tuple[int, int]]:
    """Minutes of that day in which the desk is open, ascending."""
    weekday: int | None = date.fromisoformat(day).isoweekday()
    for holiday in settings.holidays:
        if holiday.day == day:
            weekday = holiday.as_weekday
    if weekday is None:
        return []
    if not settings.hours:
        return [(0, 1_440)]
    return sorted((span.start, span.end) for span in settings.hours if weekday in span.days)


def is_open(settings: DeskSettings, at: Millis) -> bool:
    """Whether the desk keeps hours at that moment."""
    day = business_day(at)
    minute = (at - business_day_bounds(day)[0]) // MINUTE
    return any(start <= minute < end for start, end in spans_of(settings, day))


def gives(settings: DeskSettings, at: Millis) -> bool:
    """Whether who waits is given to who is online at that moment: within hours, and outside them where the desk wants
    it. Taking somebody by hand asks for no hours.
    """
    return settings.serve_online or is_open(settings, at)


def serves(settings: DeskSettings, at: Millis, *, attended: bool) -> bool:
    """Whether a buyer is told that there is service: by the hours, or because somebody there serves outside them."""
    return is_open(settings, at) or (attended and gives(settings, at))


def opens_at(settings: DeskSettings, at: Millis) -> Millis | None:
    """When it opens next; None while it is open, and when no hour is known for weeks."""
    if is_open(settings, at):
        return None
    today = as_datetime(at).astimezone(SHANGHAI).date()
    for ahead in range(MOST_AHEAD_DAYS):
        day = (today + timedelta(days=ahead)).isoformat()
        midnight = business_day_bounds(day)[0]
        for start, _ in spans_of(settings, day):
            if (begins := midnight + start * MINUTE) > at:
                return begins
    return None


def changes_at(settings: DeskSettings, at: Millis) -> Millis | None:
    """When it opens or closes next; None when it does neither for weeks."""
    now_open = is_open(settings, at)
    if not now_open:
        return opens_at(settings, at)
    today = as_datetime(at).astimezone(SHANGHAI).date()
    for ahead in range(MOST_AHEAD_DAYS):
        day = (today + timedelta(days=ahead)).isoformat()
        midnight = business_day_bounds(day)[0]
        ends = [0, *sorted(end for _, end in spans_of(settings, day))]
        for moment in (midnight + end * MINUTE for end in ends):
            if moment > at and not is_open(settings, moment):
                return moment
    return None


def reopenable(case: Case, settings: DeskSettings, at: Millis) -> bool:
    """Whether an ended case may be gone on with."""
    return case.ended_at is not None and at - case.ended_at <= min(settings.reopen_s * SECOND, 30 * DAY)


def passing(case: Case, agent_id: str) -> Case:
    """Remember who has let it wait."""
    return structs.replace(case, passed=(*case.passed, agent_id)[-20:])


def seated(case: Case, agent: Agent, settings: DeskSettings, at: Millis) -> Case:
    """The fields of a case in an agent's hands."""
    brought = structs.replace(
        case, shop_id=agent.shop_id, agent_id=agent.id, person_id=agent.person_id, agent_name=agent.name,
        assigned_at=at, queued_at=None, after_hours=False,
    )  # fmt: skip
    return structs.replace(brought, due_at=next_look(brought, settings, at))


def due_later(case: Case, at: Millis) -> Case:
    """Look at it again then."""
    return structs.replace(case, due_at=at)
