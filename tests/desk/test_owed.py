"""What the desk owes the log is said, and once, whichever node dies and whatever the log refuses meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from octshop_rt.core.clock import SECOND, TestClock
from octshop_rt.core.errors import Busy, RequestConflict, UnknownOutcome
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store as log
from octshop_rt.im.conversation.model import Appended
from octshop_rt.im.desk import office_store, store
from octshop_rt.im.desk.checks import illegal
from octshop_rt.im.desk.model import Card
from octshop_rt.im.wire.fields import Context
from tests.desk.kit import SHOP, Node, Town, at, buyer, node


async def keep(one: Node, clock: TestClock) -> None:
    """Upkeep, late enough that what was begun a moment ago is over, and again."""
    for _ in range(3):
        clock.advance(10 * SECOND)
        await one.desk.upkeep.owed()
        await one.quiet()


async def said(db: Database, c: str) -> list[tuple[str | None, str | None]]:
    rows = await log.page(db, c, 1, 100, 100, newest=False)
    return [(row.b.ev, row.b.to or row.b.title or row.b.text) for row in rows if row.fr == "system"]


def dead(one: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that it begins comes to be."""
    monkeypatch.setattr(one.tasks, "spawn", lambda task, **_: task.close())


async def test_a_message_left_stands_in_the_log_though_the_node_that_took_it_died(
    db: Database, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # req I5: stored, and the node dies before its word is said
    async with node(db, clock, works=False, name="dies") as dies, node(db, clock, works=False, name="lives") as lives:
        case = await dies.asks("B1")
        await dies.quiet()
        before = await said(db, case.c)
        dead(dies, monkeypatch)
        left = await dies.desk.messages.leave(buyer("B1"), case, "明天请回电", "", dies.request_id())
        await lives.desk.upkeep.look()
        await lives.quiet()
        assert await said(db, case.c) == before, "a moment ago: it may be on its way"
        await keep(lives, clock)
        assert await said(db, case.c) == [*before, ("message_left", left.text)], "said, and once"
        assert await office_store.owed_messages(db, clock.now(), 10) == []


async def test_the_note_of_a_transfer_reaches_the_staff_wherever_the_case_was(db: Database, clock: TestClock) -> None:
    async def notes(c: str) -> list[tuple[str | None, str | None]]:
        return [(row.vis, row.b.text) for row in await log.page(db, c, 1, 100, 100, newest=False) if row.k == "note"]

    async with node(db, clock, works=False) as one:
        group = await one.desk.office.add_group(SHOP, "售后")
        case, request = await one.asks("B1"), one.request_id()
        assert case.state == "queued"
        await one.handover.to_group(at("U1"), case.id, group.id, "已付款，查物流", request)
        passed = await one.handover.to_group(at("U1"), case.id, group.id, "已付款，查物流", request)  # once more
        await one.quiet()
        assert (passed.state, passed.group_id) == ("queued", group.id)
        assert [(step.was, step.now, step.to, step.note) for step in passed.history[1:]] == [
            ("queued", "queued", "售后", "已付款，查物流")
        ]
        assert ("transferred", "售后") in await said(db, case.c)
        assert await notes(case.c) == [("staff", "已付款，查物流")]
        assert illegal(passed) == ""

        # With a person, and given to the next before the word of the queue was said.
        served = await one.asks("B2")
        await one.sits("U1")
        await one.desk.accept(at("U1"), served.id, one.request_id())
        await one.handover.to_group(at("U1"), served.id, None, "要开发票", one.request_id())
        await one.case_when(served.c, lambda case: case.history[-1].why == "assigned")
        await one.quiet()
        assert await notes(served.c) == [("staff", "要开发票")]
        assert ("queued", "transferred") not in await said(db, served.c)


async def test_cards_invitations_and_where_it_goes_on_are_owed_by_the_case(
    db: Database, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # req I5, I9: each change is written, and the node dies before a word of it is said
    town = Town()
    town.cards = {one: Card(k="product", id=one, title=f"商品 {one}", price_fen=900) for one in ("G1", "G2")}
    async with (
        node(db, clock, town=town, works=False, name="dies") as dies,
        node(db, clock, town=town, works=False, name="lives") as lives,
    ):
        guest = await dies.sits("U2")
        await dies.quiet()
        dead(dies, monkeypatch)
        case = await dies.desk.arrive(buyer("B1"), SHOP, Context(k="product", id="G1"))
        await dies.desk.accept(at("U1"), case.id, dies.request_id())
        request = dies.request_id()
        for _ in range(2):  # the same invitation again
            await dies.desk.invite(at("U1"), case.id, guest.id, "请看看", request)
        await dies.desk.arrive(buyer("B1"), SHOP, Context(k="product", id="G2"))
        request = dies.request_id()
        for _ in range(2):
            await dies.handover.to_platform(at("U1"), case.id, "", request)
        await lives.desk.upkeep.owed()
        await lives.quiet()
        assert await said(db, case.c) == [], "a moment ago: it may be on its way"
        row = await dies.desk.cases.one(case.id)
        await keep(lives, clock)
        whole = [
            ("context", "商品 G1"), ("assigned", "名 U1"), ("invited", "名 U2"), ("context", "商品 G2"),
            ("to_platform", "to_platform"), ("moved_to", "platform"),
        ]  # fmt: skip
        assert await said(db, case.c) == whole
        after = await lives.desk.cases.one(case.id)
        assert (after.untold, after.asides) == ((), ())
        for rev in row.untold:  # by a node that has not heard of it
            await lives.desk.telling.owed(row, rev)
        assert await said(db, case.c) == whole, "said twice is one entry"


async def test_a_word_the_log_does_not_take_now_is_said_later(
    db: Database, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node(db, clock, works=False) as one:
        case = await one.asks("B1")
        await one.quiet()
        before = await said(db, case.c)
        say, refusals = one.conversations.say, [Busy(), UnknownOutcome()]

        async def slow(c: str, **words: Any) -> Appended:
            if refusals:
                raise refusals.pop()
            return await say(c, **words)

        monkeypatch.setattr(one.conversations, "say", slow)
        await one.desk.messages.leave(buyer("B1"), case, "明天请回电", "", one.request_id())
        await one.quiet()
        assert await said(db, case.c) == before
        await keep(one, clock)
        assert await said(db, case.c) == [*before, ("message_left", "明天请回电")]


async def test_a_word_the_log_refuses_for_good_is_struck_off_with_one_line(db: Database, clock: TestClock) -> None:
    async with node(db, clock, works=False) as one:
        case = await one.asks("B1")
        await one.quiet()
        # The log it should stand in is not there (any more).
        lost = structs.replace(case, id=one.ids.new("Z"), c="C-none", untold=(case.history[-1].rev,))
        await store.add_case(db, lost)
        with capture_logs() as lines:
            await keep(one, clock)
        refused = [line for line in lines if line["event"] == "the desk's word has no place"]
        assert [line["c"] for line in refused] == ["C-none"], "asked once, not every second for ever"
        assert (await one.desk.cases.one(lost.id)).untold == ()


async def test_a_message_left_again_after_its_case_ended_is_the_same_message(db: Database, clock: TestClock) -> None:
    # req I5: the answer was lost; meanwhile the case timed out, and the page sends the same request in a new one
    async with node(db, clock, works=False) as one:
        case = await one.asks("B1")
        request_id = one.request_id()
        first = await one.desk.messages.leave(buyer("B1"), case, "明天请回电", "", request_id)
        await one.desk.cases.end(case.id, "idle", "desk")
        await one.quiet()
        again = await one.desk.intake.open(await one.conversations.open(buyer("B1"), SHOP, None), None)
        assert again.id != case.id
        assert (await one.desk.messages.leave(buyer("B1"), again, "明天请回电", "", request_id)).id == first.id
        with pytest.raises(RequestConflict):
            await one.desk.messages.leave(buyer("B1"), again, "后天请回电", "", request_id)
        await one.quiet()
        assert [row.id for row in await one.desk.messages.of_buyer(buyer("B1"), SHOP)] == [first.id]
