"""Outbox: what must happen elsewhere, written in the transaction that decided it. Due events are the scheduler."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from octshop_rt.core.clock import DAY, Clock, Millis, as_datetime
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Collection, Database, Doc, Place, Transaction, index
from octshop_rt.core.statemachine import Life


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="type"):
    """A fact that crosses a domain's wall. Fields are only ever added, with defaults."""


OutboxState = Literal["waiting", "done", "parked"]

LIFE: Life[OutboxState] = Life("outbox", {"waiting": ("done", "parked"), "parked": ("waiting",), "done": ()})

# A claim names its rows: left alone, the planner may walk the whole backlog by state instead.
BY_ID = "_id_"
KEEP_DONE_MS = 30 * DAY


class OutboxRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way. `done` names the subscriptions whose effect has happened: it is the dedupe row,
    changed in the effect's own transaction. `claim` fences out a worker that slept too long.
    """

    id: str
    type: str
    body: dict[str, Any]
    state: OutboxState = "waiting"
    due_at: Millis
    created_at: Millis
    owner: str = ""
    claim: str = ""
    lease_until: Millis = 0
    tries: int = 0
    done: tuple[str, ...] = ()
    error: str = ""


ROWS = Collection(
    "common",
    "outbox",
    OutboxRow,
    indexes=[
        index("state", "due_at"),
        index("owner", partial={"state": "waiting", "owner": {"$gt": ""}}),
        index("purge_at", expire_after_s=0),
    ],
    shard_key=("_id",),
)


class Outbox:
    """Writes events. The dispatcher of the same installation delivers them."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids

    async def write(
        self, tx: Transaction, event: Event, *, due_at: Millis | None = None, event_id: str | None = None
    ) -> str:
        """Store `event` in `tx`; it is delivered at or after `due_at`, never before, at least once.

        `event_id` makes an event that many may write but only one may exist (DuplicateKey flies out). The id is made
        per call, so a transaction that runs again leaves one row. Returns the event's id.
        """
        now = self._clock.now()
        body: dict[str, Any] = msgspec.to_builtins(event)
        row = OutboxRow(
            id=event_id or self._ids.new("E"),
            type=body["type"],
            body=body,
            due_at=now if due_at is None else due_at,
            created_at=now,
        )
        await ROWS.insert(tx, row)
        tx.wrote_events = True
        return row.id


async def take(
    db: Database, *, types: Doc, now: Millis, owner: str, claim: str, lease_ms: int, most: int
) -> list[OutboxRow]:
    """Take up to `most` due rows of `types` nobody holds, oldest due first, without those others take meanwhile.

    `claim` must be new each time: a worker that wakes up late holds an older one and matches nothing.
    """
    free = {"state": "waiting", "due_at": {"$lte": now}, "lease_until": {"$lte": now}, "type": types}
    rows = await ROWS.many(db, free, sort=[("due_at", 1)], limit=most)
    if not rows:
        return []
    ids = [row.id for row in rows]
    await ROWS.update_many(
        db,
        {"_id": {"$in": ids}, **free},
        {"$set": {"owner": owner, "claim": claim, "lease_until": now + lease_ms}},
        hint=BY_ID,
    )
    held = {"_id": {"$in": ids}, "claim": claim, "state": "waiting"}
    return sorted(await ROWS.many(db, held, hint=BY_ID), key=lambda row: row.due_at)


async def under_way(at: Place, kind: str, field: str, value: str) -> bool:
    """Whether an event of `kind` that says `value` in `field` has not had all its effects yet. For checks."""
    waiting = {"state": {"$in": ["waiting", "parked"]}, "type": kind, f"body.{field}": value}
    return await ROWS.one(at, waiting) is not None


async def asked_under(at: Place, prefix: str) -> bool:
    """Whether an event whose id was given and begins so is still to have its effects. For checks."""
    born = {"$gte": prefix, "$lt": prefix + "\uffff"}
    return bool(await ROWS.many(at, {"_id": born, "state": {"$in": ["waiting", "parked"]}}, limit=1, hint=BY_ID))


