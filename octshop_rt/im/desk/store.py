"""Collections, indexes and questions of the desk. Cases and agents are changed by conditional updates alone."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import structlog

from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Database, document, index
from octshop_rt.im.desk.model import LIFE, Agent, Case, CaseState, Rush, Seating, Serves, Sweep, Waiter

log = structlog.get_logger(__name__)

CASES = Collection(
    "im",
    "cases",
    Case,
    indexes=[
        index("c", unique=True, partial={"open": True}),
        index("c", "-_id"),
        # The queue in its order, which is not sorted; who is served by others is passed over without reading the row.
        index("shop_id", "state", "-priority", "queued_at", "_id", "group_id"),
        index("shop_id", "-_id"),
        index("shop_id", "ended_at"),
        index("waiting_since", partial={"open": True}),
        index("state", "shop_id"),
        index("agent_id", "state"),
        index("guests", "shop_id", partial={"state": "human"}),
        index("state", "waiting_since"),
        index("state", "buyer_at"),
        index("buyer_id", "-_id"),
        index("due_at", partial={"open": True}),
        index("untold", partial={"untold": {"$gt": 0}}),
    ],
    shard_key=("c",),
)
AGENTS = Collection(
    "im",
    "desk_agents",
    Agent,
    indexes=[index("shop_id", "status"), index("person_id"), index("load")],
    shard_key=("shop_id",),
)
RUSHES = Collection("im", "desk_rushes", Rush, shard_key=("_id",))
SWEEPS = Collection("im", "desk_sweeps", Sweep, shard_key=("_id",))

_TURN = {"priority": -1, "queued_at": 1, "_id": 1}  # the order in which those who wait are served
Row = TypeVar("Row", bound=msgspec.Struct)


async def _legible(
    db: Database, collection: Collection[Row], query: dict[str, Any], *, sort: dict[str, int] | None = None,
    limit: int = 0,
) -> list[Row]:  # fmt: skip
    """What the engine asks of all rows at once: one that cannot be read stops nobody else's service."""
    with contextlib.suppress(msgspec.ValidationError):
        return await collection.many(db, query, sort=None if sort is None else list(sort.items()), limit=limit)
    rows: list[Row] = []
    pipeline: list[dict[str, Any]] = [{"$match": query}]
    pipeline += [{"$sort": sort}] if sort else []
    pipeline += [{"$limit": limit}] if limit else []
    for found in await collection.aggregate(db, pipeline):
        row_id = found["_id"]
        try:
            rows.append(collection.of(found))
        except msgspec.ValidationError:
            log.exception("a row cannot be read", collection=collection.name, row=row_id)
    return rows


# --- cases ------------------------------------------------------------------------------------------------------------


async def case(db: Database, case_id: str) -> Case | None:
    return await CASES.one(db, {"_id": case_id})


async def open_case(db: Database, c: str) -> Case | None:
    return await CASES.one(db, {"c": c, "open": True})


async def newest_case(db: Database, c: str) -> Case | None:
    return await CASES.one(db, {"c": c}, sort=[("_id", -1)])


async def newest_cases(db: Database, cs: Sequence[str]) -> dict[str, Case]:
    """The newest case of each conversation that has one."""
    newest = await CASES.aggregate(
        db,
        [
            {"$match": {"c": {"$in": list(cs)}}},
            {"$sort": {"c": 1, "_id": -1}},
            {"$group": {"_id": "$c", "row": {"$first": "$$ROOT"}}},
        ],
    )
    return {one["_id"]: CASES.of(one["row"]) for one in newest}


async def add_case(db: Database, row: Case) -> None:
    """DuplicateKey if the conversation has an open one."""
    await CASES.insert(db, row)


async def swap(db: Database, seen: Case, after: Case) -> Case | None:
    """Write `after` over `seen` if nobody has changed it since; None if somebody has. The one way a case changes,
    but for `seat` and `told`.
    """
    assert seen.state == after.state or LIFE.may(seen.state, after.state), (seen.state, after.state)
    before, now = document(seen), document(after)
    changed = {name: value for name, value in now.items() if before[name] != value}
    changed["rev"] = seen.rev + 1
    if "history" in changed and len(after.history) == len(seen.history) + 1:
        del changed["history"]
        push: dict[str, Any] = {"$push": {"history": now["history"][-1]}}
    else:
        push = {}
    return await CASES.change(db, {"_id": seen.id, "rev": seen.rev}, {"$set": changed, **push})


