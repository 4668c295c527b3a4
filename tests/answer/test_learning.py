"""Whose voice teaches the bot: members, one a person, an address and a day; guests change nothing for others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest

from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import DAY, TestClock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.answer import store
from octshop_rt.im.answer.model import Faq
from octshop_rt.im.answer.tending import Tending
from tests.answer.test_bot import World, until
from tests.guard.kit import MANAGER, SHOP, living


@pytest.fixture
async def world(db: Database, clock: TestClock, ids: Ids) -> AsyncIterator[World]:
    bus = LocalBus()
    async with living(db, clock, ids, bus, "a") as node:
        one = World(node, db, clock, ids, bus)
        one.desk.open(node.c)
        one.knowledge.start()
        one.bot.start()
        yield one
        await one.bot.stop()
        await one.knowledge.stop()


async def voted(world: World, faq: Faq, who: Buyer, text: str, *, helpful: bool) -> None:
    """An answer was given to these words, and this buyer says whether it helped."""
    number = world.ids.new("Z")
    row = msgspec.structs.replace(
        world.bot._row(world.desk.open(world.node.c, who), f"bot-{number}", 90, text), faq_ids=(faq.id,), by="faq",
        until=None,
    )  # fmt: skip
    await store.claim(world.db, row)
    await world.bot.vote(who, row.id, helpful=helpful)


def people(first: int, count: int, *, guest: bool = False) -> list[Buyer]:
    return [
        Buyer(session_id="N", person_id=f"U{number}", device_id="d", guest=guest)
        for number in range(first, first + count)
    ]


async def test_three_members_teach_the_bot_a_wording(world: World) -> None:
    latte = await world.faq("拿铁多少钱", "18 元")
    await world.faq("红茶多少钱", "12 元")
    shop = await world.knowledge.shop(SHOP)
    assert shop.matcher.judge("那个多少钱").sureness == "unsure"
    for number, buyer in enumerate(people(90, 3)):
        case = world.desk.open(world.node.c, buyer)
        row = msgspec.structs.replace(
            world.bot._row(case, f"bot-9{number}", 90 + number, "那个多少钱"),
            faq_ids=(latte.id,),
            by="offer",
            until=None,
        )
        await store.claim(world.db, row)
        await world.bot.choose(buyer, row.id, latte.id)

    async def learned() -> bool:
        return (await world.knowledge.shop(SHOP)).matcher.judge("那个多少钱").sureness == "sure"

    await until(learned)


async def test_guests_a_household_and_one_person_all_day_change_nothing_for_others(world: World) -> None:
    asked = "请问可以开发票吗"
    faq = await world.faq("可以开发票吗", "可以")

    async def sureness() -> str:
        return (await world.knowledge.shop(SHOP)).matcher.judge(asked).sureness

    async def doubted() -> list[str]:
        return [text for one in (await Tending(world.db, world.ids, world.knowledge).taught(SHOP)).values()
                for text in one.doubted]  # fmt: skip

    assert await sureness() == "sure"
    for guest in people(100, 20, guest=True):
        await voted(world, faq, guest, asked, helpful=False)
    assert (await world.knowledge.faqs(SHOP))[0].unhelpful == 20  # the shop sees what they think of it
    assert await store.lessons_of(world.db, SHOP, faq.id) == []
    household = people(200, 5)
    world.places |= {one.person_id: "one-address" for one in household}
    for member in household:
        await voted(world, faq, member, asked, helpful=False)
    [one] = people(300, 1)
    for _ in range(3):
        await voted(world, faq, one, asked, helpful=False)
    await voted(world, faq, one, "能开发票不", helpful=False)  # one voice a question and day
    assert [lesson.text for lesson in await store.lessons_of(world.db, SHOP, faq.id)] == ["请问可以开发票吗"]
    assert (await doubted(), await sureness()) == ([], "sure")  # two voices against it
    world.clock.advance(DAY)
    await voted(world, faq, one, "能开发票不", helpful=False)
    assert len(await store.lessons_of(world.db, SHOP, faq.id)) == 2
    await voted(world, faq, people(301, 1)[0], asked, helpful=False)
    assert await doubted() == [asked]
    await until(lambda: _isnt(sureness, "sure"))
    assert MANAGER is not None
    await Tending(world.db, world.ids, world.knowledge).forget(MANAGER, faq.id, asked)  # the shop undoes it
    await until(lambda: _isnt(sureness, "unsure"))


async def _isnt(what: Callable[[], Awaitable[str]], this: str) -> bool:
    return await what() != this
