"""The platform's values beneath all shops': where each comes from, and which shops have set their own."""

from __future__ import annotations

from octshop_rt.core.clock import TestClock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.desk import office
from octshop_rt.im.desk.office import Office
from octshop_rt.im.desk.settings import PLATFORM_SCOPE, DeskPatch


async def test_each_value_says_whether_it_is_the_shop_s_the_platform_s_or_the_product_s(
    db: Database, clock: TestClock
) -> None:  # req I4
    desk = Office(db, clock, Ids(clock))
    await desk.set(PLATFORM_SCOPE, DeskPatch(cap=7, idle_end_s=600), "U9")
    await desk.set("S1", DeskPatch(cap=9, strategy="manual"), "U1")
    shop, platform = await desk.layers("S1"), await desk.platform_layers()
    assert (shop.holds.cap, shop.holds.idle_end_s, shop.holds.strategy) == (9, 600, "manual")
    assert (shop.beneath.cap, shop.beneath.strategy, shop.above) == (7, "least_loaded", ("cap", "idle_end_s"))
    assert (platform.holds.cap, platform.beneath.cap, platform.above, platform.by) == (7, 5, (), "U9")
    assert platform.own == DeskPatch(cap=7, idle_end_s=600)
    await desk.set(PLATFORM_SCOPE, DeskPatch(cap=None), "U9")
    assert (await desk.layers("S1")).above == ("idle_end_s",)
    assert (await desk.platform_layers()).holds.cap == 5


async def test_shops_with_values_of_their_own_are_listed_by_their_newest_version(
    db: Database, clock: TestClock
) -> None:  # req I4
    desk = Office(db, clock, Ids(clock))
    await desk.set(PLATFORM_SCOPE, DeskPatch(cap=7), "U9")
    await desk.set("S1", DeskPatch(cap=9), "U1")
    await desk.set("S1", DeskPatch(idle_end_s=60), "U1")
    await desk.set("S2", DeskPatch(cap=3), "U2")
    await desk.set("S2", DeskPatch(cap=None), "U2")  # back to what lies beneath
    found, following = await desk.deviating(None)
    assert [(one.shop_id, one.fields) for one in found] == [("S1", ("cap", "idle_end_s"))]
    assert following is None
    for number in range(office.PAGE):
        await desk.set(f"T{number:04d}", DeskPatch(cap=1), "U3")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page, cursor = await desk.deviating(cursor)
        seen += [one.shop_id for one in page]
        if cursor is None:
            break
    assert seen == ["S1", *(f"T{number:04d}" for number in range(office.PAGE))]
