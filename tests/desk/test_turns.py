"""What a buyer who waits is told follows from who may serve them: groups, skills and overflow, as for the assigner."""

from __future__ import annotations

import random
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from octshop_rt.core.clock import MINUTE, SECOND, SHANGHAI, TestClock, from_datetime
from octshop_rt.core.mongo import Database
from octshop_rt.im.desk import rules, store
from octshop_rt.im.desk.model import Agent, Case, Waiter
from octshop_rt.im.desk.settings import DeskPatch, DeskSettings, Span
from octshop_rt.im.desk.turns import Turn, turns
from tests.desk.kit import SHOP, node

NOW = from_datetime(datetime(2026, 11, 20, 12, 0, tzinfo=SHANGHAI))
SLOW = DeskSettings(overflow_s=7_200)
TALK = 5 * MINUTE


def agent(number: int, *groups: str, cap: int = 1, load: int = 0, skills: tuple[str, ...] = ()) -> Agent:
    return Agent(
        id=f"S1:U{number}", shop_id="S1", person_id=f"U{number}", name=f"U{number}", status="online", status_at=0,
        seen_at=NOW, cap=cap, load=load, groups=groups, skills=skills,
    )  # fmt: skip


def queue(*groups: str | None, waited_s: int = 0) -> list[Waiter]:
    since = NOW - waited_s * SECOND
    return [Waiter(id=str(n), group_id=one, queued_at=since + n) for n, one in enumerate(groups, 1)]


def told(
    waiting: list[Waiter], agents: list[Agent], settings: DeskSettings = SLOW, at: int = NOW
) -> list[tuple[int, int | None, bool]]:
    found = turns(waiting, agents, settings, at, TALK)
    return [(found[one.id].pos, found[one.id].eta_s, found[one.id].attended) for one in waiting]


def test_who_waits_for_a_group_stands_behind_all_whom_its_agents_serve_before() -> None:
    # One agent, four without a group, then one for the agent's group.
    assert told(queue(None, None, None, None, "A"), [agent(1, "A")])[-1] == (5, 1_500, True)


def test_who_waits_for_others_is_not_before() -> None:
    waiting = queue("A", "A", "B", None)
    assert told(waiting, [agent(1, "A"), agent(2, "B")]) == [
        (1, 300, True), (2, 600, True), (1, 300, True), (4, 600, True),
    ]  # fmt: skip


def test_a_group_whose_agents_are_away_is_not_attended() -> None:
    assert told(queue(None, "A"), [agent(1)]) == [(1, 300, True), (2, None, False)]
    assert told(queue(None, "A"), []) == [(1, None, False), (2, None, False)]
    assert told(queue("A"), [agent(1, "A", cap=0)]) == [(1, None, False)], "who may be given nobody is not there"


def test_a_skill_is_asked_for_like_a_group() -> None:
    wants = Waiter(id="1", skills=("退款",), queued_at=NOW)
    assert told([wants], [agent(1), agent(2, skills=("退款", "发票"), cap=3)]) == [(1, 100, True)]
    assert told([wants], [agent(1)]) == [(1, None, False)]


def test_who_has_waited_past_the_overflow_is_anybodys() -> None:
    waiting = queue("A", None, waited_s=90)
    assert told(waiting, [agent(1)], DeskSettings(overflow_s=60)) == [(1, 300, True), (2, 600, True)]


def test_who_will_have_overflowed_when_the_turn_comes_is_before() -> None:
    # A's agent is away. Both are free in a minute, and the first is served first then.
    assert told(queue("A", None), [agent(1)], DeskSettings(overflow_s=60)) == [(1, None, False), (2, 600, True)]
    assert told(queue("A", None), [agent(1)], DeskSettings(overflow_s=301))[1] == (1, 300, True)


def test_a_turn_is_expected_no_later_than_anybody_may_serve() -> None:
    agents = [agent(1, "A"), *(agent(number) for number in range(2, 12))]
    assert told(queue("A", "A", "A"), agents, DeskSettings(overflow_s=60))[-1] == (3, 90, True)


def test_by_hand_anybody_may_be_taken_and_outside_hours_nobodys_turn_comes() -> None:
    assert told(queue("A"), [agent(1)], DeskSettings(strategy="manual", overflow_s=7_200)) == [(1, 300, True)]
    night = DeskSettings(hours=(Span(days=(1,), start=0, end=60),), overflow_s=7_200)
    assert told(queue(None, "A"), [agent(1)], night) == [(1, None, True), (2, None, False)]


