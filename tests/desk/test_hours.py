"""Hours hold for agents too: who waits is given to nobody while the desk is closed, and to somebody once it opens."""

from __future__ import annotations

from datetime import datetime

from octshop_rt.core.clock import MINUTE, SECOND, SHANGHAI, TestClock, from_datetime
from octshop_rt.core.mongo import Database
from octshop_rt.im.desk.settings import DeskPatch, Span
from tests.desk.kit import SHOP, Node, at, node

EVENING = from_datetime(datetime(2026, 11, 20, 20, 0, tzinfo=SHANGHAI))  # a Friday
MONDAY = from_datetime(datetime(2026, 11, 23, 9, 0, tzinfo=SHANGHAI))
OFFICE_HOURS = (Span(days=(1, 2, 3, 4, 5), start=540, end=1_080),)


async def keeps_hours(one: Node) -> None:
    await one.desk.office.set(SHOP, DeskPatch(hours=OFFICE_HOURS), "test")


async def turn(one: Node) -> None:
    """Upkeep and assignments, once."""
    await one.desk.upkeep.look()
    await one.desk.assigner.fill(SHOP)
    await one.quiet()


async def test_who_comes_at_night_is_served_when_the_desk_opens(db: Database) -> None:  # req I4
    clock = TestClock(EVENING)
    async with node(db, clock, works=False) as one:
        await keeps_hours(one)
        agent = await one.sits("U1")
        assert agent.status == "online"
        case = await one.asks("B1")
        await turn(one)
        case = await one.desk.cases.one(case.id)
        assert (case.state, case.after_hours) == ("queued", True)
        place = await one.desk.place(case)
        assert place is not None
        assert (place.pos, place.eta_s) == (1, None), "nobody's turn comes by itself tonight"
        assert (place.attended, place.serves_now) == (True, False)
        clock.advance(MONDAY - EVENING - SECOND)  # longer than `abandon_s`
        await one.desk.attendance.seen(["U1"])
        await turn(one)
        assert (await one.desk.cases.one(case.id)).state == "queued"
        clock.advance(SECOND)
        # Nothing happens at nine that would wake anybody: the net alone brings them together.
        one.desk.assigner.start()
        served = await one.case_when(case.c, lambda case: case.state == "human")
        assert (served.id, served.person_id) == (case.id, "U1")


async def test_at_night_an_agent_takes_by_hand_and_what_is_being_served_goes_on(db: Database) -> None:  # req I4
    clock = TestClock(EVENING)
    async with node(db, clock, works=False) as one:
        await keeps_hours(one)
        await one.sits("U1")
        await one.sits("U2")
        case = await one.asks("B1")
        taken = await one.desk.accept(at("U1"), case.id, one.request_id())
        assert (taken.state, taken.person_id) == ("human", "U1")
        await one.quiet()
        clock.advance(5 * MINUTE)  # past `response_timeout_s`; by day U2 would be given the buyer
        await one.desk.attendance.seen(["U1", "U2"])
        await turn(one)
        case = await one.desk.cases.one(case.id)
        assert (case.state, case.person_id) == ("human", "U1")
        clock.advance(MONDAY - clock.now())
        await one.desk.attendance.seen(["U1", "U2"])
        await turn(one)
        case = await one.desk.cases.one(case.id)
        assert (case.state, case.person_id) == ("human", "U2")


async def test_a_desk_that_serves_whenever_somebody_is_online_gives_at_night_too(db: Database) -> None:  # req I4
    clock = TestClock(EVENING)
    async with node(db, clock, works=False) as one:
        await keeps_hours(one)
        await one.sits("U1")
        case = await one.asks("B1")
        await turn(one)
        assert (await one.desk.cases.one(case.id)).state == "queued"
        await one.desk.office.set(SHOP, DeskPatch(serve_online=True), "test")
        place = (await one.desk.places.anew(SHOP)).places[case.id]
        assert (place.pos, place.eta_s, place.serves_now) == (1, 60, True)
        await turn(one)
        assert (await one.desk.cases.one(case.id)).person_id == "U1"
        await one.sits("U2")
        clock.advance(5 * MINUTE)
        await one.desk.attendance.seen(["U1", "U2"])
        await turn(one)
        assert (await one.desk.cases.one(case.id)).person_id == "U2", "and so the buyer who is left waiting goes on"
