"""What must happen though nobody asks: timers, dropped agents, places a crash left behind, words a crash swallowed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec import structs

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import MINUTE, SECOND, TestClock, business_day
from octshop_rt.core.errors import UnknownOutcome
from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store as log
from octshop_rt.im.desk import rules, store
from octshop_rt.im.desk.checks import CHECKS
from octshop_rt.im.desk.messages import Messages
from octshop_rt.im.desk.model import DESK, Case, Seating, Step
from octshop_rt.im.desk.settings import DeskPatch, Holiday
from octshop_rt.im.desk.shift_store import SHIFTS
from octshop_rt.im.guard import store as guard_store
from octshop_rt.im.guard.model import RuleBook, Sensitive, Word
from octshop_rt.im.guard.service import Guard
from tests.desk.kit import SHOP, Node, at, buyer, node, staff


async def turn(one: Node) -> None:
    """The engine once: upkeep, then assignments, then what follows from them."""
    await one.desk.upkeep.look()
    await one.desk.assigner.fill(SHOP)
    await one.quiet()


async def here(one: Node, *people: str) -> None:
    await one.desk.attendance.seen(list(people))


def why(case: Case) -> list[str]:
    return [step.why for step in case.history]


async def served(one: Node, person: str, buyer_id: str = "B1") -> Case:
    await one.sits(person)
    case = await one.asks(buyer_id)
    await turn(one)
    return await one.case_when(case.c, lambda case: case.state == "human")


async def test_a_buyer_nobody_answers_in_time_is_given_to_somebody_else_and_keeps_the_place(
    db: Database, clock: TestClock
) -> None:  # req I5
    async with node(db, clock, works=False) as one:
        case = await served(one, "U1")
        await one.sits("U2")
        clock.advance(179 * SECOND)
        await here(one, "U1", "U2")
        await turn(one)
        assert (await one.desk.cases.one(case.id)).person_id == "U1"
        clock.advance(2 * SECOND)
        await here(one, "U1", "U2")
        await turn(one)
        passed = await one.desk.cases.one(case.id)
        assert (passed.person_id, passed.passed, why(passed)[-2:]) == ("U2", ("S1:U1",), ["timeout", "assigned"])
        assert [(await one.desk.office.agent(SHOP, f"S1:{who}")).load for who in ("U1", "U2")] == [0, 1]


async def test_a_late_buyer_stays_with_the_agent_while_nobody_else_is_there(db: Database, clock: TestClock) -> None:
    async with node(db, clock, works=False) as one:
        case = await served(one, "U1")
        clock.advance(10 * MINUTE)
        await here(one, "U1")
        await turn(one)
        kept = await one.desk.cases.one(case.id)
        assert (kept.person_id, why(kept)) == ("U1", ["spoke", "assigned"])
        assert (kept.due_at or 0) > clock.now()


async def test_an_answer_stops_the_clock_and_silence_of_the_buyer_ends_the_case(db: Database, clock: TestClock) -> None:
    async with node(db, clock, works=False) as one:
        case = await served(one, "U1")
        await one.sits("U2")
        clock.advance(60 * SECOND)
        said = await one.says(staff("U1"), case.c, "您好，请讲")
        await one.case_when(case.c, lambda case: case.staff_s >= said.entry.s)
        clock.advance(29 * MINUTE)
        await here(one, "U1", "U2")
        await turn(one)
        assert (await one.desk.cases.one(case.id)).person_id == "U1"
        clock.advance(2 * MINUTE)
        await turn(one)
        assert why(await one.desk.cases.one(case.id))[-1] == "idle"
        assert (await one.desk.office.agent(SHOP, "S1:U1")).load == 0


async def test_an_agent_who_drops_loses_the_unanswered_after_the_grace_and_keeps_the_answered(
    db: Database, clock: TestClock
) -> None:  # req I5
    async with node(db, clock, works=False) as one:
        waiting = await served(one, "U1", "B1")
        answered = await served(one, "U1", "B2")
        said = await one.says(staff("U1"), answered.c)
        await one.case_when(answered.c, lambda case: case.staff_s >= said.entry.s)
        clock.advance(59 * SECOND)
        await turn(one)
        assert (await one.desk.cases.one(waiting.id)).state == "human"  # a closed lid, a tunnel
        clock.advance(2 * SECOND)
        await turn(one)
        again = await one.desk.cases.one(waiting.id)
        assert (again.state, why(again)[-1]) == ("queued", "dropped")  # nobody else is there: it waits, in front
        assert again.queued_at == waiting.waiting_since
        assert (await one.desk.cases.one(answered.id)).person_id == "U1"
        agent = await one.desk.office.agent(SHOP, "S1:U1")
        assert (agent.load, agent.gone_at) == (1, clock.now())
        await here(one, "U1")
        await turn(one)
        assert (await one.desk.cases.one(waiting.id)).person_id == "U1"  # back: better than nobody
        shifts = [(shift.was, shift.now) async for shift in SHIFTS.scan(db, {})]
        assert shifts == [(None, "online"), ("online", "gone"), ("online", "back")]


async def test_who_is_busy_or_away_gets_nobody(db: Database, clock: TestClock) -> None:
    async with node(db, clock, works=False) as one:
        await one.sits("U1")
        for status in ("busy", "away", "offline"):
            await one.desk.attendance.choose(at("U1"), status, "午饭")
            case = await one.asks(f"B-{status}")
            await turn(one)
            assert (await one.desk.cases.one(case.id)).state == "queued"
        await one.desk.attendance.choose(at("U1"), "online", "")
        await turn(one)
        assert (await one.desk.office.agent(SHOP, "S1:U1")).load == 3


async def test_a_manager_sends_an_agent_to_lunch_and_the_record_says_who_did(db: Database, clock: TestClock) -> None:
    async with node(db, clock, works=False) as one:
        row = await one.sits("U1")
        seen = row.seen_at
        clock.advance(1_000)
        after = await one.desk.attendance.put(row, "away", "午饭", by="U-boss")
        assert (after.status, after.reason, after.seen_at) == ("away", "午饭", seen)
        case = await one.asks("B1")
        await turn(one)
        assert (await one.desk.cases.one(case.id)).state == "queued"
        assert [shift.by async for shift in SHIFTS.scan(db, {})] == ["", "U-boss"]


async def test_a_crash_between_the_two_updates_leaks_a_place_that_fsck_names_and_upkeep_frees(
    db: Database, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node(db, clock, works=False) as one:
        await one.sits("U1", cap=1)

        async def dies(*_: object) -> Case | None:
            raise UnknownOutcome

        with monkeypatch.context() as patched:
            patched.setattr(store, "seat", dies)
            case = await one.asks("B1")
            await turn(one)
        agent = await one.desk.office.agent(SHOP, "S1:U1")
        assert (agent.load, [slot.case_id for slot in agent.slots]) == (1, [case.id])
        assert (await one.desk.cases.one(case.id)).state == "queued"
        found = (await examine(db, CHECKS)).findings
        assert [(one.check, one.found) for one in found] == [("F91", f"leaked {case.id}")]
        await turn(one)
        assert (await one.desk.cases.one(case.id)).state == "queued"  # it might still arrive: not touched yet
        clock.advance(16 * SECOND)
        await here(one, "U1")
        await turn(one)
        assert (await one.desk.cases.one(case.id)).person_id == "U1"
        assert (await examine(db, CHECKS)).findings == ()


async def test_a_crash_before_the_place_is_given_back_is_mended_too(
    db: Database, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node(db, clock, works=False) as one:
        case = await served(one, "U1")

        async def dies(*_: object, **__: object) -> None:
            raise UnknownOutcome

        with monkeypatch.context() as patched, pytest.raises(UnknownOutcome):
            patched.setattr(store, "give_back", dies)
            await one.desk.end(at("U1"), case.id, one.request_id(), resolved=True)
        assert (await one.desk.cases.one(case.id)).state == "ended"
        assert [one.check for one in (await examine(db, CHECKS)).findings] == ["F91"]
        clock.advance(16 * SECOND)
        await turn(one)
        assert (await examine(db, CHECKS)).findings == ()


async def test_one_assignment_that_cannot_be_brought_to_its_end_holds_up_no_other(
    db: Database, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:  # req I5
    async with node(db, clock, works=False) as one:
        for number in range(3):
            await one.asks(f"B{number}")
        await one.quiet()
        told: list[str] = []
        others: list[str] = []
        one.desk.cases.on_moved(lambda case: told.append(case.id))
        seat = store.seat

        async def overtaken(at: Database, seatings: Sequence[Seating]) -> dict[str, Case]:
            others.extend(seating.case_id for seating in seatings[1:])
            done = await seat(at, seatings)
            return {case_id: done[case_id] for case_id in others}

        async def dies(*_: object, **__: object) -> None:
            raise UnknownOutcome

        monkeypatch.setattr(store, "seat", overtaken)
        monkeypatch.setattr(store, "give_back", dies)
        await one.sits("U1")
        await one.desk.assigner.fill(SHOP)
        await one.quiet()
        assert told == others
        assert len(told) == 2


async def test_a_lost_assignment_gives_back_only_the_place_that_it_took(
    db: Database, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:  # req I5
    async with node(db, clock, works=False) as one:
        case = await one.asks("B1")
        await one.quiet()
        theirs = clock.now() + 5

        async def overtaken(*_: object) -> dict[str, Case]:  # ours was freed, and another node took one for the case
            assert await store.give_back(db, "S1:U1", case.id)
            assert await store.take_slots(db, "S1:U1", [case.id], theirs, seen_after=None)
            return {}

        monkeypatch.setattr(store, "seat", overtaken)
        await one.sits("U1")
        await one.desk.assigner.fill(SHOP)
        await one.quiet()
        assert [slot.at for slot in (await one.desk.office.agent(SHOP, "S1:U1")).slots] == [theirs]


async def test_words_of_the_desk_that_were_not_said_are_said_later(
    db: Database, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node(db, clock, works=False) as one:

        async def away(*_: object, **__: object) -> None:
            raise UnknownOutcome

        with monkeypatch.context() as patched:
            patched.setattr(one.conversations, "say", away)
            case = await served(one, "U1")
            await one.quiet()
        assert (await one.desk.cases.one(case.id)).untold
        clock.advance(10 * SECOND)
        for _ in range(2):  # saying again is the same entry
            await one.desk.upkeep.owed()
            await one.quiet()
        rows = await log.page(db, case.c, 1, 100, 100, newest=False)
        assert [row.b.ev for row in rows if row.k == "event"] == ["assigned"]
        assert not (await one.desk.cases.one(case.id)).untold


async def test_a_word_that_no_node_lived_to_hear_is_found_by_the_sweep(db: Database, clock: TestClock) -> None:
    async with node(db, clock, works=False) as one:
        await one.desk.upkeep.sweep()
        spoke = await one.conversations.of_pair("B1", SHOP)
        one.conversations._said.clear()  # the process that would have heard it is gone
        said = await one.says(buyer("B1"), spoke.id, "有人吗")
        assert await store.newest_case(db, spoke.id) is None
        for _ in range(3):
            clock.advance(30 * SECOND)
            await one.desk.upkeep.sweep()
        found = await one.case_when(spoke.id, lambda case: case.state == "queued")
        assert found.buyer_s == said.entry.s
        rev = found.rev
        clock.advance(30 * SECOND)
        await one.desk.upkeep.sweep()
        assert (await one.desk.cases.one(found.id)).rev == rev


@pytest.mark.parametrize(
    ("ended_by", "seconds", "served_anew"),
    [
        ("agent", 1, True),  # it raced the end: nobody can have read it
        ("agent", 10, True),  # its node died, it may not have been shown yet
        ("agent", 20, False),  # seen and left
        ("buyer", 1, False),  # who leaves after a last word is done
        ("timer", 20, True),  # a timer has read nothing
    ],
)
async def test_a_word_said_before_the_end_and_heard_after_it(
    db: Database, clock: TestClock, ended_by: str, seconds: int, served_anew: bool
) -> None:  # req I5
    async with node(db, clock, works=False) as one:
        await one.desk.upkeep.sweep()
        case = await served(one, "U1")
        await one.says(staff("U1"), case.c, "在的")
        await one.case_when(case.c, lambda case: case.staff_s > 0 and case.waiting_since is None)
        clock.advance(MINUTE)
        hearing, one.conversations._said = one.conversations._said, []
        said = await one.says(buyer(case.buyer_id), case.c, "还有一个问题")  # and the node that hears it dies
        one.conversations._said = hearing
        clock.advance(seconds * SECOND)
        if ended_by == "agent":
            await one.desk.end(at("U1"), case.id, one.request_id(), resolved=True)
        elif ended_by == "buyer":
            await one.desk.end_by_buyer(buyer(case.buyer_id), case.id, one.request_id())
        else:
            await one.desk.cases.end(case.id, "idle", DESK)
        for _ in range(3):
            clock.advance(30 * SECOND)
            await one.desk.upkeep.sweep()
        await one.quiet()
        newest = await store.newest_case(db, case.c)
        assert newest is not None
        assert (newest.id != case.id) is served_anew
        if served_anew:
            assert (newest.state, newest.buyer_s) == ("queued", said.entry.s)
            assert newest.waiting_since == said.entry.ts  # it has waited since it was said


async def test_outside_hours_a_case_waits_marked_and_the_buyer_leaves_a_message(db: Database, clock: TestClock) -> None:
    async with node(db, clock, works=False) as one:
        await one.desk.office.set(SHOP, DeskPatch(hours=(), holidays=(Holiday(day=business_day(clock.now())),)), "test")
        case = await one.asks("B1")
        assert (case.state, case.after_hours) == ("queued", True)
        who = buyer("B1")
        request = one.request_id()
        left = await one.desk.messages.leave(who, case, "明天请回电", "13800000000", request)
        assert (await one.desk.messages.leave(who, case, "明天请回电", "13800000000", request)).id == left.id
        taken = await one.desk.messages.move(at("U1"), left.id, "taken", "")
        assert (taken.state, taken.by) == ("taken", "U1")
        closed = await one.desk.messages.move(at("U1"), left.id, "closed", "已回电")
        assert (closed.state, closed.note) == ("closed", "已回电")
        word = Word(id="Z1", text="外挂", level="refuse", sides="both", by="U1", at=0)
        await guard_store.BOOKS.insert(db, RuleBook(id=SHOP, rev=1, words=(word,)))
        guard = Guard(db, clock, one.ids, LocalBus(), b"k" * 32)
        watched = Messages(db, clock, one.ids, LocalBus(), one.desk.telling, guard)
        with pytest.raises(Sensitive):
            await watched.leave(who, case, "有外挂卖", "", one.request_id())
        assert [row.id for row in await watched.of_buyer(who, SHOP)] == [left.id]


async def test_fsck_names_each_violation(db: Database, clock: TestClock) -> None:
    async with node(db, clock, works=False) as one:
        case = await served(one, "U1")
        await one.quiet()
        assert (await examine(db, CHECKS)).findings == ()
        forged = Step(at=1, by="desk", was="ended", now="human", why="assigned", rev=99)
        await store.CASES.update(
            db, {"_id": case.id}, {"$push": {"history": {**structs.asdict(forged)}}, "$set": {"queued_at": 1}}
        )
        await store.AGENTS.update(db, {"_id": "S1:U1"}, {"$set": {"slots": [], "load": 0}})
        double = structs.replace(case, id=one.ids.new("Z"), open=True)
        await db.raw(store.CASES).drop_indexes()
        await store.CASES.insert(db, double)
        try:
            found = {one.check for one in (await examine(db, CHECKS)).findings}
            assert found == {"F90", "F91", "F92", "F93"}
        finally:
            await db.wipe([store.CASES])
            await db.create_indexes([store.CASES])


async def test_an_agent_row_heals_whatever_the_order_of_giving_back(db: Database, clock: TestClock) -> None:
    async with node(db, clock, works=False) as one:
        agent = await one.sits("U1", cap=2)
        for case_id in ("Z1", "Z2", "Z3"):
            await store.take_slots(db, agent.id, [case_id], clock.now(), seen_after=clock.now() - rules.HERE_MS)
        row = await one.desk.office.agent(SHOP, agent.id)
        assert (row.load, [slot.case_id for slot in row.slots]) == (2, ["Z1", "Z2"])
        for case_id in ("Z1", "Z1", "Z3", "Z2"):
            await store.give_back(db, agent.id, case_id)
        row = await one.desk.office.agent(SHOP, agent.id)
        assert (row.load, row.slots) == (0, ())
