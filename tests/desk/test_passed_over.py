"""Who waits for others is passed over, not waited behind, however many of them stand at the head of the queue."""

from __future__ import annotations

import random

from octshop_rt.core.clock import SECOND, TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.desk import rules, store
from octshop_rt.im.desk.model import Agent, Case
from octshop_rt.im.desk.settings import DeskSettings
from tests.desk.kit import SHOP, at, node


def waits(clock: TestClock, place: int, *, group_id: str | None = None, skills: tuple[str, ...] = ()) -> Case:
    now = clock.now()
    return Case(
        id=f"Z{place:04d}", c=f"C{place:04d}", shop_id=SHOP, merchant_id="M1", buyer_id=f"B{place}", state="queued",
        open=True, rev=2, opened_at=now, queued_at=now + place, waiting_since=now, group_id=group_id, skills=skills,
    )  # fmt: skip


def sits(number: int, groups: tuple[str, ...], skills: tuple[str, ...]) -> Agent:
    return Agent(
        id=f"{SHOP}:U{number}", shop_id=SHOP, person_id=f"U{number}", name="", status="online", status_at=1, seen_at=1,
        cap=1, groups=groups, skills=skills,
    )  # fmt: skip


async def test_free_agents_serve_what_they_may_behind_any_number_of_others(db: Database, clock: TestClock) -> None:
    # req I2: a hundred and twenty of a group nobody is in, sixty who ask for a skill only a full agent has
    async with node(db, clock, works=False) as one:
        await one.sits("U1", cap=1)
        rows = [waits(clock, place, group_id="G-nobody") for place in range(120)]
        rows += [waits(clock, place, skills=("returns",)) for place in range(120, 180)]
        rows += [waits(clock, 180), waits(clock, 181, group_id="G1")]
        await store.CASES.insert_many(db, rows)
        await one.desk.office.add_group(SHOP, "一组", "G1")
        for person, cap, groups, skills in (("U2", 1, (), ("returns",)), ("U3", 2, ("G1",), ())):
            agent = await one.sits(person)
            await one.desk.office.arrange(SHOP, agent.id, cap=cap, groups=groups, skills=skills)
        await one.desk.assigner.fill(SHOP)
        await one.quiet()
        served = {case.id: case.person_id async for case in store.CASES.scan(db, {"shop_id": SHOP, "state": "human"})}
        assert (served["Z0120"], served["Z0181"], len(served)) == ("U2", "U3", 3)
        assert served["Z0180"] in {"U1", "U3"}


async def test_the_next_one_for_an_agent_may_stand_behind_hundreds_for_others(db: Database, clock: TestClock) -> None:
    # req I2
    async with node(db, clock, works=False) as one:
        rows = [waits(clock, place, group_id="G-other") for place in range(150)]
        await store.CASES.insert_many(db, [*rows, waits(clock, 150)])
        agent = await one.sits("U1")
        await one.desk.attendance.choose(at("U1"), "busy", "")
        await one.quiet()
        assert (await one.desk.accept_next(at("U1"), one.request_id())).id == "Z0150"
        assert agent.id == f"{SHOP}:U1"


async def test_the_question_to_the_queue_is_the_rule(db: Database, clock: TestClock) -> None:
    """Cases and agents by chance: what is asked of the database is what `may_serve` allows, in the queue's order."""
    chance = random.Random(20261129)
    settings, groups, skills = DeskSettings(overflow_s=30), ("G1", "G2", "G3"), ("a", "b", "c")

    def some(of: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(chance.sample(of, chance.randrange(len(of))))

    cases = [
        waits(clock, place * 1_000, group_id=chance.choice((None, *groups)), skills=some(skills)) for place in range(60)
    ]
    await store.CASES.insert_many(db, cases)
    for moment in (0, 60):
        now = clock.now() + moment * SECOND
        for number in range(40):
            agents = [sits(number, some(groups), some(skills)) for _ in range(chance.randrange(1, 4))]
            overflown = rules.overflown(settings, now)
            found = await store.servable(db, SHOP, rules.kinds(agents), overflown=overflown, limit=100)
            meant = [case.id for case in cases if any(rules.may_serve(one, case, settings, now) for one in agents)]
            assert [case.id for case in found] == meant
            assert moment == 0 or len(meant) >= 31
