"""fsck sees what must not be in answers and guard; managers and agents change what they may, once."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from octshop_rt.core.auth.model import Right, ShopStaff
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import TestClock
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.answer import checks, store
from octshop_rt.im.answer.knowledge import FaqText, Knowledge, SettingsText
from octshop_rt.im.answer.model import (
    BadThresholds,
    Given,
    Lesson,
    NotYourReply,
    TooManyFaqs,
    TooManyQuickReplies,
    UnknownVariable,
    Welcome,
)
from octshop_rt.im.answer.quick import QuickReplies, QuickText
from octshop_rt.im.answer.tending import Tending
from octshop_rt.im.guard import checks as guard_checks
from octshop_rt.im.guard import store as guard_store
from octshop_rt.im.guard.model import Flag, RuleBook, Word

ALL = frozenset({Right.CHAT, Right.MANAGE})


def staff(person: str, rights: frozenset[Right] = ALL, shop: str = "S1") -> ShopStaff:
    return ShopStaff(
        session_id="N", person_id=person, name=f"客服{person}", merchant_id="M1", shop_id=shop, branch_id=None,
        rights=rights,
    )  # fmt: skip


MANAGER, AGENT = staff("U1"), staff("U2", frozenset({Right.CHAT}))
FAQ = FaqText(category="售后", question="可以退款吗", similar=("能退吗",), zh="可以", en="", on=True)


@pytest.fixture
def knowledge(db: Database, clock: TestClock, ids: Ids) -> Knowledge:
    return Knowledge(db, clock, ids, LocalBus())


async def values(shop_id: str, c: str) -> Mapping[str, str] | None:
    return {"buyer": "小雨", "shop": "豆芽"} if (shop_id, c) == ("S1", "C1") else None


@pytest.fixture
def quick(db: Database, clock: TestClock, ids: Ids) -> QuickReplies:
    return QuickReplies(db, clock, ids, values)


async def findings(db: Database) -> list[str]:
    every = (*checks.CHECKS, *guard_checks.CHECKS)
    return [found.check for check in every for found in [one async for one in check.run(db)]]


async def test_fsck_sees_each_planted_fault(db: Database, knowledge: Knowledge, clock: TestClock) -> None:
    faq = await knowledge.add_faq(MANAGER, "request-00000001", FAQ)
    await knowledge.settings("S1")
    assert await findings(db) == []
    await store.FAQS.update(db, {"_id": faq.id, "shop_id": "S1"}, {"$set": {"helpful": 3}})
    row = Given(id="Z1", shop_id="S1", case_id="Z2", c="C1", m="bot-1", s=1, buyer_id="U9", text="", at=1, until=1_000)
    await store.claim(db, row)
    gone = msgspec.to_builtins([Welcome(page="any", zh="你好", questions=("Zgone",))])
    await store.SETTINGS.update(db, {"_id": "S1"}, {"$set": {"welcomes": gone}})
    word = Word(id="Z3", text="外挂", level="mask", sides="both", by="U1", at=0)
    await guard_store.BOOKS.insert(
        db, RuleBook(id="S1", rev=1, words=(word, msgspec.structs.replace(word, id="Z4", text="外 挂")))
    )
    flag = Flag(id="Z5", shop_id="S1", c="C1", s=1, side="buyer", f="U9", text="x", hits=(), at=0, state="fine")
    await guard_store.add_flag(db, flag)
    assert await findings(db) == ["F100", "F101", "F102", "F103", "F104"]


async def test_a_question_is_added_once_and_a_reused_request_is_a_conflict(knowledge: Knowledge) -> None:
    one = await knowledge.add_faq(MANAGER, "request-00000001", FAQ)
    again = await knowledge.add_faq(MANAGER, "request-00000001", FAQ)
    assert one.id == again.id
    with pytest.raises(RequestConflict):
        await knowledge.add_faq(MANAGER, "request-00000001", msgspec.structs.replace(FAQ, question="别的"))
    with pytest.raises(UnknownVariable):
        await knowledge.add_faq(MANAGER, "request-00000002", msgspec.structs.replace(FAQ, zh="{price} 元"))
    assert len(await knowledge.faqs("S1")) == 1
    assert [row.id for row in knowledge.fitting(await knowledge.faqs("S1"), "能退", None)] == [one.id]
    assert knowledge.fitting(await knowledge.faqs("S1"), "能退", "门店") == []


async def test_what_is_changed_is_answered_at_once_and_what_is_gone_is_offered_no_more(knowledge: Knowledge) -> None:
    one = await knowledge.add_faq(MANAGER, "request-00000001", FAQ)
    text = SettingsText(
        on=True, sure=60, unsure=20, unknown_to_person=3, assistant=False, synonyms=(("退款", "退钱"),),
        welcomes=(Welcome(page="any", zh="您好", questions=(one.id,)),),
    )  # fmt: skip
    await knowledge.set_settings(MANAGER, text)
    tried = await knowledge.attempt("S1", "可以退钱吗", "zh-CN")
    assert (tried.by, tried.answer, tried.verdict.sureness) == ("faq", "可以", "sure")
    await knowledge.set_faq(MANAGER, one.id, msgspec.structs.replace(FAQ, zh="七天内可以"))
    assert (await knowledge.attempt("S1", "可以退款吗", "zh-CN")).answer == "七天内可以"
    with pytest.raises(BadThresholds):
        await knowledge.set_settings(MANAGER, msgspec.structs.replace(text, unsure=60))
    with pytest.raises(NotFound):
        missing = (Welcome(page="any", zh="您好", questions=("Z404",)),)
        await knowledge.set_settings(MANAGER, msgspec.structs.replace(text, welcomes=missing))
    with pytest.raises(NotFound):
        await knowledge.drop_faq(staff("U5", shop="S2"), one.id)
    await knowledge.drop_faq(MANAGER, one.id)
    assert (await knowledge.settings("S1")).welcomes[0].questions == ()
    assert (await knowledge.attempt("S1", "可以退款吗", "zh-CN")).by == "none"


async def test_there_is_an_end_to_what_a_shop_can_know(knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("octshop_rt.im.answer.knowledge.MOST_FAQS", 1)
    await knowledge.add_faq(MANAGER, "request-00000001", FAQ)
    with pytest.raises(TooManyFaqs):
        await knowledge.add_faq(MANAGER, "request-00000002", FAQ)


async def test_quick_replies_are_one_s_own_or_everyone_s_and_filled_for_a_conversation(
    quick: QuickReplies, monkeypatch: pytest.MonkeyPatch
) -> None:  # req I7
    text = QuickText(category="", title="问候", text="{buyer}您好，我是{agent}，订单 {order}", code="nh")
    mine = await quick.add(AGENT, "request-00000001", text, mine=True)
    assert (await quick.add(AGENT, "request-00000001", text, mine=True)).id == mine.id
    with pytest.raises(RequestConflict):
        await quick.add(AGENT, "request-00000001", msgspec.structs.replace(text, text="别的"), mine=True)
    with pytest.raises(NotYourReply):
        await quick.add(AGENT, "request-00000002", text, mine=False)
    everyones = await quick.add(MANAGER, "request-00000003", text, mine=False)
    assert [row.id for row in await quick.replies(AGENT, "nh")] == [mine.id, everyones.id]
    assert [row.id for row in await quick.replies(MANAGER, "")] == [everyones.id]
    with pytest.raises(NotYourReply):
        await quick.drop(AGENT, everyones.id)
    for act in (quick.drop(MANAGER, mine.id), quick.fill(MANAGER, mine.id, "C1"), quick.fill(AGENT, mine.id, "C2")):
        with pytest.raises(NotFound):
            await act
    assert await quick.fill(AGENT, mine.id, "C1") == ("小雨您好，我是客服U2，订单 {order}", ["order"])
    changed = await quick.change(AGENT, mine.id, msgspec.structs.replace(text, title="早上好"))
    assert (changed.letters[:3], changed.used) == ("zsh", 1)
    monkeypatch.setattr("octshop_rt.im.answer.quick.MOST_QUICK", 1)
    with pytest.raises(TooManyQuickReplies):
        await quick.add(AGENT, "request-00000004", text, mine=True)


async def test_many_questions_come_at_once_and_the_same_file_again_adds_none(
    knowledge: Knowledge, db: Database, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    tending = Tending(db, ids, knowledge)
    other = msgspec.structs.replace(FAQ, question="几天能到？", similar=())
    assert await tending.add(MANAGER, [FAQ, other, msgspec.structs.replace(other, question="几天 能到")]) == 2
    assert await tending.add(MANAGER, [msgspec.structs.replace(FAQ, question="能退吗"), other]) == 0
    assert {one.question for one in await knowledge.faqs("S1")} == {"可以退款吗", "几天 能到"}
    with pytest.raises(UnknownVariable):
        await tending.add(MANAGER, [msgspec.structs.replace(FAQ, question="谁", zh="{agent}")])
    monkeypatch.setattr("octshop_rt.im.answer.tending.MOST_FAQS", 2)
    with pytest.raises(TooManyFaqs):
        await tending.add(MANAGER, [msgspec.structs.replace(FAQ, question="第三个")])
    assert len(await knowledge.faqs("S1")) == 2


SAY = ("U1", "U2", "U3")


async def test_managers_see_what_buyers_taught_and_another_answer_ends_the_doubt(
    knowledge: Knowledge, db: Database, ids: Ids
) -> None:
    tending = Tending(db, ids, knowledge)
    row = await knowledge.add_faq(MANAGER, "request-000000001", FAQ)
    for text, good, bad in (("能退钱不", SAY, ()), ("退货", (), SAY), ("咋退", SAY[:2], ())):
        lesson = Lesson(id=ids.new("Z"), shop_id="S1", faq_id=row.id, text=text, good=good, bad=bad, at=1)
        await store.LESSONS.insert(db, lesson)
    taught = (await tending.taught("S1"))[row.id]
    assert (taught.added, taught.doubted) == (["能退钱不"], ["退货"])
    await knowledge.set_faq(MANAGER, row.id, msgspec.structs.replace(FAQ, category="退换"))
    assert (await tending.taught("S1"))[row.id].doubted == ["退货"]
    await knowledge.set_faq(MANAGER, row.id, msgspec.structs.replace(FAQ, zh="七天内可以"))
    assert (await tending.taught("S1"))[row.id].doubted == []
    await tending.forget(MANAGER, row.id, "能退钱不")
    assert await tending.taught("S1") == {}
    with pytest.raises(NotFound):
        await tending.forget(MANAGER, row.id, "能退钱不")
