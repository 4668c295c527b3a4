"""Dispatcher: delivers outbox events at least once, lets each effect happen exactly once, never early."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any, Literal, cast

import msgspec
import structlog

from octshop_rt.core import outbox
from octshop_rt.core.bus import Bus
from octshop_rt.core.clock import SECOND, Clock
from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Database, Doc, Transaction
from octshop_rt.core.outbox import Event, OutboxRow
from octshop_rt.core.tasks import end

log = structlog.get_logger(__name__)

WAKE = "outbox.wake"

Effect = Callable[[Transaction, Any], Awaitable[None]]
Job = Callable[[Any], Awaitable[None]]


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """Who hears an event.

    effect: `run(tx, event)` inside a transaction with its dedupe mark, exactly once. `together=True` lets several
    events of the type share one transaction, where their order does not matter and they touch different rows.
    job: `run(event)` outside any transaction, idempotent by our own ids, backed off, parked.
    outside: a job that calls somebody else and may wait long; its events have a lane of their own.
    hint: like job, but a failure is forgotten: the truth is found elsewhere.
    """

    event: type[Event]
    name: str
    run: Effect | Job
    kind: Literal["effect", "job", "outside", "hint"] = "effect"
    together: bool = False


class Lane:
    """Events that are claimed together: the quick ones, and those whose jobs may wait for the outside."""

    def __init__(self, types: Doc, *, batch: int, batches: int) -> None:
        self.types = types
        self.batch = batch
        self.room = asyncio.Semaphore(batches)
        self.wake = asyncio.Event()
        self.working: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Run one batch in the room already taken for it."""
        task = asyncio.get_running_loop().create_task(work)
        self.working.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.working.discard(task)
        self.room.release()
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.warning("batch given up, its leases will lapse", fault=repr(fault))


class LapsedLease(Exception):
    """This worker slept past its lease, or the effect is there already: leave the transaction."""


