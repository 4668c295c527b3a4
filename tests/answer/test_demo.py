"""The demo's shops: every question is understood in its own words, and knows nothing it should not."""

from __future__ import annotations

import pytest

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import TestClock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.demo import seed
from octshop_rt.demo.answers import EVERYWHERE, KNOWLEDGE
from octshop_rt.demo.ids import fixed
from octshop_rt.im.answer import rules, store
from octshop_rt.im.answer.knowledge import Knowledge


async def test_the_demo_s_questions_are_sure_in_their_own_words(db: Database, clock: TestClock, ids: Ids) -> None:
    await seed(db, clock)
    await seed(db, clock)  # again: nothing twice
    knowledge = Knowledge(db, clock, ids, LocalBus())
    for known in KNOWLEDGE:
        shop = await knowledge.shop(fixed("S", known.shop))
        assert len(shop.faqs) == len(known.faqs) + len(EVERYWHERE)
        for faq in shop.faqs.values():
            for text in (faq.question, *faq.similar):
                found = shop.matcher.judge(text)
                assert (found.sureness, found.candidates[0].faq_id) == ("sure", faq.id), text
        assert rules.welcome_for("order", shop.settings.welcomes) != rules.welcome_for("shop", shop.settings.welcomes)
        assert len(await store.quick(db, shop.settings.id, [shop.settings.id])) == 8


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("请问燕麦奶要加钱吗", "可以换燕麦奶吗？"),
        ("我想退款", "不想要了可以退款吗？"),
        ("今天几点关门呀", "几点开门，几点关门？"),
        ("附近好停车不", "店里可以停车吗？"),
        ("开个发票", "可以开发票吗？"),
        ("Do you have oat milk", "可以换燕麦奶吗？"),
        ("Do you sell bicycles", ""),
    ],
)
async def test_a_buyer_s_own_words_lead_to_the_question_or_to_a_choice_with_it(
    db: Database, clock: TestClock, ids: Ids, text: str, question: str
) -> None:
    await seed(db, clock)
    shop = await Knowledge(db, clock, ids, LocalBus()).shop(fixed("S", 1))
    found = shop.matcher.judge(text)
    assert (question in {one.question for one in found.candidates}) if question else found.sureness == "unknown", found
