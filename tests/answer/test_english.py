"""A question's English form: on its button, found when it is asked, and answered in the language of who tapped it."""

from __future__ import annotations

from octshop_rt.im.answer.model import Welcome
from octshop_rt.im.wire.fields import Option
from tests.answer.test_bot import World
from tests.answer.test_learning import world
from tests.guard.kit import BUYER

__all__ = ["world"]


async def test_who_reads_english_is_offered_and_answered_in_english(world: World) -> None:  # req I7
    park = await world.faq("店里可以停车吗", "可以", en="Yes", question_en="Is there parking?")
    plain = await world.faq("可以开发票吗", "可以开")
    await world.set(Welcome(page="any", zh="您好", en="Hello", questions=(park.id, plain.id)))
    world.bot.opened(world.desk.cases[world.node.c])
    case = world.desk.cases[world.node.c]
    welcome = await world.answer(f"welcome-{case.id}")
    assert welcome.b.opts == (
        Option(id=park.id, text="店里可以停车吗", en="Is there parking?"), Option(id=plain.id, text="可以开发票吗"),
    )  # fmt: skip
    assert welcome.b.id is not None
    await world.bot.choose(BUYER, welcome.b.id, park.id, "en")
    told = await world.answer(f"pick-{welcome.b.id}-{park.id}")
    assert told.b.text == "Is there parking?\nYes"
    await world.bot.choose(BUYER, welcome.b.id, plain.id, "en")
    told = await world.answer(f"pick-{welcome.b.id}-{plain.id}")
    assert told.b.text == "可以开发票吗\n可以开"  # the shop has written no other
    await world.ask("Is there parking?", "ask-1")
    assert (await world.answer("bot-4")).b.text == "Yes"
