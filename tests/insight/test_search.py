"""Search: finds what was said by words, person, agent, label and time; nothing is missed, nothing recalled is shown."""

from __future__ import annotations

import pytest

from octshop_rt.core.clock import Clock, TestClock
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store as log_store
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.insight import checks, store
from octshop_rt.im.insight.indexing import Indexer
from octshop_rt.im.insight.labels import Labels
from octshop_rt.im.insight.model import BadSpan, NothingToFind
from octshop_rt.im.insight.search import PAGE, Search, Wanted
from octshop_rt.im.wire.fields import Body
from tests.insight.days import Script, at, staff


async def indexed(db: Database) -> Indexer:
    """Everything in the log, as a node that was just started would bring it in."""
    indexer = Indexer(db, Clock(), "node-1")
    await indexer.sweep()
    return indexer


async def texts(db: Database, **wanted: object) -> list[str]:
    hits, _ = await Search(db).find(staff(), Wanted(**wanted))  # type: ignore[arg-type]
    return ["".join(piece.text for piece in hit.excerpt) for hit in hits]


async def test_chinese_words_are_found_wherever_the_sentence_is_cut(db: Database) -> None:  # req I10
    script = Script(db)
    c = await script.talk("U-1", at("09:00:00"))
    await script.say(c, at("09:00:00"), "U-1", "请问什么时候可以发货？订单号是202611220001")
    await script.say(c, at("09:00:10"), "ann", "今天下午顺丰发货", fr="staff")
    await script.say(c, at("09:00:20"), "ann", "客户很急", fr="staff", k="note")
    await indexed(db)
    assert await texts(db, text="发货") == ["今天下午顺丰发货", "请问什么时候可以发货？订单号是202611220001"]
    assert await texts(db, text="什么时候 订单号") == ["请问什么时候可以发货？订单号是202611220001"]
    assert await texts(db, text="2026112") == ["请问什么时候可以发货？订单号是202611220001"]
    assert await texts(db, text="单号") == ["请问什么时候可以发货？订单号是202611220001"]
    assert await texts(db, text="客户很急") == ["客户很急"]
    assert await texts(db, text="退款") == []


async def test_hits_are_marked_in_the_excerpt(db: Database) -> None:
    script = Script(db)
    c = await script.talk("U-1", at("09:00:00"))
    await script.say(c, at("09:00:00"), "U-1", "很长的话" * 40 + "我要退款" + "后面的话" * 40)
    await indexed(db)
    hits, _ = await Search(db).find(staff(), Wanted(text="退款"))
    marked = [piece.text for piece in hits[0].excerpt if piece.hit]
    assert marked == ["退款"]
    assert len("".join(piece.text for piece in hits[0].excerpt)) < 130
    assert (hits[0].excerpt[0].text, hits[0].excerpt[-1].text) == ("…", "…")


async def test_by_person_agent_label_and_time(db: Database, ids: Ids, clock: TestClock) -> None:  # req I10
    script = Script(db)
    first = await script.talk("U-1", at("09:00:00"))
    second = await script.talk("U-2", at("10:00:00"))
    await script.say(first, at("09:00:00"), "U-1", "退款一")
    await script.say(first, at("09:01:00"), "ann", "好的", fr="staff")
    await script.say(second, at("10:00:00"), "U-2", "退款二")
    await script.say(second, at("10:01:00"), "bob", "好的", fr="staff")
    await indexed(db)
    assert await texts(db, text="退款", buyer_id="U-1") == ["退款一"]
    assert await texts(db, text="退款", agent_id="bob") == ["退款二"]
    assert await texts(db, text="退款", since=at("09:30:00")) == ["退款二"]
    assert await texts(db, text="退款", until=at("09:30:00")) == ["退款一"]
    labels = Labels(db, clock, ids)
    label = await labels.add(staff(), use="buyer", name="VIP", colour="red")
    await labels.put_on_buyer(staff(), "U-2", [label.id])
    assert await texts(db, text="退款", label_id=label.id) == ["退款二"]
    assert await texts(db, label_id=label.id) == ["好的", "退款二"]
    assert await texts(db, text="退款", buyer_id="nobody") == []
    with pytest.raises(NothingToFind):
        await texts(db, text="？！")
    with pytest.raises(BadSpan):
        await texts(db, text="退款", since=5, until=5)


async def test_another_shop_finds_nothing_of_ours(db: Database) -> None:
    script = Script(db)
    c = await script.talk("U-1", at("09:00:00"))
    await script.say(c, at("09:00:00"), "U-1", "退款")
    await indexed(db)
    hits, _ = await Search(db).find(staff(shop_id="S2"), Wanted(text="退款"))
    assert hits == []
    hits, _ = await Search(db).find(staff(shop_id="S2"), Wanted(text="退款", buyer_id="U-1"))
    assert hits == []


