"""MongoDB as we use it: options, transactions, duplicates, conflicts, cut-off commits, tracked tasks."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from pymongo import AsyncMongoClient

from octshop_rt.core import mongo
from octshop_rt.core.errors import Busy, UnknownOutcome
from octshop_rt.core.mongo import Collection, Database, DuplicateKey, Transaction, index
from octshop_rt.core.settings import MongoSettings
from octshop_rt.core.tasks import TaskRegistry


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """A row of these tests."""

    id: str
    owner: str = "a"
    number: int = 0
    blob: bytes = b""
    tags: tuple[str, ...] = ()


THINGS = Collection(
    "trading", "test_things", Thing, indexes=[index("owner", "number", unique=True)], shard_key=("owner",)
)


async def test_a_row_comes_back_as_it_went(db: Database) -> None:
    row = Thing(id="1", number=2**53 - 1, blob=b"\x00\xff", tags=("x", "y"))
    await THINGS.insert(db, row)
    assert await THINGS.one(db, {"_id": "1"}) == row
    assert [one async for one in THINGS.scan(db, {})] == [row]


def test_the_clients_options_are_the_safe_ones(db: Database) -> None:
    options = db.raw(THINGS).database.client.options
    written = options.write_concern.document
    assert (written["w"], written["j"], options.read_concern.level) == ("majority", True, "majority")
    assert options.retry_writes
    assert options.timeout == 5
    pool = options.pool_options
    assert (pool.connect_timeout, pool.wait_queue_timeout) == (2, 1)
    assert options.server_selection_timeout == 3


async def test_a_duplicate_flies_out_at_once_and_undoes_the_rest(db: Database) -> None:
    await THINGS.insert(db, Thing(id="1", number=1))
    runs = 0

    async def work(tx: Transaction) -> None:
        nonlocal runs
        runs += 1
        await THINGS.insert(tx, Thing(id="2", number=2))
        await THINGS.insert(tx, Thing(id="3", number=1))

    with pytest.raises(DuplicateKey) as caught:
        await db.transact(work)
    assert caught.value.key == ("owner", "number")
    assert runs == 1
    assert await THINGS.count(db, {}) == 1


async def test_a_batch_says_which_row_was_refused(db: Database) -> None:
    with pytest.raises(DuplicateKey) as caught:
        await THINGS.insert_many(db, [Thing(id="1", number=1), Thing(id="2", number=2), Thing(id="3", number=2)])
    assert caught.value.position == 2
    assert await THINGS.count(db, {}) == 2


async def test_conflicting_transactions_all_happen(db: Database) -> None:
    await THINGS.insert(db, Thing(id="1"))

    async def add(tx: Transaction) -> None:
        row = await THINGS.one(tx, {"_id": "1"})
        assert row is not None
        await THINGS.update(tx, {"_id": "1"}, {"$set": {"number": row.number + 1}})

    await asyncio.gather(*(db.transact(add) for _ in range(8)))
    row = await THINGS.one(db, {"_id": "1"})
    assert row is not None
    assert row.number == 8


async def test_a_server_that_is_away_is_busy_for_reads_and_unknown_for_writes() -> None:
    away = Database.connect(MongoSettings(uri="mongodb://127.0.0.1:9/"))
    faults = await asyncio.gather(
        THINGS.one(away, {}),
        THINGS.insert(away, Thing(id="1")),
        away.transact(lambda tx: THINGS.insert(tx, Thing(id="1"))),
        return_exceptions=True,
    )
    assert [type(fault) for fault in faults] == [Busy, UnknownOutcome, UnknownOutcome]
    await away.close()


async def fail_commit(uri: str, times: int, **data: Any) -> None:
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        await client.admin.command(
            "configureFailPoint",
            "failCommand",
            mode={"times": times},
            data={"failCommands": ["commitTransaction"], "appName": "octshop-rt", **data},
        )


async def test_a_commit_whose_reply_is_lost_happens_once(db: Database, mongo_uri: str) -> None:  # fault F6, F7
    """The driver asks again with the same number; the row is there once."""
    try:
        await fail_commit(mongo_uri, 1, closeConnection=True)
    except Exception as fault:
        pytest.fail(f"the test mongod needs --setParameter enableTestCommands=1: {fault}")
    await THINGS.insert(db, Thing(id="counter"))
    await db.transact(lambda tx: THINGS.update(tx, {"_id": "counter"}, {"$inc": {"number": 1}}))
    row = await THINGS.one(db, {"_id": "counter"})
    assert row is not None
    assert row.number == 1


async def test_a_full_disk_is_said_as_busy_and_nothing_happened(db: Database, mongo_uri: str) -> None:
    full = {"failCommands": ["insert"], "errorCode": 14031, "appName": "octshop-rt"}
    async with AsyncMongoClient[dict[str, Any]](mongo_uri) as client:
        await client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=full)
    with pytest.raises(Busy):
        await THINGS.insert(db, Thing(id="late"))
    assert await THINGS.one(db, {"_id": "late"}) is None
    await THINGS.insert(db, Thing(id="late"))


async def test_a_cancelled_caller_does_not_cancel_its_mutation(db: Database) -> None:
    tasks = TaskRegistry()
    inside = asyncio.Event()

    async def slow(tx: Transaction) -> None:
        await THINGS.insert(tx, Thing(id="1"))
        inside.set()
        await asyncio.sleep(0.2)

    caller = asyncio.create_task(tasks.run(db.transact(slow)))
    await inside.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert len(tasks) == 1
    assert await tasks.drain(seconds=3) == 0
    assert await THINGS.count(db, {}) == 1


async def test_a_cancelled_transaction_is_whole_or_not_at_all(db: Database) -> None:
    """Cancelled at any moment: it commits both rows all the same, and is not left open on the server."""
    for pause in (0, 0.001, 0.003, 0.006, 0.01, 0.02):
        await THINGS.delete(db, {"owner": "a"})

        async def work(tx: Transaction) -> None:
            await THINGS.insert(tx, Thing(id="1", number=1))
            await THINGS.insert(tx, Thing(id="2", number=2))

        caller = asyncio.create_task(db.transact(work))
        await asyncio.sleep(pause)
        caller.cancel()
        await asyncio.wait({caller})
        seen = 0
        for _ in range(100):
            if (seen := await THINGS.count(db, {"owner": "a"})) == 2 or (pause == 0 and seen == 0):
                break
            await asyncio.sleep(0.02)
        assert seen == 2 or pause == 0


async def test_drain_cancels_what_does_not_end() -> None:
    tasks = TaskRegistry()
    tasks.spawn(asyncio.sleep(60))
    assert await tasks.drain(seconds=0.05) == 1
    assert len(tasks) == 0


async def test_every_declared_index_exists(db: Database) -> None:  # fsck F80
    await db.create_indexes(mongo.declared)
    for collection in mongo.declared:
        present = await db.index_keys(collection)
        for one in collection.indexes:
            assert any(keys == one.keys() and unique == one.unique for keys, unique in present), collection.name
