"""Messages left: one whatever happens between two tries, and none without a word."""

from __future__ import annotations

from typing import Literal

import pytest

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import TestClock
from octshop_rt.core.errors import RequestConflict
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation.model import EmptyMessage
from octshop_rt.im.desk import office_store
from octshop_rt.im.desk.messages import Messages
from octshop_rt.im.guard import store as guard_store
from octshop_rt.im.guard.model import RuleBook, Word
from octshop_rt.im.guard.service import Guard
from tests.desk.kit import SHOP, buyer, node


async def test_a_message_left_twice_is_one_whatever_the_shop_forbids_or_stars_meanwhile(
    db: Database, clock: TestClock
) -> None:  # req I5
    async with node(db, clock, works=False) as one:
        case, who, request = await one.asks("B1"), buyer("B1"), one.request_id()
        left = await one.desk.messages.leave(who, case, "请回电话 甲乙", "13800000000", request)

        async def watched(level: Literal["mask", "refuse"], rev: int) -> Messages:
            word = Word(id="Z1", text="甲乙", level=level, sides="both", by="U1", at=0)
            await guard_store.BOOKS.delete(db, {})
            await guard_store.BOOKS.insert(db, RuleBook(id=SHOP, rev=rev, words=(word,)))
            guard = Guard(db, clock, one.ids, LocalBus(), b"k" * 32)
            return Messages(db, clock, one.ids, LocalBus(), one.desk.telling, guard)

        levels: tuple[Literal["mask", "refuse"], ...] = ("mask", "refuse")
        for rev, level in enumerate(levels, 1):
            doors = await watched(level, rev)
            again = await doors.leave(who, case, "请回电话 甲乙", "13800000000", request)
            assert (again.id, again.text) == (left.id, "请回电话 甲乙")
            for text, contact in (("请回电话 丙丁", "13800000000"), ("请回电话 甲乙", "13900000000")):
                with pytest.raises(RequestConflict):
                    await doors.leave(who, case, text, contact, request)
        # What was stored with stars is found by what was said, though the word may be said now.
        masks, second, free = await watched("mask", 3), one.request_id(), one.desk.messages
        starred = await masks.leave(who, case, "甲乙", "", second)
        assert starred.text == "**"
        assert (await free.leave(who, case, "甲乙", "", second)).id == starred.id
        with pytest.raises(RequestConflict):
            await free.leave(who, case, "**", "", second)
        # Kept before it was written down what had been said.
        await office_store.MESSAGES.update_many(db, {}, {"$unset": {"said": 1}})
        assert (await free.leave(who, case, "请回电话 甲乙", "13800000000", request)).id == left.id
        with pytest.raises(RequestConflict):
            await free.leave(who, case, "别的", "13800000000", request)


@pytest.mark.parametrize("text", [" ", "\n\t ", "\u3000"])
async def test_a_message_of_blanks_is_refused(db: Database, clock: TestClock, text: str) -> None:
    async with node(db, clock, works=False) as one:
        case = await one.asks("B1")
        with pytest.raises(EmptyMessage):
            await one.desk.messages.leave(buyer("B1"), case, text, "13800000000", one.request_id())
        assert await one.desk.messages.of_buyer(buyer("B1"), SHOP) == []
