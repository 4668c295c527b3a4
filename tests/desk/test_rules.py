"""The desk's pure decisions: hours and holidays, routing, choice of agent, places and expected waits."""

from __future__ import annotations

from datetime import datetime

import pytest
from msgspec import structs

from octshop_rt.core.clock import MINUTE, SECOND, SHANGHAI, from_datetime
from octshop_rt.im.desk import rules
from octshop_rt.im.desk.model import Agent, BadHours, Card, Case
from octshop_rt.im.desk.settings import (
    DeskPatch,
    DeskSettings,
    Holiday,
    Rule,
    SettingsDocument,
    Span,
    check,
    over,
    resolve,
)

NOW = from_datetime(datetime(2026, 11, 20, 12, 0, tzinfo=SHANGHAI))  # a Friday


def agent(number: int, *, load: int = 0, cap: int = 5, **more: object) -> Agent:
    row = Agent(
        id=f"S1:U{number}", shop_id="S1", person_id=f"U{number}", name=f"U{number}", status="online", status_at=0,
        seen_at=NOW, cap=cap, load=load,
    )  # fmt: skip
    return structs.replace(row, **more)


def case(number: int, **more: object) -> Case:
    row = Case(
        id=f"Z{number:03d}", c=f"C{number}", shop_id="S1", merchant_id="M1", buyer_id=f"B{number}", state="queued",
        open=True, rev=1, opened_at=NOW, queued_at=NOW + number,
    )  # fmt: skip
    return structs.replace(row, **more)


def planned(waiting: list[Case], agents: list[Agent], **more: object) -> list[tuple[str, str]]:
    settings = structs.replace(DeskSettings(), **more)
    return [(one.case.id, one.agent.person_id) for one in rules.plan(waiting, agents, settings, NOW)]


def test_the_least_loaded_serves_first_by_share_of_the_cap() -> None:
    agents = [agent(1, load=2, cap=10), agent(2, load=1, cap=2), agent(3, load=1, cap=5)]
    assert planned([case(1), case(2), case(3)], agents) == [("Z001", "U1"), ("Z002", "U3"), ("Z003", "U1")]


def test_round_robin_asks_who_was_asked_longest_ago() -> None:
    agents = [agent(1, last_assigned_at=30), agent(2, last_assigned_at=10), agent(3, last_assigned_at=20)]
    waiting = [case(number) for number in range(4)]
    assert [who for _, who in planned(waiting, agents, strategy="round_robin")] == ["U2", "U3", "U1", "U2"]


def test_nobody_is_given_anybody_where_agents_pick_themselves() -> None:
    assert planned([case(1)], [agent(1)], strategy="manual") == []


def test_room_is_filled_from_the_head_of_the_queue_and_never_beyond_the_cap() -> None:
    assert planned([case(1), case(2), case(3)], [agent(1, load=3, cap=5)]) == [("Z001", "U1"), ("Z002", "U1")]
    assert planned([case(1)], [agent(1, load=6, cap=5), agent(2, cap=0)]) == []


def test_who_served_the_buyer_before_is_asked_first_only_while_there_is_room() -> None:
    known = case(1, last_agent_id="S1:U2")
    assert planned([known], [agent(1), agent(2, load=4)]) == [("Z001", "U2")]
    assert planned([known], [agent(1), agent(2, load=5)]) == [("Z001", "U1")]


def test_who_has_let_a_buyer_wait_is_not_asked_again_while_another_is_free() -> None:
    passed = case(1, passed=("S1:U1",), last_agent_id="S1:U1")
    assert planned([passed], [agent(1), agent(2, load=4)]) == [("Z001", "U2")]
    assert planned([passed], [agent(1)]) == [("Z001", "U1")]


def test_a_group_is_served_by_its_own_until_the_wait_overflows() -> None:
    waits = case(1, group_id="A", queued_at=NOW - 10 * SECOND)
    others = [agent(1), agent(2, groups=("B",))]
    assert planned([waits, case(2)], others, overflow_s=60) == [("Z002", "U1")]  # passed over, and keeps nobody back
    assert planned([waits], [*others, agent(3, load=4, groups=("A",))], overflow_s=60) == [("Z001", "U3")]
    assert planned([waits], others, overflow_s=5) == [("Z001", "U1")]