class Dispatcher:
    """One per process; any number of them share the work. `owner` is new for each start of a process; events named in
    `unheard` are closed without an effect.

    `drain()` is for tests and one-shot commands.
    """

    BATCH = 128
    BATCHES = 2
    JOB_BATCH = 8
    JOB_BATCHES = 8
    # Short, so that a killed worker's events are taken over while the buyer still looks; renewed while we live.
    LEASE_MS = 8 * SECOND
    RENEW_SECONDS = 2.0
    JOB_SECONDS = 45
    POLL_SECONDS = 1.0
    STOP_SECONDS = 5
    RELEASE_SECONDS = 2
    MOST_TRIES = 12
    BACKOFF_MS = (1 * SECOND, 300 * SECOND)

    def __init__(
        self,
        db: Database,
        clock: Clock,
        bus: Bus,
        subscriptions: Sequence[Subscription],
        *,
        owner: str,
        unheard: Collection[type[Event]] = (),
    ) -> None:
        self._db = db
        self._clock = clock
        self._bus = bus
        self._owner = owner
        self._of: dict[str, list[Subscription]] = {}
        self._shape: dict[str, type[Event]] = {}
        for one in subscriptions:
            self._of.setdefault(one.event.__name__, []).append(one)
            self._shape[one.event.__name__] = one.event
        self._claims = itertools.count(1)
        self._live: set[str] = set()  # claims somebody here is working on: only their leases are renewed
        slow = {one.event.__name__ for one in subscriptions if one.kind == "outside"}
        # Only events this version knows: a newer node's wait for a node that knows them.
        quick = {*self._of, *(event.__name__ for event in unheard)} - slow
        self._lanes = (
            Lane({"$in": sorted(quick)}, batch=self.BATCH, batches=self.BATCHES),
            Lane({"$in": sorted(slow)}, batch=self.JOB_BATCH, batches=self.JOB_BATCHES),
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def wake(self) -> None:
        """Look for work now, here and on the other nodes."""
        self._wake_here()
        if self._tasks:
            self._tasks[0].get_loop().create_task(self._bus.publish(WAKE, b""))

    async def start(self) -> None:
        """Begin to deliver."""
        self._db.on_events(self.wake)
        self._forget_bus = self._bus.subscribe(WAKE, lambda _channel, _payload: self._wake_here())
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._deliver(lane), name="dispatcher") for lane in self._lanes]
        self._tasks.append(loop.create_task(self._renew(), name="dispatcher leases"))

    async def stop(self) -> None:
        """Finish what is at hand, at most five seconds; give the rest back."""
        if not self._tasks:
            return
        self._stopping = True
        self._forget_bus()
        claiming, renewing = self._tasks[:-1], self._tasks[-1]
        await end(*claiming)  # what they may have claimed is released below
        working = {task for lane in self._lanes for task in lane.working}
        if working:
            await asyncio.wait(working, timeout=self.STOP_SECONDS)
        await end(renewing, *working)
        self._tasks = []
        try:
            async with asyncio.timeout(self.RELEASE_SECONDS):
                await outbox.release(self._db, self._owner)
        except (DomainError, TimeoutError) as fault:  # MongoDB is away: who stops then must not hang on it
            log.warning("leases not given back, they will lapse", fault=repr(fault))

    async def drain(self) -> int:
        """Deliver all that is due now, including what the deliveries write; how many rows were handled."""
        handled = 0
        while rows := [row for lane in self._lanes for row in await self._claim(lane, self._new_claim())]:
            await self._handle(rows)
            handled += len(rows)
        return handled

    def _new_claim(self) -> str:
        return f"{self._owner}:{next(self._claims)}"

    def _wake_here(self) -> None:
        for lane in self._lanes:
            lane.wake.set()

    async def _deliver(self, lane: Lane) -> None:
        while not self._stopping:
            await lane.room.acquire()
            lane.wake.clear()
            claim = self._new_claim()
            try:
                rows = await self._claim(lane, claim)
            except Exception as fault:  # noqa: BLE001  (the loop must outlive any fault; it is logged and tried again)
                log.warning("claim failed", fault=repr(fault))
                rows = []
            if rows:
                lane.begin(self._hold(claim, rows))
                continue
            lane.room.release()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.POLL_SECONDS):
                    await lane.wake.wait()

    async def _hold(self, claim: str, rows: Sequence[OutboxRow]) -> None:
        self._live.add(claim)
        try:
            await self._handle(rows)
        finally:
            self._live.discard(claim)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self.RENEW_SECONDS)
            try:
                await outbox.renew(self._db, self._owner, self._live, until=self._clock.now() + self.LEASE_MS)
            except Exception as fault:  # noqa: BLE001  (the next beat tries again; a lost lease is fenced anyway)
                log.warning("leases not renewed", fault=repr(fault))

    async def _claim(self, lane: Lane, claim: str) -> list[OutboxRow]:
        return await outbox.take(
            self._db,
            types=lane.types,
            now=self._clock.now(),
            owner=self._owner,
            claim=claim,
            lease_ms=self.LEASE_MS,
            most=lane.batch,
        )

    async def _handle(self, rows: Sequence[OutboxRow]) -> None:
        by_type = itertools.groupby(sorted(rows, key=lambda row: row.type), key=lambda row: row.type)
        await asyncio.gather(*(self._handle_type(name, list(group)) for name, group in by_type))

    async def _handle_type(self, name: str, rows: list[OutboxRow]) -> None:
        subscriptions = self._of.get(name, [])
        if len(subscriptions) == 1 and subscriptions[0].together and len(rows) > 1:
            with_events = [(row, self._event(row)) for row in rows]
            try:
                await self._effect(subscriptions[0], with_events, finished=True)
            except Exception as fault:  # noqa: BLE001  (one of them is at fault: find out which)
                log.info("batch fell apart, going one by one", event_type=name, fault=repr(fault))
            else:
                return
        await asyncio.gather(*(self._handle_row(row, subscriptions) for row in rows))

    async def _handle_row(self, row: OutboxRow, subscriptions: Sequence[Subscription]) -> None:
        left = [one for one in subscriptions if one.name not in row.done]
        try:
            event = self._event(row)
            for one in left:
                await self._run(one, row, event, finished=one is left[-1])
            if not left:
                await outbox.finish(self._db, row, now=self._clock.now())
        except LapsedLease:
            log.info("lease lapsed", event_id=row.id, event_type=row.type)
        except Exception as fault:  # noqa: BLE001  (whatever a handler raises: back off, then park)
            await self._failed(row, fault)

    async def _run(self, one: Subscription, row: OutboxRow, event: Event, *, finished: bool) -> None:
        if one.kind == "effect":
            await self._effect(one, [(row, event)], finished=finished)
            return
        try:
            async with asyncio.timeout(self.JOB_SECONDS):
                await cast("Job", one.run)(event)
        except Exception as fault:
            if one.kind != "hint":
                raise
            log.info("hint lost", subscription=one.name, fault=repr(fault))
        if not await outbox.mark_done(self._db, [row], one.name, finished=finished, now=self._clock.now()):
            raise LapsedLease

    async def _effect(self, one: Subscription, rows: Sequence[tuple[OutboxRow, Event]], *, finished: bool) -> None:
        now = self._clock.now()
        run = cast("Effect", one.run)

        async def work(tx: Transaction) -> None:
            if not await outbox.mark_done(tx, [row for row, _ in rows], one.name, finished=finished, now=now):
                raise LapsedLease
            for _, event in rows:
                await run(tx, event)

        await self._db.transact(work)

    async def _failed(self, row: OutboxRow, fault: Exception) -> None:
        error = f"{type(fault).__name__}: {fault}"
        if row.tries + 1 >= self.MOST_TRIES:
            log.error("event parked", event_id=row.id, event_type=row.type, error=error)
            await outbox.park(self._db, row, error=error)
            return
        least, most = self.BACKOFF_MS
        due_at = self._clock.now() + min(most, least * 2**row.tries)
        log.warning("event put back", event_id=row.id, event_type=row.type, tries=row.tries + 1, error=error)
        await outbox.put_back(self._db, row, due_at=due_at, error=error)

    def _event(self, row: OutboxRow) -> Event:
        shape = self._shape.get(row.type)
        if shape is None:
            return Event()  # unheard on purpose: the row is closed as it is
        return msgspec.convert(row.body, shape)