async def seat(db: Database, seatings: Sequence[Seating]) -> dict[str, Case]:
    """The second of the two updates of an assignment, for many cases in one command, each for itself: a case is the
    agent's if it still waits in the queue. The rev is not asked for: that the buyer has said another word meanwhile
    changes nothing. By id, the cases as they stand afterwards: whoever has another agent was lost.
    """
    await CASES.update_each(db, [({"_id": one.case_id, "state": "queued"}, _seated(one)) for one in seatings])
    found = await CASES.many(db, {"_id": {"$in": [one.case_id for one in seatings]}})
    return {case.id: case for case in found}


def _seated(one: Seating) -> list[dict[str, Any]]:
    put = {
        "state": "human", "agent_id": one.agent.id, "person_id": one.agent.person_id, "agent_name": one.agent.name,
        "assigned_at": one.step.at, "due_at": one.due_at, "queued_at": None, "after_hours": False,
    }  # fmt: skip
    plain: dict[str, Any] = msgspec.to_builtins(one.step)
    rev = {"$add": ["$rev", 1]}
    step = {"$mergeObjects": [{"$literal": plain}, {"rev": rev}]}
    return [
        {
            "$set": {
                **{name: {"$literal": value} for name, value in put.items()},
                "rev": rev,
                "untold": {"$concatArrays": ["$untold", [rev]]},
                "history": {"$concatArrays": ["$history", [step]]},
            }
        }
    ]


async def told(db: Database, case_ids: Sequence[str], rev: int) -> None:
    """The log holds the words of this rev of these cases."""
    await CASES.update_many(db, {"_id": {"$in": list(case_ids)}}, {"$pull": {"untold": rev, "asides": {"rev": rev}}})


async def queued(db: Database, shop_id: str, limit: int) -> list[Case]:
    """Who waits, in the order in which they are to be served."""
    return await _legible(db, CASES, {"shop_id": shop_id, "state": "queued"}, sort=_TURN, limit=limit)


async def servable(db: Database, shop_id: str, kinds: Sequence[Serves], *, overflown: Millis, limit: int) -> list[Case]:
    """The same, but only whom agents of these kinds may serve, and who has waited since before `overflown`: as
    `rules.may_serve` has it, so that those who wait for others fill no page and keep nobody out of it.
    """
    fits: list[dict[str, Any]] = [
        {"group_id": {"$in": [None, *one.groups]}, "skills": {"$not": {"$elemMatch": {"$nin": list(one.skills)}}}}
        for one in kinds
    ]
    query = {"shop_id": shop_id, "state": "queued", "$or": [*fits, {"queued_at": {"$lte": overflown}}]}
    return await _legible(db, CASES, query, sort=_TURN, limit=limit)


async def waiters(db: Database, shop_id: str) -> list[Waiter]:
    """All who wait, in order: as little as their turns hang on."""
    found = await CASES.aggregate(
        db,
        [
            {"$match": {"shop_id": shop_id, "state": "queued"}},
            {"$sort": _TURN},
            {"$project": {"group_id": 1, "skills": 1, "queued_at": 1}},
        ],
    )
    return [
        Waiter(
            id=row["_id"], group_id=row.get("group_id"), skills=tuple(row.get("skills", ())),
            queued_at=row.get("queued_at"),
        )
        for row in found
    ]  # fmt: skip


async def count_queued(db: Database, shop_id: str) -> int:
    return await CASES.count(db, {"shop_id": shop_id, "state": "queued"})


async def waiting_shops(db: Database) -> list[str]:
    """Shops where somebody waits."""
    found = await CASES.aggregate(db, [{"$match": {"state": "queued"}}, {"$group": {"_id": "$shop_id"}}])
    return [row["_id"] for row in found]


async def in_state(db: Database, shop_id: str, states: Sequence[CaseState], limit: int) -> list[Case]:
    query = {"shop_id": shop_id, "state": {"$in": list(states)}}
    return await _legible(db, CASES, query, sort={"_id": -1}, limit=limit)


async def listed(db: Database, shop_id: str, states: Sequence[CaseState], below: str | None, limit: int) -> list[Case]:
    """Newest first; no states: in any."""
    query: dict[str, Any] = {"shop_id": shop_id}
    if states:
        query["state"] = {"$in": list(states)}
    if below:
        query["_id"] = {"$lt": below}
    return await _legible(db, CASES, query, sort={"_id": -1}, limit=limit)


