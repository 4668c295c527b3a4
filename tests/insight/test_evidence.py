"""Evidence: an export shows tampering, holds stop the wiping, retention leaves no gap and no words, all is audited."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import DAY, TestClock
from octshop_rt.core.dispatcher import Dispatcher, Subscription
from octshop_rt.core.errors import NotFound
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import ChatNight
from octshop_rt.im.api.insight import KeepWish
from octshop_rt.im.conversation import checks as log_checks
from octshop_rt.im.conversation import store as log_store
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.conversation.wiping import Wiper
from octshop_rt.im.insight import chain, checks, store
from octshop_rt.im.insight.disputes import Disputes
from octshop_rt.im.insight.indexing import Indexer
from octshop_rt.im.insight.model import BadKeeping
from octshop_rt.im.insight.reports import Reports
from octshop_rt.im.insight.retention import Retention
from octshop_rt.im.insight.search import Search, Wanted
from tests.insight.days import Script, at, staff


async def names(buyer_ids: Sequence[str]) -> Mapping[str, str]:
    return {one: f"<顾客 {one}>" for one in buyer_ids}


def disputes(db: Database, clock: TestClock) -> Disputes:
    return Disputes(db, clock, Ids(clock), names)


async def talk(db: Database) -> str:
    script = Script(db)
    c = await script.talk("U-1", at("09:00:00"))
    await script.say(c, at("09:00:00"), "U-1", "=HYPERLINK(1)<script>alert(1)</script>")
    await script.say(c, at("09:00:05"), "ann", "您好", fr="staff")
    await script.say(c, at("09:00:09"), "ann", "此人难缠", fr="staff", k="note")
    return c


async def test_an_export_holds_every_number_and_the_audit_holds_its_hash(db: Database, clock: TestClock) -> None:
    # req I10
    c = await talk(db)
    paper = await disputes(db, clock).export(staff("U-boss"), c, "jsonl")
    told = [json.loads(line) for line in paper.body.decode().splitlines()]
    assert [one["type"] for one in told] == ["head", "entry", "entry", "entry", "end"]
    assert [one["s"] for one in told[1:4]] == [1, 2, 3]
    assert chain.first_wrong(paper.body.decode()) is None
    traces, _ = await disputes(db, clock).traces(staff(), None)
    assert [(one.what, one.c, one.by, one.note, one.count) for one in traces] == [
        ("export", c, "U-boss", told[-1]["hash"], 3)
    ]
    page = (await disputes(db, clock).export(staff(), c, "html")).body.decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


async def test_any_change_of_the_file_breaks_the_chain(db: Database, clock: TestClock) -> None:  # req I10
    c = await talk(db)
    lines = (await disputes(db, clock).export(staff(), c, "jsonl")).body.decode().splitlines()
    assert chain.first_wrong("\n".join([*lines[:2], lines[2].replace("您好", "滚开"), *lines[3:]])) == 2
    assert chain.first_wrong("\n".join([*lines[:2], *lines[3:]])) == 2
    assert chain.first_wrong("\n".join([lines[0], lines[2], lines[1], *lines[3:]])) == 1
    assert chain.first_wrong("\n".join(lines[:-1])) == 4  # the end is missing
    assert chain.first_wrong("\n".join([*lines[:2], lines[1], *lines[2:]])) == 2


@settings(max_examples=60, deadline=None)
@example([{"a": "一\u2028二\x85三\x1c"}], 60)  # line ends to str.splitlines, none to JSON
@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text(max_size=5)), max_size=5), st.integers(0, 400))
def test_no_single_character_can_change(bodies: list[dict[str, str]], place: int) -> None:
    before, lines = "", []
    for body in [*({"type": "entry", **body} for body in bodies), {"type": "end", "entries": len(bodies) - 1}]:
        before = chain.link(before, body)
        lines.append({**body, "hash": before})
    text = chain.as_jsonl(lines).decode()
    assert chain.first_wrong(text) is None
    place %= len(text) - 1
    if not text[place].isspace():
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        assert chain.first_wrong(changed) is not None


async def test_another_shop_exports_and_holds_nothing_of_ours(db: Database, clock: TestClock) -> None:
    c = await talk(db)
    for act in (
        disputes(db, clock).export(staff(shop_id="S2"), c, "jsonl"),
        disputes(db, clock).hold(staff(shop_id="S2"), c, "x"),
        disputes(db, clock).release(staff(shop_id="S2"), c),
    ):
        with pytest.raises(NotFound):
            await act


async def test_the_night_wipes_what_is_old_and_leaves_numbers_figures_and_holds(
    db: Database, outbox: Outbox, clock: TestClock
) -> None:  # req I10
    script = Script(db)
    await script.agents(ann="G1")
    steps = [("09:00:00", "human", "ann", "G1"), ("09:10:00", "ended", "ann", "G1")]
    said = [("09:00:00", "b", "身份证号"), ("09:00:20", "ann", "好的")]
    old = await script.case("U-1", "09:00:00", steps, said)  # type: ignore[arg-type]
    held = await script.case("U-2", "09:00:00", steps, said)  # type: ignore[arg-type]
    clock.advance(at("10:00:00") - clock.now() + 40 * DAY if clock.now() < at("10:00:00") else 0)
    assert clock.now() > at("09:00:00") + 31 * DAY
    await script.say(old.c, clock.now() - DAY, "U-1", "昨天的话")
    indexer = Indexer(db, clock, "n")
    await indexer.sweep()
    evidence, reports = disputes(db, clock), Reports(db, clock)
    span = (at("00:00:00"), at("23:59:59"))
    before = await reports.report(staff(), *span, "all")
    assert before.whole.answer_avg_ms == 20_000
    await store.KEPT.delete(db, {"_id": {"$in": [old.id, held.id]}})  # as if nobody had ever asked
    await evidence.keep(staff(), 30)
    await evidence.hold(staff(), held.c, "投诉 123")
    released: list[int] = []

    async def release(entry: Entry) -> None:
        released.append(entry.s)

    retention = Retention(db, clock, Ids(clock), outbox, reports, release)
    await retention.arrange()
    await retention.arrange()  # every node does, at every start

    night = Dispatcher(
        db, clock, LocalBus(), [Subscription(event=ChatNight, name="n", run=retention.on_chat_night, kind="job")],
        owner="n",
    )  # fmt: skip
    clock.advance(DAY)
    await night.drain()
    rows = await log_store.page(db, old.c, 1, 99, 99, newest=False)
    assert [(row.s, row.k, row.b.text) for row in rows] == [
        (1, "void", None), (2, "void", None), (3, "text", "昨天的话"),
    ]  # fmt: skip
    assert released == [1, 2]
    assert [row.k for row in await log_store.page(db, held.c, 1, 99, 99, newest=False)] == ["text", "text"]
    hits, _ = await Search(db).find(staff(), Wanted(text="身份证号"))
    assert [hit.c for hit in hits] == [held.c]
    assert (await Reports(db, clock).report(staff(), *span, "all")).whole == before.whole  # kept before the wiping
    assert (await evidence.keeping(staff())).wiped_until > 0
    traces, _ = await evidence.traces(staff(), None)
    assert sorted(((one.what, one.count) for one in traces), reverse=True) == [("wipe", 2), ("keep", 30), ("hold", 0)]
    assert (await examine(db, [*checks.CHECKS, log_checks.CHECKS[0], log_checks.CHECKS[5]])).clean

    await evidence.release(staff(), held.c)
    clock.advance(DAY)
    await night.drain()  # the night before arranged this one
    assert [row.k for row in await log_store.page(db, held.c, 1, 99, 99, newest=False)] == ["void", "void"]


async def test_a_wiped_message_sent_again_makes_no_second(db: Database, clock: TestClock) -> None:  # req I4
    script = Script(db)
    c = await script.talk("U-1", at("09:00:00"))
    row = await script.say(c, at("09:00:00"), "U-1", "旧话")
    assert await Wiper(db).wipe(c, [row.s]) == 1
    assert await Wiper(db).wipe(c, [row.s]) == 0
    script.heads[c] = 0
    with pytest.raises(DuplicateKey):
        await script.say(c, at("09:00:00"), "U-1", "旧话")


async def test_a_shop_keeps_for_ever_or_for_a_month_at_least(db: Database, clock: TestClock) -> None:  # req I12
    evidence = disputes(db, clock)
    assert (await evidence.keeping(staff())).days == 0
    for days in (1, 29):
        with pytest.raises(BadKeeping):
            await evidence.keep(staff(), days)
    assert (await evidence.keep(staff(), 30)).days == 30
    for_ever = msgspec.json.decode(b'{"days":0}', type=KeepWish)
    assert (await evidence.keep(staff(), for_ever.days)).days == 0


async def test_fsck_sees_facts_that_the_log_does_not_tell(db: Database, clock: TestClock) -> None:
    script = Script(db)
    case = await script.case(
        "U-1", "09:00:00", [("09:00:00", "human", "ann", None), ("09:10:00", "ended", "ann", None)],
        [("09:00:00", "b", "在吗"), ("09:00:20", "ann", "好的")],
    )  # fmt: skip
    clock.advance(max(0, at("12:00:00") - clock.now()))
    await Reports(db, clock).facts("S1", at("00:00:00"), at("23:00:00"))
    assert (await examine(db, checks.CHECKS[2:3])).clean
    await store.KEPT.update(db, {"_id": case.id}, {"$set": {"facts.0.at": 1}})
    assert [one.object_id for one in (await examine(db, checks.CHECKS[2:3])).findings] == [case.id]
