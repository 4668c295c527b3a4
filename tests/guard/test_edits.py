"""What is edited is judged anew, and the review list shows what is said now and what was said."""

from __future__ import annotations

import pytest

from octshop_rt.core.auth.model import ShopStaff
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import TestClock
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import Outbox
from octshop_rt.im.answer.review import Reviewer
from octshop_rt.im.conversation import store as log_store
from octshop_rt.im.conversation.changes import Changes
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.guard import checks as guard_checks
from octshop_rt.im.guard.model import FlagChanged, FlagState
from tests.guard.kit import BUYER, MANAGER, SHOP, Node, living


async def test_an_edit_is_judged_anew_and_the_list_shows_what_is_said_and_what_was_said(
    db: Database, clock: TestClock, ids: Ids, outbox: Outbox
) -> None:  # req I10
    manager = MANAGER
    assert manager is not None
    async with living(db, clock, ids, LocalBus(), "a") as node:
        await told(node, manager, db, clock, outbox)


async def told(node: Node, manager: ShopStaff, db: Database, clock: TestClock, outbox: Outbox) -> None:
    await node.desk.add_words(SHOP, manager, ["投诉"], "flag", "both")
    reviewer, changes = Reviewer(clock, node.said, node.guard), Changes(db, clock, outbox, node.said, None)
    conversation = await node.said.conversation(node.c)

    async def edited(entry: Entry, text: str) -> None:
        clock.advance(1)
        await changes.edit(BUYER, node.c, entry.s, text)
        event = (await log_store.page(db, node.c, 1, 99, 99, newest=False))[-1]
        assert event.b.ev == "edited"
        for _ in range(2):  # by two nodes
            await reviewer.look(conversation, event)

    async def listed(state: FlagState) -> list[tuple[str, list[str]]]:
        rows, _ = await node.desk.flags(SHOP, state, None, None)
        return [(row.text, [one.text for one in row.was]) for row in rows]

    first = (await node.say("投诉，无害", "client-id-0000001")).entry
    await reviewer.look(conversation, first)
    await edited(first, "改过了，干净")
    assert await listed("open") == [("改过了，干净", ["投诉，无害"])]  # what was said is still to be looked at
    [flag] = (await node.desk.flags(SHOP, "open", None, None))[0]
    await edited(first, "投诉，更坏")
    with pytest.raises(FlagChanged):  # the page showed what it said before
        await node.desk.settle(manager, flag.id, "fine", "", flag.ed)
    [flag] = (await node.desk.flags(SHOP, "open", None, None))[0]
    await node.desk.settle(manager, flag.id, "fine", "看过", flag.ed)
    await edited(first, "投诉，最坏")
    assert await listed("open") == [("投诉，最坏", ["投诉，无害", "改过了，干净", "投诉，更坏"])]
    [flag] = (await node.desk.flags(SHOP, "open", None, None))[0]
    assert [(one.state, one.note) for one in flag.was] == [("open", ""), ("open", ""), ("fine", "看过")]
    await reviewer.look(conversation, first)  # heard late: what it said at first is no news
    assert await listed("open") == [("投诉，最坏", ["投诉，无害", "改过了，干净", "投诉，更坏"])]
    await node.desk.settle(manager, flag.id, "handled", "", flag.ed)
    await edited(first, "算了")
    assert len(await listed("open")) == 0
    assert [text for text, _ in await listed("handled")] == ["算了"]
    harmless = (await node.say("好的谢谢", "client-id-0000002")).entry
    await reviewer.look(conversation, harmless)
    await edited(harmless, "我要投诉")
    assert await listed("open") == [("我要投诉", [])]
    assert (await examine(db, guard_checks.CHECKS)).clean
