"""What a shop passes on to the platform arrives with all that was said, whatever the platform does for that buyer."""

from __future__ import annotations

import asyncio

from octshop_rt.core.clock import Clock, TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store as log
from octshop_rt.im.desk import store
from octshop_rt.im.desk.model import PLATFORM_SHOP, Case
from octshop_rt.im.desk.supervise import Supervise
from tests.desk.kit import MANAGER, Node, at, buyer, node

NOTE = "扣款两次，单号 8841，请核对"


async def handed_in(db: Database, c: str) -> list[tuple[str | None, str | None, str | None]]:
    rows = await log.page(db, c, 1, 100, 100, newest=False)
    return [(row.b.id, row.b.text, row.vis) for row in rows if row.b.ev == "handed_in"]


async def pass_on(one: Node, case: Case, note: str, request_id: str) -> Case:
    done = await one.handover.to_platform(at("A1", rights=MANAGER), case.id, note, request_id)
    await one.quiet()
    return done


async def origin(one: Node, case: Case) -> tuple[Case, list[str | None]]:
    supervise = Supervise(one.db, one.clock, one.desk, one.conversations)
    before, ents = await supervise.origin(at("P1", PLATFORM_SHOP), case.id)
    return before, [ent.b.text for ent in ents if ent.fr == "buyer"]


async def test_an_agent_of_the_platform_who_serves_the_buyer_already_is_told_in_their_log(
    db: Database, clock: TestClock
) -> None:
    # req I9
    async with node(db, clock, works=False) as one:
        theirs = await one.asks("B1", PLATFORM_SHOP)
        await one.sits("P1", PLATFORM_SHOP)
        await one.desk.take_over(at("P1", PLATFORM_SHOP, MANAGER), theirs.id, one.request_id())
        case = await one.asks("B1", text="我被扣了两次款")
        await one.quiet()
        request_id = one.request_id()
        await pass_on(one, case, NOTE, request_id)  # the answer is lost on the way
        fresh = await pass_on(one, case, NOTE, request_id)
        assert (fresh.id, fresh.state, fresh.before_id) == (theirs.id, "human", case.id)
        assert await handed_in(db, theirs.c) == [(case.id, NOTE, "staff")], "once, and not for the buyer"
        assert (await one.desk.cases.one(case.id)).state == "ended"
        assert await origin(one, fresh) == (await one.desk.cases.one(case.id), ["我被扣了两次款"])


async def test_who_waits_for_the_platform_already_moves_up_and_the_note_stands_there(
    db: Database, clock: TestClock
) -> None:
    # req I9
    async with node(db, clock, works=False) as one:
        others = await one.asks("B0", PLATFORM_SHOP)
        clock.advance(1_000)
        theirs = await one.asks("B1", PLATFORM_SHOP)
        case = await one.asks("B1")
        fresh = await pass_on(one, case, NOTE, one.request_id())
        assert (fresh.id, fresh.state, fresh.priority) == (theirs.id, "queued", 1)
        assert await handed_in(db, theirs.c) == [(case.id, NOTE, "staff")]
        assert [one.id for one in await store.queued(db, PLATFORM_SHOP, 5)] == [theirs.id, others.id]


async def test_the_platform_reads_the_word_that_opened_the_case_and_all_after_it(db: Database) -> None:
    # req I9: the word is older than the case it opened; two pages of it, and nothing of before and after
    clock = Clock()
    async with node(db, clock, works=False) as one:
        old = await one.asks("B1", text="以前的事")
        await one.quiet()
        await one.desk.end_by_buyer(buyer("B1"), old.id, one.request_id())
        await one.quiet()
        case = await one.asks("B1", text="扣了两次钱")
        assert case.id != old.id
        await asyncio.gather(*(one.says(buyer("B1"), case.c, f"第{number}句") for number in range(230)))
        await one.quiet()
        fresh = await pass_on(one, case, "", one.request_id())
        await one.says(buyer("B1"), case.c, "后来的话")
        _, words = await origin(one, fresh)
        assert words[0] == "扣了两次钱"
        assert set(words[1:]) == {f"第{number}句" for number in range(230)}
        assert len(words) == 231
