"""Ratings, summaries, labels, memos, notes and profiles: who may, once or again, and what is never shown."""

from __future__ import annotations

import asyncio

import pytest

from octshop_rt.core.auth.model import Buyer, Right, ShopStaff
from octshop_rt.core.bus import LocalBus, Notice, notices
from octshop_rt.core.clock import DAY, HOUR, Clock, TestClock
from octshop_rt.core.errors import Lang, NotFound, RequestConflict
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.desk import store as desk_store
from octshop_rt.im.desk.model import Case, NoSuchCase
from octshop_rt.im.guard import store as guard_store
from octshop_rt.im.guard.model import Level, RuleBook, Sensitive, Word
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.insight import checks, store
from octshop_rt.im.insight.customers import Bought, CustomerBook, Who
from octshop_rt.im.insight.indexing import Indexer
from octshop_rt.im.insight.labels import Labels
from octshop_rt.im.insight.model import (
    CaseNotEnded,
    LabelTaken,
    NoSuchLabel,
    TooLateToRate,
    TooManyLabels,
)
from octshop_rt.im.insight.ratings import Ratings, Summaries
from octshop_rt.im.insight.reminders import Reminders
from tests.insight.days import Script, at, staff

RULES: tuple[tuple[str, Level], ...] = (("外挂", "refuse"), ("笨蛋", "mask"))
MEI = Buyer(session_id="N1", person_id="U-1", device_id="d")


async def ended(db: Database, clock: TestClock, buyer: str = "U-1") -> Case:
    clock.advance(max(0, at("09:10:00") - clock.now()))
    return await Script(db).case(
        buyer, "09:00:00", [("09:00:00", "human", "ann", "G1"), ("09:10:00", "ended", "ann", "G1")]
    )


@pytest.fixture
def clock() -> TestClock:
    return TestClock(at("00:00:00"))


async def rate(db: Database, clock: TestClock, case: Case, *, stars: int, rid: str = "r" * 16, who: Buyer = MEI):
    return await Ratings(db, clock, LocalBus()).rate(
        who, case.id, request_id=rid, stars=stars, solved=None, tags=(), text="好"
    )


async def test_a_case_is_rated_once_and_the_rating_changes_for_a_day(db: Database, clock: TestClock) -> None:  # req I8
    case = await ended(db, clock)
    both = await asyncio.gather(rate(db, clock, case, stars=5), rate(db, clock, case, stars=5))
    assert both[0] == both[1]
    assert (both[0].agent_id, both[0].group_id) == ("ann", "G1")
    with pytest.raises(RequestConflict):
        await rate(db, clock, case, stars=1)
    clock.advance(23 * HOUR)
    assert (await rate(db, clock, case, stars=2, rid="s" * 16)).stars == 2
    assert (await rate(db, clock, case, stars=2, rid="s" * 16)).stars == 2  # a retry
    clock.advance(2 * HOUR)
    with pytest.raises(TooLateToRate):
        await rate(db, clock, case, stars=1, rid="t" * 16)
    rows, _ = await Ratings(db, clock, LocalBus()).of_shop(staff(), agent_id="ann", stars=2, below=None)
    assert [row.stars for row in rows] == [2]
    given = rows[0].at
    for since, many in ((given, 1), (given + 1, 0)):
        found, _ = await Ratings(db, clock, LocalBus()).of_shop(
            staff(), agent_id=None, stars=None, below=None, since=since
        )
        assert len(found) == many


async def test_words_of_a_rating_pass_the_guard(db: Database, clock: TestClock, ids: Ids) -> None:  # req I10
    case = await ended(db, clock)
    words = tuple(Word(id=f"Z{text}", text=text, level=level, sides="buyer", by="U1", at=0) for text, level in RULES)
    await guard_store.BOOKS.insert(db, RuleBook(id=case.shop_id, rev=1, words=words))
    ratings = Ratings(db, clock, LocalBus(), Guard(db, clock, ids, LocalBus(), b"k" * 32))

    async def say(text: str) -> str:
        given = await ratings.rate(MEI, case.id, request_id="r" * 16, stars=1, solved=None, tags=(), text=text)
        return given.text

    with pytest.raises(Sensitive):
        await say("卖外挂的")
    assert await store.rating(db, case.id) is None
    assert await say("一群笨蛋") == "一群**" == await say("一群笨蛋")


async def test_only_the_buyer_rates_and_only_what_is_over(db: Database, clock: TestClock) -> None:  # req I8
    case = await ended(db, clock)
    with pytest.raises(NoSuchCase):
        await rate(db, clock, case, stars=5, who=Buyer(session_id="N", person_id="U-9", device_id="d"))
    going = await Script(db).case("U-2", "09:00:00", [("09:00:00", "human", "ann", "G1")])
    with pytest.raises(CaseNotEnded):
        await rate(db, clock, going, stars=5, who=Buyer(session_id="N", person_id="U-2", device_id="d"))
    clock.advance(8 * DAY)
    with pytest.raises(TooLateToRate):
        await rate(db, clock, case, stars=5)
    ratings = Ratings(db, clock, LocalBus())
    assert ratings.open_until(case, None) is None


