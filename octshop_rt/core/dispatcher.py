"""Dispatcher: delivers outbox events at least once, lets each effect happen exactly once, never early."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, cast

import msgspec
import structlog

from octshop_rt.core import outbox
from octshop_rt.core.bus import Bus
from octshop_rt.core.clock import SECOND, Clock
from octshop_rt.core.mongo import Database, Transaction
from octshop_rt.core.outbox import Event, OutboxRow

log = structlog.get_logger(__name__)

WAKE = "outbox.wake"

Effect = Callable[[Transaction, Any], Awaitable[None]]
Job = Callable[[Any], Awaitable[None]]


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """Who hears an event.

    effect: `run(tx, event)` inside a transaction with its dedupe mark, exactly once. `together=True` lets several
    events of the type share one transaction, where their order does not matter and they touch different rows.
    job: `run(event)` outside any transaction: calls to the outside, idempotent by our own ids, backed off, parked.
    hint: like job, but a failure is forgotten: the truth is found elsewhere.
    """

    event: type[Event]
    name: str
    run: Effect | Job
    kind: Literal["effect", "job", "hint"] = "effect"
    together: bool = False


class LapsedLease(Exception):
    """This worker slept past its lease, or the effect is there already: leave the transaction."""


class Dispatcher:
    """One per process; any number of them share the work. `owner` is new for each start of a process.

    `drain()` is for tests and one-shot commands.
    """

    BATCH = 128
    LEASE_MS = 60 * SECOND
    JOB_SECONDS = 45
    POLL_SECONDS = 1.0
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
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False

    def wake(self) -> None:
        """Look for work now, here and on the other nodes."""
        self._wake.set()
        if self._loop is not None:
            self._loop.get_loop().create_task(self._bus.publish(WAKE, b""))

    async def start(self) -> None:
        """Begin to deliver."""
        self._db.on_events(self.wake)
        self._forget_bus = self._bus.subscribe(WAKE, lambda _channel, _payload: self._wake.set())
        self._loop = asyncio.get_running_loop().create_task(self._deliver(), name="dispatcher")

    async def stop(self) -> None:
        """Finish the batch at hand, give the rest back."""
        self._stopping = True
        self._wake.set()
        if self._loop is not None:
            await self._loop
            self._forget_bus()
            await outbox.release(self._db, self._owner)

    async def drain(self) -> int:
        """Deliver all that is due now, including what the deliveries write; how many rows were handled."""
        handled = 0
        while rows := await self._claim():
            await self._handle(rows)
            handled += len(rows)
        return handled

    async def _deliver(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                rows = await self._claim()
                if rows:
                    await self._handle(rows)
                    continue
            except Exception as fault:  # noqa: BLE001  (the loop must outlive any fault; it is logged and tried again)
                log.warning("dispatcher round failed", fault=repr(fault))
                rows = []
            try:
                async with asyncio.timeout(self.POLL_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _claim(self) -> list[OutboxRow]:
        return await outbox.take(
            self._db,
            now=self._clock.now(),
            owner=self._owner,
            claim=f"{self._owner}:{next(self._claims)}",
            lease_ms=self.LEASE_MS,
            most=self.BATCH,
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
            if one.kind == "job":
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
            return Event()  # nobody listens: the row is closed as it is
        return msgspec.convert(row.body, shape)