GROUPS, SKILLS = ("A", "B", "C"), ("x", "y")
few = st.lists(st.sampled_from(SKILLS), unique=True, max_size=2).map(tuple)
agents = st.lists(
    st.tuples(st.lists(st.sampled_from(GROUPS), unique=True, max_size=2), few, st.integers(0, 3)), max_size=5
)
waiters = st.lists(
    st.tuples(st.sampled_from((None, *GROUPS)), few, st.integers(0, 90), st.integers(0, 2)), min_size=1, max_size=20
)


@given(agents, waiters, st.randoms(use_true_random=False))
def test_free_places_one_by_one_never_make_a_told_place_worse(
    sits: list[tuple[list[str], tuple[str, ...], int]],
    comes: list[tuple[str | None, tuple[str, ...], int, int]],
    chance: random.Random,
) -> None:
    # req I2: the assigner itself is asked whom it would give whom
    settings = DeskSettings(overflow_s=60)
    crew = {
        one.id: one
        for one in (agent(n, *groups, cap=cap, load=cap, skills=skills) for n, (groups, skills, cap) in enumerate(sits))
    }
    cases = [
        Case(
            id=f"Z{n:03d}", c=f"C{n}", shop_id="S1", merchant_id="M1", buyer_id=f"B{n}", state="queued", open=True,
            rev=1, opened_at=NOW, queued_at=NOW - waited * SECOND, group_id=group, skills=skills, priority=priority,
        )
        for n, (group, skills, waited, priority) in enumerate(comes)
    ]  # fmt: skip
    waiting = sorted(cases, key=lambda one: (-one.priority, one.queued_at, one.id))

    def tell() -> dict[str, Turn]:
        left = [Waiter(id=one.id, group_id=one.group_id, skills=one.skills, queued_at=one.queued_at) for one in waiting]
        return turns(left, list(crew.values()), settings, NOW, TALK)

    first = last = tell()
    before = dict.fromkeys(first, 0)  # who were served by somebody who may serve this case, while it waited
    for one in cases:
        able = any(rules.may_serve(it, one, settings, NOW) for it in crew.values() if it.cap > 0)
        assert first[one.id].attended is able
        assert (first[one.id].eta_s is not None) is able
    for _ in range(40):
        busy = [one for one in crew.values() if one.load > 0]
        if not busy:
            break
        freed = chance.choice(busy)
        crew[freed.id] = structs.replace(freed, load=freed.load - 1)
        for match in rules.plan(waiting, list(crew.values()), settings, NOW):
            by = crew[match.agent.id]
            crew[by.id] = structs.replace(by, load=by.load + 1)
            served = match.case
            assert before[served.id] < first[served.id].pos, "told less than came before"
            waiting.remove(served)
            for one in waiting:
                before[one.id] += rules.may_serve(by, one, settings, NOW)
        now_told = tell()
        assert all(now_told[one.id].pos <= last[one.id].pos for one in waiting), "a place got worse"
        last = now_told


async def test_a_buyer_for_a_group_is_told_by_who_may_serve_it(db: Database, clock: TestClock) -> None:
    # req I2
    async with node(db, clock, works=False) as one:
        group = await one.desk.office.add_group(SHOP, "售前")
        away = await one.desk.office.add_group(SHOP, "售后")
        await one.desk.office.set(SHOP, DeskPatch(overflow_s=600), "U0")
        await one.sits("U1", cap=1)
        await one.desk.office.arrange(SHOP, f"{SHOP}:U1", cap=None, groups=(group.id,), skills=None)
        assert await store.take_slots(db, f"{SHOP}:U1", ["Z-other"], clock.now(), seen_after=None) is not None
        wants = [None, None, None, None, group.id, away.id]
        for n, group_id in enumerate(wants):
            await store.add_case(
                db,
                Case(
                    id=f"Z{n}", c=f"C{n}", shop_id=SHOP, merchant_id="M1", buyer_id=f"B{n}", state="queued", open=True,
                    rev=2, opened_at=clock.now(), queued_at=clock.now() + n, waiting_since=clock.now(),
                    group_id=group_id,
                ),
            )  # fmt: skip
        seen = [await one.desk.place(await one.desk.cases.one(f"Z{n}")) for n in range(len(wants))]
        assert [(place.pos, place.eta_s, place.attended) for place in seen if place] == [
            (1, 300, True), (2, 600, True), (3, 900, True), (4, 1_200, True), (5, 1_500, True), (6, None, False),
        ]  # fmt: skip
        assert seen[-1] is not None and seen[-1].serves_now, "the hours are kept all the same"