async def mark_done(at: Place, rows: list[OutboxRow], subscription: str, *, finished: bool, now: Millis) -> bool:
    """Record that `subscription` has had its effect on all `rows`; the first write of the effect's transaction.

    False if any row is no longer ours or was done already: then the transaction must be left.
    """
    change: dict[str, Any] = {"$addToSet": {"done": subscription}}
    if finished:
        change["$set"] = {"state": "done", "purge_at": as_datetime(now + KEEP_DONE_MS)}
    changed = await ROWS.update_many(
        at,
        {
            "_id": {"$in": [row.id for row in rows]},
            "claim": rows[0].claim,
            "state": "waiting",
            "done": {"$ne": subscription},
        },
        change,
        hint=BY_ID,
    )
    return changed == len(rows)


async def finish(db: Database, row: OutboxRow, *, now: Millis) -> None:
    """Close a row whose subscriptions are all done."""
    await ROWS.update(
        db,
        {"_id": row.id, "claim": row.claim, "state": {"$in": LIFE.sources("done")}},
        {"$set": {"state": "done", "purge_at": as_datetime(now + KEEP_DONE_MS)}},
    )


async def put_back(db: Database, row: OutboxRow, *, due_at: Millis, error: str) -> None:
    """Try again at `due_at`."""
    await ROWS.update(
        db,
        {"_id": row.id, "claim": row.claim, "state": "waiting"},
        {
            "$set": {"due_at": due_at, "lease_until": 0, "owner": "", "claim": "", "error": error[:500]},
            "$inc": {"tries": 1},
        },
    )


async def renew(db: Database, owner: str, claims: Iterable[str], *, until: Millis) -> None:
    """Hold on to the `claims` that `owner` is still working on. What another has taken meanwhile carries its claim."""
    held = {"owner": owner, "state": "waiting", "claim": {"$in": sorted(claims)}}
    await ROWS.update_many(db, held, {"$max": {"lease_until": until}})


async def release(db: Database, owner: str) -> None:
    """Give back what `owner` still holds, on a clean stop."""
    await ROWS.update_many(
        db, {"owner": owner, "state": "waiting"}, {"$set": {"lease_until": 0, "owner": "", "claim": ""}}
    )


async def park(db: Database, row: OutboxRow, *, error: str) -> None:
    """Stop trying; a person looks at it with `octshop-rt outbox`."""
    await ROWS.update(
        db,
        {"_id": row.id, "claim": row.claim, "state": {"$in": LIFE.sources("parked")}},
        {"$set": {"state": "parked", "error": error[:500], "lease_until": 0}, "$inc": {"tries": 1}},
    )


async def parked(db: Database, *, limit: int = 100) -> list[OutboxRow]:
    """Parked rows, oldest first."""
    return await ROWS.many(db, {"state": "parked"}, sort=[("due_at", 1)], limit=limit)


async def retry(db: Database, event_id: str, *, now: Millis) -> bool:
    """Put a parked row back to work; False if it is not parked."""
    return (
        await ROWS.update(
            db,
            {"_id": event_id, "state": "parked"},
            {"$set": {"state": "waiting", "due_at": now, "tries": 0, "lease_until": 0, "owner": "", "claim": ""}},
        )
        == 1
    )


async def next_due(db: Database) -> Millis | None:
    """When the earliest waiting row is due."""
    row = await ROWS.one(db, {"state": "waiting"}, sort=[("due_at", 1)])
    return None if row is None else row.due_at


async def counts(db: Database, *, now: Millis) -> dict[str, int]:
    """How many rows are due, later and parked."""
    return {
        "due": await ROWS.count(db, {"state": "waiting", "due_at": {"$lte": now}}),
        "later": await ROWS.count(db, {"state": "waiting", "due_at": {"$gt": now}}),
        "parked": await ROWS.count(db, {"state": "parked"}),
    }