def test_skills_are_all_needed() -> None:
    waits = case(1, skills=("日语", "退款"))
    assert planned([waits], [agent(1, skills=("日语",)), agent(2, skills=("退款", "日语"))]) == [("Z001", "U2")]


def test_the_first_rule_that_fits_page_thing_and_level_decides() -> None:
    settings = DeskSettings(
        rules=(
            Rule(page="product", thing_id="G7", group_id="A"),
            Rule(page="product", level=3, group_id="B", priority=5),
            Rule(level=1, priority=1, skills=("老客",)),
        )
    )
    shirt = Card(k="product", id="G1", title="衬衫")
    assert rules.wanted(settings, structs.replace(shirt, id="G7"), 0).group_id == "A"
    assert rules.wanted(settings, shirt, 4) == rules.Wanted(group_id="B", priority=5)
    assert rules.wanted(settings, shirt, 2) == rules.Wanted(skills=("老客",), priority=1)
    assert rules.wanted(settings, None, 0) == rules.Wanted()
    spring = structs.replace(settings, rules=(Rule(page="activity", group_id="C"), *settings.rules))
    assert rules.wanted(spring, Card(k="activity", id="P1", title="满 30 减 6"), 2).group_id == "C"
    assert rules.wanted(spring, shirt, 4).group_id == "B"


def test_the_expected_wait_follows_recent_work_and_seats() -> None:
    assert rules.handling_ms([]) == 5 * MINUTE
    ended = [case(n, assigned_at=NOW, ended_at=NOW + n * MINUTE) for n in (2, 4, 60)]
    assert rules.handling_ms(ended) == 4 * MINUTE  # the median: one long talk does not frighten everybody
    assert rules.eta_s(0, 4 * MINUTE, 8) == 30
    assert rules.eta_s(7, 4 * MINUTE, 8) == 240
    assert rules.eta_s(0, 10 * SECOND, 8) == 10
    assert rules.eta_s(3, MINUTE, 0) is None


HOURS = (Span(days=(1, 2, 3, 4, 5), start=540, end=720), Span(days=(1, 2, 3, 4, 5), start=780, end=1_080))


def at(day: int, hour: int, minute: int = 0) -> int:
    return from_datetime(datetime(2026, 11, day, hour, minute, tzinfo=SHANGHAI))


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        (at(20, 9), None),  # the first minute
        (at(20, 8, 59), at(20, 9)),
        (at(20, 12), at(20, 13)),  # the end does not belong to a span
        (at(20, 18), at(24, 9)),  # over the weekend and a Monday off
        (at(28, 10), None),  # a Saturday that is worked as a Monday
    ],
)
def test_hours_are_those_of_the_weekday_unless_the_day_is_unlike_others(moment: int, opens: int | None) -> None:
    days = (Holiday(day="2026-11-23"), Holiday(day="2026-11-28", as_weekday=1))
    settings = DeskSettings(hours=HOURS, holidays=days)
    assert rules.is_open(settings, moment) is (opens is None)
    assert rules.opens_at(settings, moment) == opens


@pytest.mark.parametrize(
    ("hour", "serve_online", "gives", "serves_empty", "serves_attended"),
    [
        (10, False, True, True, True),
        (10, True, True, True, True),
        (20, False, False, False, False),  # however many are online
        (20, True, True, False, True),  # service at night is where somebody is there
    ],
)
def test_hours_hold_for_agents_unless_the_desk_serves_whenever_somebody_is_online(
    hour: int, *, serve_online: bool, gives: bool, serves_empty: bool, serves_attended: bool
) -> None:  # req I4
    settings = DeskSettings(hours=HOURS, serve_online=serve_online)
    assert rules.gives(settings, at(20, hour)) is gives
    assert rules.serves(settings, at(20, hour), attended=False) is serves_empty
    assert rules.serves(settings, at(20, hour), attended=True) is serves_attended