async def of_agent(db: Database, agent_id: str) -> list[Case]:
    """The cases an agent serves now."""
    return await _legible(db, CASES, {"agent_id": agent_id, "state": "human"})


async def invited(db: Database, shop_id: str, person_id: str) -> list[Case]:
    """The cases of colleagues into which this person has been asked."""
    return await CASES.many(db, {"guests": person_id, "shop_id": shop_id, "state": "human"})


async def going_on(db: Database, shop_id: str, cs: Sequence[str]) -> list[Case]:
    """The open cases of these conversations."""
    return await CASES.many(db, {"c": {"$in": list(cs)}, "open": True, "shop_id": shop_id})


async def of_agents(db: Database, agent_ids: Sequence[str]) -> list[Case]:
    return await _legible(db, CASES, {"agent_id": {"$in": list(agent_ids)}, "state": "human"})


async def of_buyer(db: Database, buyer_ids: Sequence[str], limit: int) -> list[Case]:
    """Newest first."""
    whose = buyer_ids[0] if len(buyer_ids) == 1 else {"$in": list(buyer_ids)}
    return await CASES.many(db, {"buyer_id": whose}, sort=[("_id", -1)], limit=limit)


async def due(db: Database, now: Millis, limit: int) -> list[Case]:
    """Open cases whose time has come, longest due first."""
    query = {"open": True, "due_at": {"$lte": now}}
    return await _legible(db, CASES, query, sort={"due_at": 1}, limit=limit)


async def held_by_bot(db: Database, before: Millis, limit: int) -> list[Case]:
    """Cases in the hands of the automatic answer whose buyer spoke before `before`."""
    return await _legible(db, CASES, {"state": "bot", "buyer_at": {"$lte": before}}, limit=limit)


async def untold(db: Database, limit: int) -> list[Case]:
    """Cases whose log lacks a word."""
    return await _legible(db, CASES, {"untold": {"$gt": 0}}, limit=limit)


async def ended_since(db: Database, shop_id: str, moment: Millis, limit: int) -> list[Case]:
    """The newest cases of a shop that had a human and ended after `moment`."""
    query = {"shop_id": shop_id, "state": "ended", "ended_at": {"$gte": moment}}
    return await _legible(db, CASES, query, sort={"_id": -1}, limit=limit)


# --- agents -----------------------------------------------------------------------------------------------------------


async def agent(db: Database, agent_id: str) -> Agent | None:
    return await AGENTS.one(db, {"_id": agent_id})


async def agents(db: Database, shop_id: str) -> list[Agent]:
    return await AGENTS.many(db, {"shop_id": shop_id})


async def all_agents(db: Database, agent_ids: Sequence[str]) -> list[Agent]:
    return await AGENTS.many(db, {"_id": {"$in": list(agent_ids)}})


async def add_agent(db: Database, row: Agent) -> None:
    """DuplicateKey if the person works here already."""
    await AGENTS.insert(db, row)


async def online(db: Database, shop_id: str, seen_after: Millis) -> list[Agent]:
    """Who may be given a buyer now, were there room."""
    query = {"shop_id": shop_id, "status": "online", "seen_at": {"$gte": seen_after}}
    return await _legible(db, AGENTS, query)


async def take_slots(
    db: Database, agent_id: str, case_ids: Sequence[str], at: Millis, *, seen_after: Millis | None
) -> Agent | None:
    """The first of the two updates of an assignment: ONE conditional update takes a place for each of these cases, or
    none at all and None. `seen_after` asks for somebody online and there; None: a person takes the case himself.
    """
    room = {"$lte": [{"$add": ["$load", len(case_ids)]}, "$cap"]}
    query: dict[str, Any] = {"_id": agent_id, "slots.case_id": {"$nin": list(case_ids)}, "$expr": room}
    if seen_after is not None:
        query |= {"status": "online", "seen_at": {"$gte": seen_after}}
    return await AGENTS.change(
        db,
        query,
        {
            "$push": {"slots": {"$each": [{"case_id": case_id, "at": at} for case_id in case_ids]}},
            "$inc": {"load": len(case_ids), "rev": 1},
            "$max": {"last_assigned_at": at},
        },
    )


