"""fsck of the foundation: the outbox is not stuck, leases are sane, every declared index is there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from octshop_rt.core import mongo, outbox
from octshop_rt.core.clock import MINUTE
from octshop_rt.core.dispatcher import Dispatcher
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database

LATE_MS = 15 * MINUTE


async def _late_rows(db: Database) -> AsyncIterator[Finding]:
    late = {"state": "waiting", "due_at": {"$lte": await db.time() - LATE_MS}}
    async for row in outbox.ROWS.scan(db, late):
        yield Finding(
            check="F60",
            object_id=row.id,
            expected=f"{row.type} delivered within {LATE_MS // MINUTE} minutes",
            found=f"due at {row.due_at}, {row.tries} tries, {row.error or 'no error'}",
        )


async def _parked_rows(db: Database) -> AsyncIterator[Finding]:
    async for row in outbox.ROWS.scan(db, {"state": "parked"}):
        yield Finding(check="F61", object_id=row.id, expected=f"{row.type} has its effect", found=row.error)


async def _long_leases(db: Database) -> AsyncIterator[Finding]:
    latest = await db.time() + Dispatcher.LEASE_MS
    async for row in outbox.ROWS.scan(db, {"state": "waiting", "lease_until": {"$gt": latest}}):
        yield Finding(check="F62", object_id=row.id, expected=f"lease ends by {latest}", found=str(row.lease_until))


async def _missing_indexes(db: Database) -> AsyncIterator[Finding]:
    for collection in mongo.declared:
        present = await db.index_keys(collection)
        for one in collection.indexes:
            if (one.keys(), one.unique) not in present:
                yield Finding(
                    check="F80",
                    object_id=f"{collection.database}.{collection.name}",
                    expected=f"{'unique ' if one.unique else ''}index on {', '.join(one.fields)}",
                    found="missing; run: octshop-rt indexes",
                )


async def _misfits(db: Database) -> AsyncIterator[Finding]:
    for collection in (one for one in mongo.declared if not one.bulk):
        async for doc in db.raw(collection).find({}):
            object_id = f"{collection.database}.{collection.name} {doc.get('_id')}"
            try:
                collection.of(doc)
            except msgspec.ValidationError as fault:
                expected = collection.shape.__name__
                yield Finding(check="F81", object_id=object_id, expected=expected, found=str(fault))


CHECKS: tuple[Check, ...] = (
    Check(id="F60", text="no outbox row waits long past its time", run=_late_rows),
    Check(id="F61", text="no outbox row is parked", run=_parked_rows),
    Check(id="F62", text="no outbox lease is longer than a lease", run=_long_leases),
    Check(id="F80", text="every declared index exists", run=_missing_indexes),
    Check(id="F81", text="every document has the shape its collection declares", run=_misfits),
)
