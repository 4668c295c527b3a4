"""The outbox promises: written with the fact, delivered at least once, effect once, never early, poison parked."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from octshop_rt.core import outbox as rows
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import HOUR, SECOND, Clock, TestClock
from octshop_rt.core.dispatcher import Dispatcher, Subscription
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Collection, Database, Transaction
from octshop_rt.core.outbox import Event, Outbox


class Counted(Event, frozen=True, kw_only=True):
    """An event of these tests."""

    number: int


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What the handler leaves."""

    id: str
    times: int = 0


EFFECTS = Collection("common", "test_effects", Effect, shard_key=("_id",))


async def count(tx: Transaction, event: Counted) -> None:
    await EFFECTS.update(tx, {"_id": str(event.number)}, {"$inc": {"times": 1}}, upsert=True)


async def emit(db: Database, outbox: Outbox, *numbers: int, due_at: int | None = None) -> None:
    async def work(tx: Transaction) -> None:
        for number in numbers:
            await outbox.write(tx, Counted(number=number), due_at=due_at)

    await db.transact(work)


def dispatcher(db: Database, clock: Clock, *subscriptions: Subscription, owner: str = "one") -> Dispatcher:
    return Dispatcher(db, clock, LocalBus(), subscriptions, owner=owner)


ALL = {"$nin": []}

COUNT = Subscription(event=Counted, name="test.count", run=count)
TOGETHER = Subscription(event=Counted, name="test.count", run=count, together=True)


async def effects(db: Database) -> dict[str, int]:
    return {row.id: row.times for row in await EFFECTS.many(db, {})}


@pytest.mark.parametrize("subscription", [COUNT, TOGETHER])
async def test_each_event_has_its_effect_once(
    db: Database, clock: TestClock, outbox: Outbox, subscription: Subscription
) -> None:  # req D2
    await emit(db, outbox, *range(40))
    assert await dispatcher(db, clock, subscription).drain() == 40
    assert await dispatcher(db, clock, subscription).drain() == 0
    assert await effects(db) == {str(number): 1 for number in range(40)}


async def test_nothing_is_delivered_when_the_transaction_fails(db: Database, clock: TestClock, outbox: Outbox) -> None:
    async def work(tx: Transaction) -> None:
        await outbox.write(tx, Counted(number=1))
        raise LookupError

    with pytest.raises(LookupError):
        await db.transact(work)
    assert await dispatcher(db, clock, COUNT).drain() == 0


async def test_a_due_event_is_never_early(db: Database, clock: TestClock, outbox: Outbox) -> None:  # req 17.7
    await emit(db, outbox, 1, due_at=clock.now() + HOUR)
    clock.advance(HOUR - 1)
    assert await dispatcher(db, clock, COUNT).drain() == 0
    clock.advance(1)
    assert await dispatcher(db, clock, COUNT).drain() == 1


@pytest.mark.parametrize("subscription", [COUNT, TOGETHER])
async def test_many_dispatchers_never_double_an_effect(
    db: Database, clock: TestClock, outbox: Outbox, subscription: Subscription
) -> None:  # req D3
    await emit(db, outbox, *range(200))
    workers = [dispatcher(db, clock, subscription, owner=str(number)) for number in range(4)]
    await asyncio.gather(*(worker.drain() for worker in workers))
    assert await effects(db) == {str(number): 1 for number in range(200)}


async def test_a_killed_dispatcher_loses_nothing(db: Database, clock: TestClock, outbox: Outbox) -> None:
    await emit(db, outbox, 1, 2)
    # It claims and dies: nobody gives the rows back.
    assert (
        len(await rows.take(db, types=ALL, now=clock.now(), owner="dead", claim="dead:1", lease_ms=60_000, most=10))
        == 2
    )
    assert await dispatcher(db, clock, COUNT).drain() == 0
    clock.advance(60_000)
    assert await dispatcher(db, clock, COUNT).drain() == 2
    assert await effects(db) == {"1": 1, "2": 1}


