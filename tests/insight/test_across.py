"""Figures by shop: those a person manages, side by side, and no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from octshop_rt.core.auth.model import Grant, Right, Staff
from octshop_rt.core.clock import TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.insight import sheets
from octshop_rt.im.insight.reports import Reports
from tests.insight.days import Script, at, staff


async def names(shop_ids: Sequence[str]) -> Mapping[str, str]:
    return {one: f"店 {one}" for one in shop_ids}


async def test_who_manages_several_shops_sees_them_side_by_side_and_no_other(db: Database, clock: TestClock) -> None:
    # req I8
    for shop_id, buyers in (("S1", 1), ("S2", 2), ("S3", 3), ("S4", 4)):
        for number in range(buyers):
            await Script(db, shop_id).case(
                f"U-{shop_id}-{number}", "09:00:00",
                [("09:00:00", "human", "ann", "G1"), ("09:10:00", "ended", "ann", "G1")],
                [("09:00:00", "b", "在吗"), ("09:00:20", "ann", "好的")],
            )  # fmt: skip
    clock.advance(max(0, at("12:00:00") - clock.now()))

    def grant(shop_id: str, *rights: Right) -> Grant:
        return Grant(merchant_id="M1", shop_id=shop_id, role="manager", rights=frozenset(rights))

    owner = Staff(
        session_id="N1", person_id="U-boss", name="boss", device_id="d",
        grants=(grant("S2", Right.MANAGE), grant("S1", Right.CHAT, Right.MANAGE), grant("S3", Right.CHAT)),
    )  # fmt: skip
    reports, span = Reports(db, clock, names), (at("00:00:00"), at("23:00:00"))
    report = await reports.across(owner, *span)
    assert [(one.key, one.name, one.figures.opened) for one in report.parts] == [("S1", "店 S1", 1), ("S2", "店 S2", 2)]
    assert report.whole.opened == 3
    for one in report.parts:
        assert one.figures == (await reports.report(staff(shop_id=one.key), *span, "all")).whole
    paper = sheets.as_csv(report, "zh-CN").decode("utf-8-sig").splitlines()
    assert [line.split(",")[:2] for line in paper] == [
        ["店铺", "会话数"], ["店 S1", "1"], ["店 S2", "2"], ["合计", "3"],
    ]  # fmt: skip
    assert sheets.as_xlsx(report, "en")[:2] == b"PK"
