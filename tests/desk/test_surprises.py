"""A row nobody can read, a fault nobody thought of: the engine goes on for all the others, and says so in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from octshop_rt.core.clock import MINUTE, TestClock
from octshop_rt.core.errors import Busy
from octshop_rt.core.mongo import Collection, Database, document
from octshop_rt.core.tasks import TaskRegistry
from octshop_rt.im.desk import office_store, store
from octshop_rt.im.desk.model import Sweep
from octshop_rt.im.desk.settings import DeskPatch
from tests.desk.kit import SHOP, node, staff


async def garble(db: Database, collection: Collection[Any], row: Any, **put: object) -> None:
    """A row like that one with something in it that no version of ours has written."""
    await db.raw(collection).insert_one({**document(row), **put})


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.05)


async def test_rows_that_cannot_be_read_stop_nobody_elses_timers_places_and_words(
    db: Database, clock: TestClock
) -> None:
    # req I5
    async with node(db, clock, works=False) as one:
        agent = await one.sits("U1")
        first = await one.asks("B1")
        served = await one.case_when(first.c, lambda case: case.state == "human")
        waits = {"agent_id": None, "due_at": 1, "queued_at": 1, "untold": [1]}
        await garble(db, store.CASES, first, _id="Z-odd", c="C-odd", level="gold", state="queued", **waits)
        held = {"state": "human", "agent_id": agent.id, "due_at": 1, "queued_at": None, "untold": []}
        await garble(db, store.CASES, first, _id="Z-held", c="C-held", level="gold", **held)
        await garble(db, store.AGENTS, agent, _id="S1:odd", person_id="odd", load=1, cap="three")
        second = await one.asks("B2")
        await one.case_when(second.c, lambda case: case.state == "human")  # past what stands before it in the queue
        answer = await one.says(staff("U1"), served.c)
        await one.case_when(served.c, lambda case: case.staff_s >= answer.entry.s)
        clock.advance(31 * MINUTE)
        with capture_logs() as said:
            await one.desk.upkeep.look()
        assert (await one.desk.cases.one(served.id)).state == "ended", "its own time had come"
        errors = [line for line in said if line["log_level"] == "error"]
        assert {line.get("row") for line in errors} == {"Z-odd", "Z-held", "S1:odd"}, [
            one for one in errors if "row" not in one
        ]


async def test_a_shop_whose_settings_cannot_be_read_costs_no_other_shop_its_upkeep(
    db: Database, clock: TestClock
) -> None:
    # req I5
    async with node(db, clock, works=False) as one, node(db, clock, works=False, name="b") as fresh:
        for shop_id in ("S2", SHOP):  # the broken one is looked at first
            await one.sits("U1", shop_id)
            case = await one.asks(f"B-{shop_id}", shop_id)
            case = await one.case_when(case.c, lambda case: case.state == "human")
        await one.quiet()
        await one.desk.office.set("S2", DeskPatch(cap=3), "U9")
        await db.raw(office_store.SETTINGS).update_one({"scope": "S2"}, {"$set": {"patch.cap": "three"}})
        clock.advance(5 * MINUTE)  # nobody has answered, nobody is there
        with capture_logs() as said:
            await fresh.desk.upkeep.look()
        assert (await one.desk.cases.one(case.id)).state == "queued", "its agent is gone"
        assert {"a timer waits", "an agent was not looked after"} <= {
            line["event"] for line in said if line["log_level"] == "error"
        }


async def test_upkeep_and_presence_outlive_a_surprise(db: Database, clock: TestClock) -> None:
    # req I5: each of these faults used to end its task for ever, in silence
    async with node(db, clock, works=False) as one:
        agent = await one.sits("U1")
        case = await one.asks("B1")
        case = await one.case_when(case.c, lambda case: case.state == "human")
        await one.quiet()
        await garble(db, store.SWEEPS, Sweep(id="log", until=0, turn_at=0), until="yesterday")
        await garble(db, store.AGENTS, agent, _id="S2:odd", shop_id="S2", person_id="odd", gone_at=1, cap="three")
        await db.raw(store.AGENTS).update_one({"_id": agent.id}, {"$set": {"gone_at": 1}})
        one.connected = {"odd"}
        with capture_logs() as said:
            one.desk.start()
            await until(lambda: {"upkeep interrupted", "presence not renewed"} <= {line["event"] for line in said})
        one.connected = {"U1"}
        clock.advance(31 * MINUTE)
        later = await one.case_when(case.c, lambda seen: (seen.due_at or 0) > clock.now())
        assert later.state == "human", "upkeep goes on: nobody else is there, it is asked again later"
        gone = await one.desk.office.agent(SHOP, agent.id)
        async with asyncio.timeout(20):
            while gone.gone_at is not None:
                await asyncio.sleep(0.05)
                gone = await one.desk.office.agent(SHOP, agent.id)


async def test_what_a_task_of_nobody_died_of_stands_in_the_log() -> None:
    tasks = TaskRegistry()

    async def dies(fault: Exception) -> None:
        raise fault

    with capture_logs() as said:
        tasks.spawn(dies(KeyError("x")), name="mistaken")
        tasks.spawn(dies(Busy()), name="away")
        with pytest.raises(Busy):
            await tasks.run(dies(Busy()), name="asked for")
        await tasks.drain(seconds=1)
    assert {line["task"]: line["log_level"] for line in said} == {
        "mistaken": "error", "away": "warning", "asked for": "debug",
    }  # fmt: skip
    assert len(tasks) == 0