async def test_fsck_sees_a_rating_of_a_case_that_goes_on(db: Database, clock: TestClock) -> None:
    case = await ended(db, clock)
    await rate(db, clock, case, stars=5)
    assert (await examine(db, checks.CHECKS[1:2])).clean
    await desk_store.CASES.update(db, {"_id": case.id}, {"$set": {"ended_at": None}})
    assert [one.check for one in (await examine(db, checks.CHECKS[1:2])).findings] == ["F106"]


async def test_a_shop_has_labels_of_its_own(db: Database, clock: TestClock, ids: Ids) -> None:  # req I6
    labels = Labels(db, clock, ids)
    vip = await labels.add(staff(), use="buyer", name="ＶＩＰ", colour="red")
    assert await labels.add(staff(), use="buyer", name="vip", colour="red") == vip
    with pytest.raises(LabelTaken):
        await labels.add(staff(), use="buyer", name="Vip", colour="blue")
    refund = await labels.add(staff(), use="case", name="退款", colour="blue")
    with pytest.raises(LabelTaken):
        other = await labels.add(staff(), use="case", name="物流", colour="grey")
        await labels.change(staff(), other.id, name="退款", colour="grey")
    with pytest.raises(NoSuchLabel):
        await labels.change(staff(shop_id="S2"), vip.id, name="x", colour="grey")
    case = await ended(db, clock)
    assert await labels.put_on_case(staff(), case.id, [refund.id, refund.id]) == [refund]
    with pytest.raises(NoSuchLabel):
        await labels.put_on_case(staff(), case.id, [vip.id])  # one for customers
    with pytest.raises(NoSuchCase):
        await labels.put_on_case(staff(shop_id="S2"), case.id, [])
    with pytest.raises(NotFound):
        await labels.put_on_buyer(staff(), "U-9", [])
    with pytest.raises(TooManyLabels):
        await labels.put_on_buyer(staff(), "U-1", [f"Z{number}" for number in range(21)])
    await labels.remove(staff(), refund.id)
    assert await labels.on("S1", [case.id]) == {case.id: []}
    again = await labels.add(staff(), use="case", name="退款", colour="green")  # the name is free again
    assert again.id != refund.id


class Town:
    """People and orders, as the commerce wing would tell them."""

    async def who(self, buyer_id: str) -> Who | None:
        return Who(nickname="小梅", phone_masked="138****0001") if buyer_id == "U-1" else None

    async def bought(self, staff: ShopStaff, buyer_id: str, limit: int, lang: Lang) -> tuple[int, list[Bought]]:
        return (2, []) if Right.ORDERS in staff.rights else (0, [])


async def test_a_customer_as_the_shop_knows_one(db: Database, clock: TestClock, ids: Ids) -> None:  # req I1, I10
    labels = Labels(db, clock, ids)
    book = CustomerBook(db, clock, labels, Town())
    case = await ended(db, clock)
    await rate(db, clock, case, stars=4)
    await Summaries(db, clock).put(staff("ann"), case.id, topic="order", solved=True, text="改地址")
    vip = await labels.add(staff(), use="buyer", name="VIP", colour="red")
    await labels.put_on_buyer(staff(), "U-1", [vip.id])
    await book.remember(staff("ann"), "U-1", alias=" 老张 ", text="喜欢顺丰")
    script = Script(db)
    note = await script.say(case.c, at("09:05:00"), "ann", "注意语气", fr="staff", k="note")
    await Indexer(db, Clock(), "n").sweep()

    found = await book.profile(staff(), "U-1", "zh-CN")
    assert found.who == Who(nickname="小梅", phone_masked="138****0001")
    assert found.memo is not None
    assert (found.memo.alias, found.labels, found.orders_count) == ("老张", [vip], 2)
    assert (found.ratings[case.id].stars, found.summaries[case.id].text) == (4, "改地址")
    notes, following = await book.notes(staff(), "U-1", None)
    assert ([one.id for one in notes], following) == ([note.id], None)
    for act in (book.profile(staff(shop_id="S2"), "U-1", "en"), book.notes(staff(shop_id="S2"), "U-1", None)):
        with pytest.raises(NotFound):
            await act
    with pytest.raises(NoSuchCase):
        await Summaries(db, clock).put(staff(shop_id="S2"), case.id, topic="order", solved=True, text="")


async def test_the_agent_is_reminded_once_when_a_buyer_has_waited_100_s(db: Database, clock: TestClock) -> None:
    # req I8: 100 s slow-reply reminder
    case = await Script(db).case("U-1", "09:00:00", [("09:00:00", "human", "ann", "G1")])
    await desk_store.CASES.update(db, {"_id": case.id}, {"$set": {"waiting_since": at("09:00:00")}})
    bus, heard = LocalBus(), list[Notice]()
    bus.subscribe("notice", lambda _, raw: heard.append(notices.from_msgpack(raw)))
    clock.advance(at("09:01:38") - clock.now())
    one, other = Reminders(db, clock, bus, "n1"), Reminders(db, clock, bus, "n2")
    assert await one.look() == 0
    clock.advance(2_000)  # 100 s
    assert await other.look() == 0  # the first has the turn
    assert await one.look() == 1
    assert await one.look() == 0
    clock.advance(10_000)
    assert await other.look() == 0  # a new node knows how far was looked
    await asyncio.sleep(0)
    assert [(notice.topic, notice.id, notice.d["slow"]) for notice in heard] == [
        ("desk", "S1:ann", case.id), ("board", "S1", case.id),
    ]  # fmt: skip
    assert await store.indexed(db) is None
