"""Settings without sense are refused in words that say what is wrong, and nothing of the request happens."""

from __future__ import annotations

import pytest

from octshop_rt.core.clock import TestClock
from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Database
from octshop_rt.im.api.desk_hours import HoursWish, meant
from octshop_rt.im.desk import office_store
from octshop_rt.im.desk.model import BadHours
from octshop_rt.im.desk.settings import (
    PLATFORM_SCOPE,
    BadHoliday,
    DeskPatch,
    DeskSettings,
    Holiday,
    NoRoom,
    Rule,
    RuleWithoutGroup,
    SettingsDocument,
    Span,
)
from tests.desk.kit import SHOP, node

SENSELESS: list[tuple[DeskPatch, type[DomainError], str, str]] = [
    (DeskPatch(cap=0, idle_end_s=60), NoRoom, "至少", "at least one"),
    (
        DeskPatch(holidays=(Holiday(day="2026-02-28"), Holiday(day="2026-02-30"))),
        BadHoliday,
        "2026-02-30",
        "2026-02-30",
    ),
    (DeskPatch(holidays=(Holiday(day="2026-13-01", as_weekday=1),)), BadHoliday, "2026-13-01", "2026-13-01"),
    (
        DeskPatch(rules=(Rule(page="shop"), Rule(page="product", group_id="nope"))),
        RuleWithoutGroup,
        "第 2 条",
        "Rule 2",
    ),
    (DeskPatch(hours=(Span(days=(1,), start=600, end=500),)), BadHours, "结束", "end"),
]


@pytest.mark.parametrize(("patch", "refusal", "zh", "en"), SENSELESS)
@pytest.mark.parametrize("scope", [SHOP, PLATFORM_SCOPE])
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    db: Database, clock: TestClock, scope: str, patch: DeskPatch, refusal: type[DomainError], zh: str, en: str
) -> None:
    async with node(db, clock, works=False) as one:
        await one.desk.office.set(scope, DeskPatch(cap=3), "U0")
        with pytest.raises(refusal) as told:
            await one.desk.office.set(scope, patch, "U0")
        assert zh in told.value.text("zh-CN") and en in told.value.text("en")
        newest = await office_store.newest_settings(db, scope)
        assert newest is not None and (newest.version, newest.patch) == (1, DeskPatch(cap=3))


async def test_a_rule_names_a_group_of_this_very_shop_that_is_there(db: Database, clock: TestClock) -> None:
    async with node(db, clock, works=False) as one:
        mine = await one.desk.office.add_group(SHOP, "售前")
        others = await one.desk.office.add_group("S2", "售后")
        rule = DeskPatch(rules=(Rule(page="product", group_id=mine.id),))
        assert (await one.desk.office.set(SHOP, rule, "U0")).rules[0].group_id == mine.id
        for scope, group_id in ((SHOP, others.id), (PLATFORM_SCOPE, mine.id)):
            with pytest.raises(RuleWithoutGroup):
                await one.desk.office.set(scope, DeskPatch(rules=(Rule(group_id=group_id),)), "U0")
        await one.desk.office.drop_group(SHOP, mine.id)
        with pytest.raises(RuleWithoutGroup):
            await one.desk.office.set(SHOP, rule, "U0")
        assert (await one.desk.office.set(SHOP, DeskPatch(idle_end_s=60), "U0")).idle_end_s == 60, "it may stay, though"


async def test_what_was_stored_before_is_still_read_and_the_rest_may_be_changed(db: Database, clock: TestClock) -> None:
    old = DeskPatch(cap=0, holidays=(Holiday(day="2026-02-30"),), rules=(Rule(group_id="gone"),))
    async with node(db, clock, works=False) as one:
        await office_store.add_settings(
            db, SettingsDocument(id="Z1", scope=SHOP, version=1, patch=old, by="U0", created_at=1)
        )
        assert (await one.desk.office.settings(SHOP)).cap == 0
        held = await one.desk.office.set(SHOP, DeskPatch(idle_end_s=60), "U0")
        assert (held.cap, held.idle_end_s, held.rules) == (0, 60, old.rules)


def test_hours_that_are_only_tried_out_are_judged_alike(clock: TestClock) -> None:
    with pytest.raises(BadHoliday):
        meant(HoursWish(hours=(), holidays=(Holiday(day="2026-02-30"),)), clock.now())
    assert DeskSettings().holidays == ()
