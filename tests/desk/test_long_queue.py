"""A shop with more open cases than a page holds: an agent's desk says so, and no invitation is lost in the number."""

from __future__ import annotations

from aiohttp.test_utils import make_mocked_request
from msgspec.structs import replace

from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.clock import TestClock
from octshop_rt.core.http.routes import Call
from octshop_rt.core.mongo import Database
from octshop_rt.im.api.desk_staff import CasesQuery, DeskOfStaff
from octshop_rt.im.desk import store
from octshop_rt.im.desk.model import Case
from octshop_rt.im.desk.service import PAGE
from tests.desk.kit import Node, at, node


def knock(person_id: str, query: CasesQuery | None = None, shop_id: str = "S1") -> Call[ShopStaff]:
    """At the agent's door."""
    return Call(who=at(person_id, shop_id), path={}, query=query, raw=make_mocked_request("GET", "/"))


async def many_like(one: Node, case: Case, count: int) -> list[Case]:
    """As many more like this one, newer."""
    rows = [replace(case, id=one.ids.new("Z"), c=one.ids.new("C"), guests=()) for _ in range(count)]
    for row in rows:
        await store.add_case(one.db, row)
    return rows


async def test_a_desk_says_when_its_lists_are_cut_and_tells_of_single_conversations(
    db: Database, clock: TestClock
) -> None:  # req I5
    async with node(db, clock, works=False) as one:
        desk = DeskOfStaff(one.desk, one.handover, clock)
        first = await one.asks("B1")
        queue = [first, *await many_like(one, first, PAGE - 1)]
        assert (await desk.desk(knock("U1"))).whole
        queue += await many_like(one, first, 2)
        seen = await desk.desk(knock("U1"))
        assert (seen.whole, len(seen.queued), seen.waiting) == (False, PAGE, PAGE + 2)
        missing = sorted({row.c for row in queue} - {view.c for view in seen.queued})
        asked = CasesQuery(c=(missing[0], "C-nowhere"))
        assert [view.c for view in (await desk.cases(knock("U1", asked))).items] == [missing[0]]
        assert (await desk.cases(knock("U1", asked, "S2"))).items == []  # another shop's are not told


async def test_an_invitation_is_found_behind_any_number_of_colleagues_cases(
    db: Database, clock: TestClock
) -> None:  # req I5
    async with node(db, clock) as one:
        await one.sits("U2")
        await one.sits("U1", cap=0)
        case = await one.asks("B1")
        served = await one.case_when(case.c, lambda now: now.state == "human")
        asked = await one.desk.invite(at("U2"), served.id, "S1:U1", "请看一下", one.request_id())
        assert asked.guests == ("U1",)
        clock.advance(1_000)
        await many_like(one, asked, PAGE)
        desk = DeskOfStaff(one.desk, one.handover, clock)
        assert [view.id for view in (await desk.desk(knock("U1"))).invited] == [served.id]