async def test_a_paused_dispatcher_cannot_act_on_a_lapsed_lease(db: Database, clock: TestClock, outbox: Outbox) -> None:
    """Both hold the event in memory; the one whose lease lapsed wakes up inside its effect's transaction."""
    await emit(db, outbox, 1)
    asleep, awake = asyncio.Event(), asyncio.Event()

    async def sleepy(tx: Transaction, event: Counted) -> None:
        await count(tx, event)

    slow = dispatcher(db, clock, Subscription(event=Counted, name="test.count", run=sleepy), owner="slow")
    taken = await rows.take(
        db, types=ALL, now=clock.now(), owner="slow", claim="slow:1", lease_ms=Dispatcher.LEASE_MS, most=10
    )
    assert len(taken) == 1

    async def resume() -> None:
        asleep.set()
        await awake.wait()
        await slow._handle(taken)

    pause = asyncio.create_task(resume())
    await asleep.wait()
    clock.advance(Dispatcher.LEASE_MS)
    assert await dispatcher(db, clock, COUNT, owner="quick").drain() == 1
    awake.set()
    await pause
    assert await effects(db) == {"1": 1}


async def test_a_long_job_keeps_its_lease(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that outlives a lease is not given to somebody else while its worker lives."""
    monkeypatch.setattr(Dispatcher, "LEASE_MS", 300)
    monkeypatch.setattr(Dispatcher, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(Dispatcher, "POLL_SECONDS", 0.05)
    clock, calls = Clock(), 0

    async def slow(event: Counted) -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(1)

    job = Subscription(event=Counted, name="test.slow", run=slow, kind="job")
    workers = [Dispatcher(db, clock, LocalBus(), [job], owner=name) for name in ("one", "two")]
    await emit(db, Outbox(clock, Ids(clock)), 1)
    for worker in workers:
        await worker.start()
    await asyncio.sleep(1.5)
    for worker in workers:
        await worker.stop()
    assert calls == 1


async def test_a_slow_job_does_not_hold_up_effects(db: Database) -> None:
    clock, done, end = Clock(), asyncio.Event(), asyncio.Event()

    class Slow(Event, frozen=True, kw_only=True):
        pass

    async def wait(event: Slow) -> None:
        await end.wait()

    async def effect(tx: Transaction, event: Counted) -> None:
        done.set()

    box = Outbox(clock, Ids(clock))
    worker = Dispatcher(
        db,
        clock,
        LocalBus(),
        [
            Subscription(event=Slow, name="test.slow", run=wait, kind="outside"),
            Subscription(event=Counted, name="test.effect", run=effect),
        ],
        owner="one",
    )
    await db.transact(lambda tx: box.write(tx, Slow()))
    await worker.start()
    await asyncio.sleep(0.3)
    await emit(db, box, 1)
    async with asyncio.timeout(10):
        await done.wait()
    assert not end.is_set()  # the slow one still works
    end.set()
    await worker.stop()


async def test_a_lease_nobody_works_on_lapses_while_its_node_lives(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim was written and its answer lost: the node must not renew what none of its tasks holds."""
    monkeypatch.setattr(Dispatcher, "LEASE_MS", 300)
    monkeypatch.setattr(Dispatcher, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(Dispatcher, "POLL_SECONDS", 0.05)
    clock = Clock()
    await emit(db, Outbox(clock, Ids(clock)), 1)
    await rows.take(db, types=ALL, now=clock.now(), owner="one", claim="one:0", lease_ms=300, most=10)
    worker = dispatcher(db, clock, COUNT)
    await worker.start()
    await asyncio.sleep(1)
    await worker.stop()
    assert await effects(db) == {"1": 1}


async def test_an_event_of_a_newer_version_waits_for_a_node_that_knows_it(
    db: Database, clock: TestClock, outbox: Outbox
) -> None:
    await emit(db, outbox, 1)
    assert await dispatcher(db, clock).drain() == 0
    assert await dispatcher(db, clock, COUNT).drain() == 1
    await emit(db, outbox, 2)
    unheard = Dispatcher(db, clock, LocalBus(), [], owner="two", unheard=[Counted])
    assert await unheard.drain() == 1
    assert await effects(db) == {"1": 1}


async def test_stopping_does_not_wait_for_hanging_jobs(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dispatcher, "STOP_SECONDS", 0.2)
    monkeypatch.setattr(Dispatcher, "JOB_BATCH", 1)
    clock = Clock()

    async def hang(event: Counted) -> None:
        await asyncio.sleep(60)

    worker = dispatcher(db, clock, Subscription(event=Counted, name="test.hang", run=hang, kind="outside"))
    await emit(db, Outbox(clock, Ids(clock)), *range(20))
    await worker.start()
    await asyncio.sleep(0.5)
    async with asyncio.timeout(2):
        await worker.stop()
    assert await rows.counts(db, now=clock.now()) == {"due": 20, "later": 0, "parked": 0}


async def test_poison_is_parked_and_the_others_go_on(db: Database, clock: TestClock, outbox: Outbox) -> None:
    async def picky(tx: Transaction, event: Counted) -> None:
        if event.number == 13:
            raise LookupError("unlucky")
        await count(tx, event)

    worker = dispatcher(db, clock, Subscription(event=Counted, name="test.count", run=picky, together=True))
    await emit(db, outbox, *range(10, 16))
    for _ in range(Dispatcher.MOST_TRIES):
        await worker.drain()
        clock.advance(301 * SECOND)
    assert await effects(db) == {str(number): 1 for number in range(10, 16) if number != 13}
    (row,) = await rows.parked(db)
    assert row.body == {"type": "Counted", "number": 13}
    assert "unlucky" in row.error

    assert await rows.retry(db, row.id, now=clock.now())
    assert await dispatcher(db, clock, COUNT).drain() == 1
    assert (await effects(db))["13"] == 1


async def test_a_failing_job_is_backed_off_and_a_failing_hint_forgotten(
    db: Database, clock: TestClock, outbox: Outbox
) -> None:
    calls: list[str] = []

    async def job(event: Counted) -> None:
        calls.append("job")
        if len(calls) < 3:
            raise ConnectionError

    async def hint(event: Counted) -> None:
        raise ConnectionError

    worker = dispatcher(
        db,
        clock,
        Subscription(event=Counted, name="test.count", run=count),
        Subscription(event=Counted, name="test.hint", run=hint, kind="hint"),
        Subscription(event=Counted, name="test.job", run=job, kind="job"),
    )
    await emit(db, outbox, 1)
    await worker.drain()
    assert calls == ["job"]
    await worker.drain()
    assert calls == ["job"]  # it waits its time
    for _ in range(3):
        clock.advance(10 * SECOND)
        await worker.drain()
    assert calls == ["job"] * 3
    assert await effects(db) == {"1": 1}  # the effect before it is not done again


async def test_a_running_dispatcher_is_woken_by_the_commit(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    done = asyncio.Event()

    async def tell(event: Counted) -> None:
        done.set()

    worker = Dispatcher(
        db, clock, LocalBus(), [Subscription(event=Counted, name="test.tell", run=tell, kind="job")], owner="one"
    )
    monkeypatch.setattr(worker, "POLL_SECONDS", 600)  # nothing but the commit can wake it
    await worker.start()
    await asyncio.sleep(0.1)
    await emit(db, Outbox(clock, Ids(clock)), 1)
    async with asyncio.timeout(10):
        await done.wait()
    assert done.is_set()
    await worker.stop()


async def test_one_event_id_exists_once(db: Database, clock: TestClock, outbox: Outbox) -> None:
    async def work(tx: Transaction) -> Any:
        return await outbox.write(tx, Counted(number=7), event_id="E-day-2026-11-22")

    await db.transact(work)
    with pytest.raises(Exception, match="_id"):
        await db.transact(work)
    assert await dispatcher(db, clock, COUNT).drain() == 1