async def give_back(db: Database, agent_id: str, case_id: str, *, older_than: Millis | None = None) -> Agent | None:
    """Free the place held for a case; None if there was none (any more), so twice is once."""
    held: dict[str, Any] = {"case_id": case_id}
    if older_than is not None:
        held["at"] = {"$lt": older_than}
    return await AGENTS.change(
        db,
        {"_id": agent_id, "slots": {"$elemMatch": held}},
        {"$pull": {"slots": {"case_id": case_id}}, "$inc": {"load": -1, "rev": 1}},
    )


async def set_status(db: Database, seen: Agent, after: Agent) -> Agent | None:
    """Write name, status and presence; None if the status was changed meanwhile."""
    return await AGENTS.change(
        db,
        {"_id": seen.id, "status": seen.status},
        {
            "$set": {"status": after.status, "reason": after.reason, "status_at": after.status_at, "name": after.name},
            "$max": {"seen_at": after.seen_at},
            "$inc": {"rev": 1},
        },
    )


async def arrange(db: Database, agent_id: str, put: dict[str, Any]) -> Agent | None:
    """Set cap, groups, skills."""
    return await AGENTS.change(db, {"_id": agent_id}, {"$set": put, "$inc": {"rev": 1}})


async def seen(db: Database, person_ids: Sequence[str], at: Millis) -> int:
    """These people are there, at all their desks."""
    return await AGENTS.update_many(db, {"person_id": {"$in": list(person_ids)}}, {"$max": {"seen_at": at}})


async def gone(db: Database, agent_id: str, at: Millis, seen_before: Millis) -> Agent | None:
    """Note, once, that nobody has seen this agent since before `seen_before`."""
    lost = {"_id": agent_id, "gone_at": None, "seen_at": {"$lt": seen_before}}
    return await AGENTS.change(db, lost, {"$set": {"gone_at": at}, "$inc": {"rev": 1}})


async def back(db: Database, agent_id: str, at: Millis) -> Agent | None:
    """Note, once, that this agent is there again; None if another node has. Seen in the same update: else the next node
    would find them missed once more.
    """
    there = {"$set": {"gone_at": None}, "$max": {"seen_at": at}}
    return await AGENTS.change(db, {"_id": agent_id, "gone_at": {"$gt": 0}}, there)


async def missed(db: Database, person_ids: Sequence[str], before: Millis) -> list[Agent]:
    """Of these people's desks those where they were noted as gone, or were last seen before `before`."""
    lost = [{"gone_at": {"$gt": 0}}, {"seen_at": {"$gt": 0, "$lt": before}}]
    return await AGENTS.many(db, {"person_id": {"$in": list(person_ids)}, "$or": lost})


async def loaded_agents(db: Database) -> list[Agent]:
    """Everyone who holds a place."""
    return await _legible(db, AGENTS, {"load": {"$gt": 0}})


# --- turns ------------------------------------------------------------------------------------------------------------


async def take_rush(db: Database, shop_id: str, owner: str, now: Millis, until: Millis) -> bool:
    """Whether it is this node's turn to empty a long queue at the shop: nobody else's, or theirs is over."""
    await RUSHES.update(db, {"_id": shop_id}, {"$setOnInsert": {"owner": "", "until": 0}}, upsert=True)
    free = {"_id": shop_id, "$or": [{"owner": owner}, {"until": {"$lte": now}}]}
    return await RUSHES.update(db, free, {"$set": {"owner": owner, "until": until}}) == 1


async def end_rush(db: Database, shop_id: str, owner: str) -> None:
    await RUSHES.update(db, {"_id": shop_id, "owner": owner}, {"$set": {"until": 0}})


# --- the sweep --------------------------------------------------------------------------------------------------------


async def take_turn(db: Database, now: Millis, every_ms: int) -> Sweep | None:
    """The sweep's mark, if nobody has swept within `every_ms`: then it is ours for that long."""
    await SWEEPS.update(db, {"_id": "log"}, {"$setOnInsert": {"until": now, "turn_at": 0}}, upsert=True)
    return await SWEEPS.change(db, {"_id": "log", "turn_at": {"$lte": now - every_ms}}, {"$set": {"turn_at": now}})


async def swept(db: Database, until: Millis) -> None:
    await SWEEPS.update(db, {"_id": "log"}, {"$max": {"until": until}})
