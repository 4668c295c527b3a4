"""Retention: what people said goes from everywhere, figures stay, disputes are spared; fsck sees what was missed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from octshop_rt.core import mongo
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import DAY, TestClock
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import Outbox
from octshop_rt.im.answer import store as answers
from octshop_rt.im.answer.model import Given, Lesson
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.conversation.reading import Log
from octshop_rt.im.desk import office_store
from octshop_rt.im.desk import store as desk_store
from octshop_rt.im.desk.model import Case, LeaveMessage
from octshop_rt.im.guard import store as guards
from octshop_rt.im.guard.model import RuleBook, Saying, Word
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.insight import checks, quality_store, store
from octshop_rt.im.insight.disputes import Disputes
from octshop_rt.im.insight.indexing import Indexer
from octshop_rt.im.insight.model import Check, Hold, Rating, Sheet, Summary
from octshop_rt.im.insight.reports import Reports
from octshop_rt.im.insight.retention import Retention
from octshop_rt.im.insight.words import HOLDERS, Forgetting
from tests.insight.days import SHOP, Script, at, staff

SAID = "身份证号110101199001011234"
FORGOTTEN = [check for check in checks.CHECKS if check.id == "F109"]


async def names(buyer_ids: Sequence[str]) -> Mapping[str, str]:
    return dict.fromkeys(buyer_ids, "顾客")


async def everywhere(db: Database, c: str = "") -> set[str]:
    """Collections in which what was said lies (in that conversation)."""
    found = set[str]()
    for collection in mongo.declared:
        async for doc in db.raw(collection).find({}):
            if (not c or doc.get("c") == c) and SAID in json.dumps(doc, ensure_ascii=False, default=str):
                found.add(collection.name)
    return found


async def told(db: Database, clock: TestClock, buyer: str) -> Case:
    """A case with words in every place that keeps some."""
    script, moment = Script(db), at("09:05:00")
    case = await script.case(
        buyer, "09:00:00", [("09:00:00", "human", "ann", "G1"), ("09:10:00", "ended", "ann", "G1")],
        [("09:00:00", "b", SAID), ("09:00:20", "ann", "好的"), ("09:01:00", "note:ann", SAID)],
    )  # fmt: skip
    history = tuple(structs.replace(step, note=SAID) for step in case.history)
    noted = _body(structs.replace(case, history=history))["history"]
    await desk_store.CASES.update(db, {"_id": case.id}, {"$set": {"history": noted}})
    ids = Ids(TestClock(moment))
    guard = Guard(db, clock, ids, LocalBus(), b"k" * 32)
    word = Word(id="W1", text=SAID[:4], level="flag", sides="both", at=1, by="x")
    await guards.BOOKS.update(db, {"_id": SHOP}, {"$set": _body(RuleBook(id=SHOP, rev=1, words=(word,)))}, upsert=True)
    saying = Saying(shop_id=SHOP, c=case.c, buyer_id=buyer, side="buyer", f=buyer, texts=(SAID,))
    assert await guard.review(saying, 1, moment)
    await guards.FLAGS.update(db, {"shop_id": SHOP, "c": case.c}, {"$set": {"note": SAID}})
    await answers.GIVEN.insert(
        db,
        Given(
            id=ids.new("Z"), shop_id=SHOP, case_id=case.id, c=case.c, m="bot-1", s=1, buyer_id=buyer, text=SAID,
            at=moment, by="faq", helpful=True,
        ),
    )  # fmt: skip
    await answers.LESSONS.insert(db, Lesson(id=ids.new("Z"), shop_id=SHOP, faq_id=f"Q{buyer}", text=SAID, at=moment))
    await office_store.add_message(
        db,
        LeaveMessage(
            id=ids.new("Z"), shop_id=SHOP, case_id=case.id, c=case.c, buyer_id=buyer, text=SAID, contact=SAID,
            state="closed", request_id=f"request-{buyer}", created_at=moment, note=SAID,
        ),
    )  # fmt: skip
    await store.add_rating(
        db,
        Rating(
            id=case.id, shop_id=SHOP, c=case.c, buyer_id=buyer, agent_id="ann", group_id="G1", stars=2, solved=False,
            tags=(SAID,), text=SAID, request_id="r", at=moment, changed_at=moment, until=moment,
        ),
    )  # fmt: skip
    await store.put_summary(
        db, Summary(id=case.id, shop_id=SHOP, c=case.c, topic="order", solved=True, text=SAID, by="ann", at=moment)
    )
    await quality_store.CHECKS.insert(
        db,
        Check(
            id=ids.new("Z"), shop_id=SHOP, case_id=case.id, c=case.c, agent_id="ann", draw_id="D", drawn_at=moment,
            state="settled", sheet_version=1, marks=(100,), score=100, text=SAID, appeal=SAID, scored_at=moment,
        ),
    )  # fmt: skip
    return case


def _body(row: Any) -> dict[str, Any]:
    return {name: value for name, value in mongo.document(row).items() if name != "_id"}


async def test_a_night_takes_what_was_said_from_everywhere_but_disputes(
    db: Database, outbox: Outbox, clock: TestClock
) -> None:  # req I10
    old, held = await told(db, clock, "U-1"), await told(db, clock, "U-2")
    await quality_store.add_sheet(db, Sheet(id="T", shop_id=SHOP, version=1, items=(), by="x", at=1))
    clock.advance(max(0, at("10:00:00") + 40 * DAY - clock.now()))
    await Indexer(db, clock, "n").sweep()
    evidence, reports = Disputes(db, clock, Ids(clock), names), Reports(db, clock)
    span = (at("00:00:00"), at("23:59:59"))
    before = (await reports.report(staff(), *span, "all")).whole
    await evidence.keep(staff(), 30)
    await evidence.hold(staff(), held.c, "投诉")
    holders = await everywhere(db)
    assert len(holders) == 1 + len(HOLDERS), "every holder is tried here, and the log"

    async def release(entry: Entry) -> None:
        pass

    retention = Retention(db, clock, Ids(clock), outbox, reports, release)
    [keeping] = await store.all_keeping(db)
    await retention.wipe_shop(keeping)
    assert not await everywhere(db, old.c)
    assert await everywhere(db) == holders - {"faq_lessons"}  # of the one in dispute; a lesson is of no conversation
    assert (await examine(db, FORGOTTEN)).clean
    assert (await reports.report(staff(), *span, "all")).whole == before
    assert [(one.stars, one.solved) for one in (await store.ratings(db, [old.id])).values()] == [(2, False)]

    await evidence.release(staff(), held.c)
    assert (await examine(db, FORGOTTEN)).clean  # the coming night takes it
    await retention.wipe_shop(keeping)
    assert await everywhere(db) == set()


async def test_fsck_names_words_that_a_night_has_left(db: Database, clock: TestClock) -> None:  # req I10
    case = await told(db, clock, "U-1")
    clock.advance(max(0, at("10:00:00") + 40 * DAY - clock.now()))
    await Disputes(db, clock, Ids(clock), names).keep(staff(), 30)
    assert (await examine(db, FORGOTTEN)).clean  # no night yet
    await store.wiped(db, SHOP, at("10:00:00"))
    found = {one.found for one in (await examine(db, FORGOTTEN)).findings}
    assert found == {f"words in {holder.name}" for holder in HOLDERS} | {"words in the log"}
    await store.HOLDS.insert(db, Hold(id=case.c, shop_id=SHOP, reason="x", by="x", at=1))
    assert {one.found for one in (await examine(db, FORGOTTEN)).findings} == {"words in lessons"}


async def test_what_is_recalled_leaves_flag_and_answer_at_once(db: Database, clock: TestClock) -> None:  # req I3, I10
    case = await told(db, clock, "U-1")
    log = Log(db)
    conversation, entries = await log.conversation(case.c), await log.page(case.c, 1, 1, 1)
    assert conversation is not None
    await Forgetting(db).recalled(conversation, entries[0])
    assert not {"guard_flags", "answers_given"} & await everywhere(db)
