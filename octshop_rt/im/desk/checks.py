"""What always holds of the desk: for fsck, fault tests and operators."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.core.clock import MINUTE
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database
from octshop_rt.im.desk import store
from octshop_rt.im.desk.model import LIFE, MOST_HISTORY, Case

_IN_HAND_MS = MINUTE  # a place is held a moment before its case is there, and a moment after it has gone


async def _one_open(db: Database) -> AsyncIterator[Finding]:
    """F90: through the index that forbids it, in case the index itself is missing."""
    last = ""
    async for case in store.CASES.scan(db, {"open": True, "c": {"$gt": ""}}, sort=[("c", 1)]):
        if case.c == last:
            yield Finding(check="F90", object_id=case.c, expected="one open case", found=f"{case.id} as well")
        last = case.c


async def _places(db: Database) -> AsyncIterator[Finding]:
    """F91: load is the number of places held, and each is held for a case in that agent's hands."""
    before = await db.time() - _IN_HAND_MS
    async for agent in store.AGENTS.scan(db, {}):
        if agent.load != len(agent.slots):
            yield Finding(check="F91", object_id=agent.id, expected=f"load {len(agent.slots)}", found=f"{agent.load}")
        mine = {case.id for case in await store.of_agent(db, agent.id)}
        for slot in agent.slots:
            if slot.case_id not in mine and slot.at < before:
                yield Finding(
                    check="F91", object_id=agent.id, expected="a case in these hands", found=f"leaked {slot.case_id}"
                )
        for case_id in sorted(mine - {slot.case_id for slot in agent.slots}):
            yield Finding(check="F91", object_id=agent.id, expected=f"a place for {case_id}", found="none")


async def _legal(db: Database) -> AsyncIterator[Finding]:
    """F92: the history of a case is a walk through its table, and ends where the case is."""
    async for case in store.CASES.scan(db, {}):
        if fault := illegal(case):
            yield Finding(check="F92", object_id=case.id, expected="a legal walk", found=fault)


def illegal(case: Case) -> str:
    """What is wrong with the history, empty if nothing is."""
    at = "new" if len(case.history) < MOST_HISTORY else case.history[0].was
    rev = 0
    for step in case.history:
        if step.was != at:
            return f"{step.was} after {at}"
        if not LIFE.may(step.was, step.now):
            return f"{step.was} to {step.now}"
        if step.rev <= rev:
            return f"rev {step.rev} after {rev}"
        at, rev = step.now, step.rev
    return "" if at == case.state else f"ends in {at}, is {case.state}"


async def _fields(db: Database) -> AsyncIterator[Finding]:
    """F93: what a state needs is there, and nothing of another state."""
    async for case in store.CASES.scan(db, {}):
        held = case.agent_id is not None and case.person_id is not None
        whole = {
            "new": not held and case.queued_at is None,
            "bot": not held and case.queued_at is None,
            "queued": not held and case.queued_at is not None,
            "human": held and case.queued_at is None and case.assigned_at is not None,
            "ended": case.ended_at is not None and case.due_at is None,
        }[case.state]
        if not whole or case.open != (case.state != "ended"):
            yield Finding(check="F93", object_id=case.id, expected=f"the fields of {case.state}", found="others")


CHECKS: tuple[Check, ...] = (
    Check(id="F90", text="a conversation has at most one open case", run=_one_open),
    Check(id="F91", text="an agent's load is the cases in their hands, a place for each", run=_places),
    Check(id="F92", text="the history of a case is legal and ends in its state", run=_legal),
    Check(id="F93", text="a case has the fields of its state", run=_fields),
)
