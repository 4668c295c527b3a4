"""fsck of the foundation finds what is planted."""

from __future__ import annotations

from collections import Counter

import msgspec

from octshop_rt import app
from octshop_rt.core import checks, mongo, outbox
from octshop_rt.core.clock import DAY, HOUR, Clock
from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import OutboxRow
from octshop_rt.core.settings import Settings


def row(row_id: str, **fields: object) -> OutboxRow:
    now = Clock().now()
    base = OutboxRow(id=row_id, type="X", body={}, due_at=now - HOUR, created_at=now - HOUR)
    values = {name: getattr(base, name) for name in base.__struct_fields__} | fields
    return msgspec.convert(values, OutboxRow)


async def test_a_clean_database_is_clean_and_each_violation_is_named(db: Database) -> None:
    await db.create_indexes(mongo.declared)
    assert (await examine(db, checks.CHECKS)).clean
    now = Clock().now()
    await outbox.ROWS.insert_many(
        db,
        [
            row("late"),
            row("parked", state="parked", error="boom"),
            row("greedy", due_at=now + DAY, lease_until=now + HOUR),
            row("done", state="done"),
            row("later", due_at=now + DAY),
        ],
    )
    report = await examine(db, checks.CHECKS)
    assert {(one.check, one.object_id) for one in report.findings} == {
        ("F60", "late"),
        ("F61", "parked"),
        ("F62", "greedy"),
    }


async def test_a_missing_index_is_named(db: Database) -> None:
    await db.raw(outbox.ROWS).drop_index("state_1_due_at_1")
    try:
        report = await examine(db, checks.CHECKS)
    finally:
        await db.create_indexes([outbox.ROWS])
    assert ("F80", "common.outbox") in {(one.check, one.object_id) for one in report.findings}


def test_each_check_has_an_id_of_its_own() -> None:
    told = [one.id for one in app.checks(Settings())]
    assert sorted(one for one, times in Counter(told).items() if times > 1) == []