def test_who_comes_at_night_is_not_taken_for_gone_before_the_desk_has_opened() -> None:  # req I4
    friday_night, monday = at(20, 20), at(23, 9)
    settings = DeskSettings(hours=HOURS, abandon_s=3_600)
    assert rules.enqueued(case(1), settings, friday_night).due_at == monday + 60 * MINUTE
    assert rules.enqueued(case(1), settings, at(20, 10)).due_at == at(20, 11)
    at_once = structs.replace(settings, serve_online=True)
    assert rules.enqueued(case(1), at_once, friday_night).due_at == at(20, 21)
    days = [f"2026-{month}-{day}" for month in (11, 12) for day in range(20, 31)]
    days += [f"2026-12-{day:02d}" for day in range(1, 20)]
    never = structs.replace(settings, holidays=tuple(Holiday(day=day) for day in days))
    assert rules.enqueued(case(1), never, friday_night).due_at == at(20, 21)  # no hour is known to wait for


@pytest.mark.parametrize(
    ("moment", "changes"),
    [
        (at(20, 9), at(20, 12)),
        (at(20, 12), at(20, 13)),
        (at(20, 17, 59), at(20, 18)),
        (at(20, 18), at(24, 9)),
        (at(28, 17), at(28, 18)),
    ],
)
def test_it_is_known_when_a_desk_opens_or_closes_next(moment: int, changes: int) -> None:
    days = (Holiday(day="2026-11-23"), Holiday(day="2026-11-28", as_weekday=1))
    assert rules.changes_at(DeskSettings(hours=HOURS, holidays=days), moment) == changes


def test_a_desk_that_is_always_open_closes_for_its_holidays_only() -> None:
    assert rules.changes_at(DeskSettings(), at(22, 3)) is None
    assert rules.changes_at(DeskSettings(holidays=(Holiday(day="2026-11-25"),)), at(22, 3)) == at(25, 0)
    night = (
        Span(days=(1, 2, 3, 4, 5, 6, 7), start=0, end=120),
        Span(days=(1, 2, 3, 4, 5, 6, 7), start=1_320, end=1_440),
    )
    assert rules.changes_at(DeskSettings(hours=night), at(22, 23)) == at(23, 2)  # midnight closes nothing


def _document(scope: str, version: int, patch: DeskPatch) -> SettingsDocument:
    return SettingsDocument(id=scope, scope=scope, version=version, patch=patch, by="U1", created_at=NOW)


def test_a_shop_sets_its_own_over_the_platforms_and_takes_it_back() -> None:  # req I4
    platform = _document("platform-wide", 3, DeskPatch(cap=7, idle_end_s=600))
    first = over(DeskPatch(cap=2, strategy="manual"), None)
    holds = resolve(platform, _document("S1", 1, first))
    assert (holds.cap, holds.strategy, holds.idle_end_s, holds.versions) == (2, "manual", 600, (3, 1))
    # What is not named stays; null takes back.
    second = over(DeskPatch(cap=None, rules=()), first)
    assert second == DeskPatch(strategy="manual", rules=())
    holds = resolve(platform, _document("S1", 2, second))
    assert (holds.cap, holds.strategy, holds.rules) == (7, "manual", ())


def test_a_desk_without_hours_is_always_open_but_for_its_holidays() -> None:
    settings = DeskSettings(holidays=(Holiday(day="2026-11-23"),))
    assert rules.is_open(settings, at(22, 3)) and not rules.is_open(settings, at(23, 3))
    assert rules.opens_at(settings, at(23, 3)) == at(24, 0)


def test_a_span_must_end_after_it_begins() -> None:
    with pytest.raises(BadHours):
        check(DeskPatch(hours=(Span(days=(1,), start=600, end=600),)), ())


def test_words_are_heard_in_any_order_and_any_number_of_times() -> None:
    fresh = case(1, state="human", queued_at=None)
    asked = rules.heard(fresh, "buyer", 5, NOW)
    assert asked is not None and asked.waiting_since == NOW
    assert rules.heard(asked, "buyer", 5, NOW) is None
    again = rules.heard(asked, "buyer", 6, NOW + 9)
    assert again is not None and again.waiting_since == NOW  # waits since the first
    answered = rules.heard(again, "staff", 7, NOW + 20)
    assert answered is not None and (answered.waiting_since, answered.answered_at) == (None, NOW + 20)
    late = rules.heard(structs.replace(answered, buyer_s=4), "buyer", 6, NOW)
    assert late is not None and late.waiting_since is None  # a word overtaken by the answer waits for nothing
