"""A case from the buyer's first word to its end: who moves it, what the log says, what becomes of the agent's place."""

from __future__ import annotations

import asyncio

import pytest

from octshop_rt.core.clock import MINUTE, SECOND, TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store as log
from octshop_rt.im.desk import store
from octshop_rt.im.desk.model import Card, Case, CaseEnded, CaseTaken, DeskFull, NotServing
from octshop_rt.im.wire.fields import Context
from tests.desk.kit import MANAGER, SHOP, Node, Town, at, buyer, node, staff


async def words(one: Node, c: str) -> list[str]:
    """What the desk has said in the log, in order."""
    await one.quiet()
    rows = await log.page(one.db, c, 1, 1_000, 1_000, newest=False)
    return [row.b.ev or row.k for row in rows if row.fr == "system"]


def path(case: Case) -> list[str]:
    return [f"{step.was}>{step.now}:{step.why}" for step in case.history]


async def test_a_buyers_first_word_is_served_without_anybody_having_set_up_anything(
    db: Database, clock: TestClock
) -> None:  # req I2
    async with node(db, clock) as one:
        await one.sits("U1")
        case = await one.asks("B1")
        served = await one.case_when(case.c, lambda case: case.state == "human")
        assert (served.person_id, served.agent_name) == ("U1", "名 U1")
        assert path(served) == ["new>queued:spoke", "queued>human:assigned"]
        assert await words(one, case.c) == ["assigned"]  # served at once: no word of a queue
        agent = await one.desk.office.agent(SHOP, "S1:U1")
        assert (agent.load, [slot.case_id for slot in agent.slots]) == (1, [case.id])


async def test_who_waits_is_told_the_place_and_moves_up(db: Database, clock: TestClock) -> None:  # req I5
    async with node(db, clock) as one:
        await one.sits("U1", cap=1)
        cases: list[Case] = []
        for number in range(3):
            cases.append(await one.asks(f"B{number}"))
            clock.advance(1)
        first = await one.case_when(cases[0].c, lambda case: case.state == "human")

        async def places() -> list[tuple[int, int | None] | None]:
            seen = [await one.desk.place(await one.desk.cases.one(case.id)) for case in cases]
            return [None if place is None else (place.pos, place.eta_s) for place in seen]

        assert await places() == [None, (1, 300), (2, 600)]
        await one.desk.end(at("U1"), first.id, one.request_id(), resolved=True)
        await one.case_when(cases[1].c, lambda case: case.state == "human")
        async with asyncio.timeout(20):  # what is answered may be a second old
            while await places() != [None, None, (1, 10)]:
                await asyncio.sleep(0.05)
        assert await words(one, cases[2].c) == ["queued"]
        assert await words(one, first.c) == ["assigned", "ended"]


async def test_of_each_conversation_the_newest_case_is_found(db: Database, clock: TestClock) -> None:
    async with node(db, clock, works=False) as one:
        first, other = await one.asks("B1"), await one.asks("B2")
        await one.desk.end_by_buyer(buyer("B1"), first.id, one.request_id())
        clock.advance(MINUTE)
        second = await one.asks("B1")
        assert second.id != first.id
        found = await store.newest_cases(db, [first.c, other.c, "C404"])
        assert {c: case.id for c, case in found.items()} == {first.c: second.id, other.c: other.id}
        assert found[first.c].history


async def test_whoever_of_the_shop_simply_answers_takes_the_case(db: Database, clock: TestClock) -> None:
    async with node(db, clock) as one:
        case = await one.asks("B1")
        await one.says(staff("U9"), case.c, "在的")
        taken = await one.case_when(case.c, lambda case: case.state == "human")
        assert (taken.person_id, taken.waiting_since, path(taken)[-1]) == ("U9", None, "queued>human:answered")


async def test_an_ended_case_stays_ended_and_a_new_word_opens_the_next(db: Database, clock: TestClock) -> None:
    async with node(db, clock) as one:
        await one.sits("U1")
        await one.sits("U2")
        case = await one.asks("B1")
        served = await one.case_when(case.c, lambda case: case.state == "human")
        who = at(served.person_id or "")
        request = one.request_id()
        over = await one.desk.end(who, case.id, request, resolved=True)
        assert (over.state, over.resolved) == ("ended", True)
        assert (await one.desk.end(who, case.id, request, resolved=True)).rev == over.rev
        with pytest.raises(CaseEnded):
            await one.desk.end(who, case.id, one.request_id(), resolved=True)
        # heard again, as the net would: it opens nothing
        row = await log.page(db, case.c, 1, 1, 1, newest=False)
        one.desk.intake.hear(await one.conversations.conversation(case.c), row[0])
        await one.quiet()
        assert (await store.newest_case(db, case.c) or case).id == case.id
        clock.advance(10 * SECOND)
        following = await one.asks("B1", text="还有一个问题")
        assert following.id != case.id
        again = await one.case_when(case.c, lambda case: case.state == "human")
        assert again.person_id == served.person_id  # who knows the buyer is asked first