async def test_pages_hold_each_hit_once(db: Database) -> None:
    script = Script(db)
    c = await script.talk("U-1", at("09:00:00"))
    for number in range(PAGE * 2 + 3):
        await script.say(c, at("09:00:00") + number * 1_000, "U-1", f"退款 {number}")
        await script.say(c, at("09:00:00") + number * 1_000 + 500, "U-1", "别的话")
    await indexed(db)
    found: list[str] = []
    cursor: str | None = None
    for _ in range(5):
        hits, cursor = await Search(db).find(staff(), Wanted(text="退款", below=cursor))
        found += [hit.id for hit in hits]
        if cursor is None:
            break
    assert len(found) == len(set(found)) == PAGE * 2 + 3


async def test_what_a_crash_lost_the_sweep_finds(db: Database) -> None:  # req I4
    """Said and heard, said and not heard, indexed and then more said: after one sweep all is there, once."""
    script = Script(db)
    c = await script.talk("U-1", at("09:00:00"))
    await script.say(c, at("09:00:00"), "U-1", "第一句退款")
    indexer = await indexed(db)
    heard = await script.say(c, at("09:00:10"), "U-1", "第二句退款")
    await script.say(c, at("09:00:11"), "U-1", "第三句退款")  # its node died before it could tell
    conversation = await log_store.conversation(db, c)
    assert conversation is not None
    indexer.hear(conversation, heard)
    indexer.hear(conversation, heard)
    await indexer.flush()
    assert len(await texts(db, text="退款")) == 2
    assert await indexer.sweep() == 1
    assert await indexer.sweep() == 0
    assert len(await texts(db, text="退款")) == 3
    assert (await examine(db, [checks.CHECKS[0]])).clean


async def test_one_node_sweeps_at_a_time(db: Database) -> None:
    script = Script(db)
    c = await script.talk("U-1", at("09:00:00"))
    await script.say(c, at("09:00:00"), "U-1", "退款")
    clock = TestClock(at("10:00:00"))
    one, other = Indexer(db, clock, "node-1"), Indexer(db, clock, "node-2")
    assert await one.sweep() == 1
    await store.drop_found(db, [row.id for row in await store.search(db, {"shop_id": "S1", "f": "U-1"}, 9)])
    assert await other.sweep() == 0  # not its turn
    clock.advance(61_000)
    assert await other.sweep() == 1


async def test_recalled_and_edited_words_vanish(db: Database) -> None:  # req I10, im-protocol §8 24
    script = Script(db)
    c = await script.talk("U-1", at("09:00:00"))
    gone = await script.say(c, at("09:00:00"), "U-1", "密码是退款")
    changed = await script.say(c, at("09:00:01"), "U-1", "旧的退款")
    indexer = await indexed(db)
    await log_store.ENTRIES.update(db, {"_id": gone.id}, {"$set": {"rc": at("09:01:00"), "b": {}}})
    await log_store.ENTRIES.update(db, {"_id": changed.id}, {"$set": {"ed": at("09:01:00"), "b": {"text": "新的物流"}}})
    assert await texts(db, text="退款") == []  # before the index has heard of it: the log decides
    for number, ev in ((gone.s, "recalled"), (changed.s, "edited")):
        script.heads[c] += 1
        event = Entry(
            id=Ids(TestClock(at("09:01:00"))).new("E"), c=c, s=script.heads[c], f="desk", fr="system",
            m=f"event-{number}-{ev}-xxxx", k="event", b=Body(ev=ev, s=number), ts=at("09:01:00"), h="",
        )  # fmt: skip
        await log_store.append(db, [event])
    await indexer.sweep()
    assert await store.found(db, [gone.id]) == []
    assert await texts(db, text="物流") == ["新的物流"]
    assert (await examine(db, [checks.CHECKS[0]])).clean


async def test_a_recalled_word_that_still_waits_is_never_indexed(db: Database) -> None:  # req I10
    script = Script(db)
    c = await script.talk("U-1", at("09:00:00"))
    entry = await script.say(c, at("09:00:00"), "U-1", "密码是退款")
    conversation = await log_store.conversation(db, c)
    assert conversation is not None
    indexer = Indexer(db, Clock(), "node-1")
    indexer.hear(conversation, entry)
    await indexer.forget(conversation, entry)
    await indexer.flush()
    assert await store.found(db, [entry.id]) == []


async def test_fsck_sees_a_row_that_is_missing_or_says_more_than_the_log(db: Database) -> None:
    script = Script(db)
    c = await script.talk("U-1", at("09:00:00"))
    first = await script.say(c, at("09:00:00"), "U-1", "退款")
    second = await script.say(c, at("09:00:01"), "U-1", "物流")
    await indexed(db)
    await store.drop_found(db, [first.id])
    await log_store.ENTRIES.update(db, {"_id": second.id}, {"$set": {"rc": 1, "b": {}}})
    report = await examine(db, [checks.CHECKS[0]])
    assert [(one.check, one.object_id) for one in report.findings] == [("F105", first.id), ("F105", second.id)]