async def test_only_one_of_two_colleagues_gets_a_case(db: Database, clock: TestClock) -> None:  # req I5
    async with node(db, clock, works=False) as one:
        case = await one.asks("B1")
        first = await one.desk.accept(at("U1"), case.id, one.request_id())
        assert (first.state, first.person_id) == ("human", "U1")
        with pytest.raises(CaseTaken):
            await one.desk.accept(at("U2"), case.id, one.request_id())
        loser = await one.desk.office.agent(SHOP, "S1:U2")
        assert (loser.load, loser.slots) == (0, ())
        with pytest.raises(NotServing):
            await one.desk.end(at("U2"), case.id, one.request_id(), resolved=True)


async def test_nobody_serves_more_than_the_cap_not_even_by_hand(db: Database, clock: TestClock) -> None:
    async with node(db, clock, works=False) as one:
        await one.sits("U1", cap=1)
        cases = [await one.asks(f"B{number}") for number in range(2)]
        await one.desk.accept(at("U1"), cases[0].id, one.request_id())
        with pytest.raises(DeskFull):
            await one.desk.accept(at("U1"), cases[1].id, one.request_id())
        assert (await one.desk.cases.one(cases[1].id)).state == "queued"


async def test_a_case_passes_to_a_colleague_to_a_group_and_to_the_platform(db: Database, clock: TestClock) -> None:
    async with node(db, clock) as one:
        await one.sits("U1", cap=5)
        case = await one.asks("B1")
        await one.case_when(case.c, lambda case: case.state == "human")
        two = await one.sits("U2", cap=5)
        passed = await one.handover.to_agent(at("U1"), case.id, two.id, "会员价问题", one.request_id())
        assert (passed.person_id, path(passed)[-1]) == ("U2", "human>human:transferred")
        assert (await one.desk.office.agent(SHOP, "S1:U1")).load == 0
        group = await one.desk.office.add_group(SHOP, "售后")
        three = await one.sits("U3", cap=5)
        await one.desk.office.arrange(SHOP, three.id, cap=None, groups=(group.id,), skills=None)
        await one.handover.to_group(at("U2"), case.id, group.id, "", one.request_id())
        grouped = await one.case_when(case.c, lambda case: case.state == "human")
        assert grouped.person_id == "U3"
        request = one.request_id()
        fresh = await one.handover.to_platform(at("U3"), case.id, "请平台介入", request)
        assert (fresh.shop_id, fresh.before_id, fresh.state) == ("platform", case.id, "queued")
        assert (await one.handover.to_platform(at("U3"), case.id, "请平台介入", request)).id == fresh.id
        old = await one.desk.cases.one(case.id)
        assert (old.state, old.history[-1].why) == ("ended", "to_platform")
        said = await words(one, case.c)
        assert said == ["assigned", "transferred", "note", "assigned", "to_platform", "moved_to"]


async def test_a_supervisor_ends_what_a_colleague_serves(db: Database, clock: TestClock) -> None:
    async with node(db, clock, works=False) as one:
        case = await one.asks("B1")
        await one.desk.accept(at("U1"), case.id, one.request_id())
        over = await one.desk.end(at("U8", rights=MANAGER), case.id, one.request_id(), resolved=False)
        assert over.state == "ended"
        assert (await one.desk.office.agent(SHOP, "S1:U1")).load == 0


async def test_what_the_buyer_looks_at_is_shown_once_for_each_thing(db: Database, clock: TestClock) -> None:  # req I9
    town = Town()
    town.cards = {one: Card(k="product", id=one, title=f"商品 {one}", price_fen=900) for one in ("G1", "G2")}
    async with node(db, clock, town=town, works=False) as one:
        opened = [
            await one.desk.arrive(buyer("B1"), SHOP, Context(k="product", id=thing))
            for thing in ("G1", "G1", "G2", "G2")
        ]
        assert len({case.id for case in opened}) == 1
        await one.quiet()
        rows = await log.page(db, opened[0].c, 1, 10, 10, newest=False)
        assert [(row.b.ev, row.b.id, row.b.title) for row in rows] == [
            ("context", "G1", "商品 G1"), ("context", "G2", "商品 G2"),
        ]  # fmt: skip
        clock.advance(31 * MINUTE)
        await one.desk.upkeep.look()
        gone = await one.desk.cases.one(opened[0].id)
        assert (gone.state, await words(one, gone.c)) == ("ended", ["context", "context"])  # came, said nothing, left
