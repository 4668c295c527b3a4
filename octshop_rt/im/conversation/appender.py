"""Group commit: one queue per conversation in this node, one ordered durable write over many conversations.

Between nodes there is no lock, lease or owner: every write is compare-and-append under the unique index (c, s), so the
loser of a race reads the tail again and renumbers. Cost is per write, not per entry (measured: 700 µs of server CPU
for a write of one, 70 µs per entry in writes of 50), so a write takes all that is ready, and the next ready entries
gather while at most `parallel` writes are on their way. Never two of them hold the same conversation.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

import structlog

from octshop_rt.core.clock import Clock, monotonic_ms
from octshop_rt.core.errors import Busy, DomainError, UnknownOutcome
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.im.conversation import store
from octshop_rt.im.conversation.admission import Admission
from octshop_rt.im.conversation.model import Appended, Draft, Entry, IdemConflict

log = structlog.get_logger(__name__)

Key = tuple[str, str, str]
Committed = Callable[[Sequence[tuple[Entry, str]]], None]

_CALM = 4  # writes a conversation travels alone after a clash with another node
_LOSING_MS = 5_000  # how long a draft may lose the race for a number before it is refused as Busy
_TAKEN_MS = 1_000  # how long to wait for a number another node has taken to reach the majority


class _Pending:
    """A draft on its way; `done` resolves to what became of it and never raises."""

    __slots__ = ("done", "draft", "lost_at")

    def __init__(self, draft: Draft, done: asyncio.Future[Appended | DomainError]) -> None:
        self.draft = draft
        self.done = done
        self.lost_at: int | None = None

    def settle(self, outcome: Appended | DomainError) -> None:
        if not self.done.done():
            self.done.set_result(outcome)


class _Lane:
    """One conversation's queue. `tail` is the highest number a majority is known to hold; None: ask.

    `taken` is a number another node was seen to hold first. The refusal comes at once, the majority a moment later:
    until then the tail still reads as one less, and trying again would only lose again.
    """

    __slots__ = ("alone", "busy", "c", "heard", "losses", "tail", "taken", "taken_at", "waiting")

    def __init__(self, c: str) -> None:
        self.c = c
        self.tail: int | None = None
        self.heard = 0
        self.taken = 0
        self.taken_at = 0
        self.losses = 0
        self.busy = False
        self.alone = 0
        self.waiting: deque[_Pending] = deque()


class _Flight:
    """Rows of one write and whose they are."""

    __slots__ = ("began_at", "lanes", "owners", "rows")

    def __init__(self, lanes: list[_Lane]) -> None:
        self.began_at = monotonic_ms()
        self.lanes = lanes
        self.rows: list[Entry] = []
        self.owners: list[tuple[_Lane, _Pending]] = []


class Appender:
    """Appends drafts. `committed` is called, in this loop, with what has just become durable and its origin."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        ids: Ids,
        committed: Committed,
        *,
        parallel: int = 2,
        most: int = 256,
        most_waiting: int = 20_000,
        most_lanes: int = 50_000,
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._committed = committed
        self._parallel = parallel
        self._most = most
        self._most_waiting = most_waiting
        self._most_lanes = most_lanes
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()
        self._ready: OrderedDict[str, _Lane] = OrderedDict()
        self._pending: dict[Key, _Pending] = {}
        self._flights: dict[asyncio.Task[None], _Flight] = {}
        self._woken = False
        self.admission = Admission(parallel, most)
        self.clashes = 0  # numbers taken by another node, for the figures

    @property
    def waiting(self) -> int:
        """Drafts not settled yet."""
        return len(self._pending)

    @property
    def slow_ms(self) -> float:
        """How long a write takes now."""
        return self.admission.slow_ms(self._oldest_ms())

    def submit(self, draft: Draft) -> asyncio.Future[Appended | DomainError]:
        """Queue a draft, in order, and return its outcome to come: Appended, IdemConflict, or UnknownOutcome.

        The same draft while it is still on its way joins the first one. Busy (raised) when it would wait too long, or,
        for what the house itself says, only when too much waits already.
        """
        key = (draft.c, draft.f, draft.m)
        first = self._pending.get(key)
        if first is not None:
            return self._join(first, draft)
        after = 0  # the house's own words are few and have no outbox to wait in
        if draft.fr in {"buyer", "staff"}:
            after = self.admission.after_ms(len(self._pending), self._oldest_ms())
        if after or len(self._pending) >= self._most_waiting:
            raise Busy(after_ms=int(max(after, 500) * (1 + random.random() / 2)))  # noqa: S311  (spreads who returns)
        pending = _Pending(draft, asyncio.get_running_loop().create_future())
        self._pending[key] = pending
        pending.done.add_done_callback(lambda _: self._pending.pop(key, None))
        lane = self._lane(draft.c)
        lane.waiting.append(pending)
        self._enqueue(lane)
        return pending.done

    def knows(self, key: Key) -> bool:
        """Whether this draft is on its way here."""
        return key in self._pending

    def tail(self, c: str) -> int:
        """The highest number this node knows, 0 if it knows nothing."""
        lane = self._lanes.get(c)
        return 0 if lane is None else max(lane.tail or 0, lane.heard)

    def heard(self, c: str, s: int) -> None:
        """Another node appended `s`: number from there. Only for numbers a majority holds."""
        lane = self._lanes.get(c)
        if lane is not None and s > lane.heard:
            lane.heard = s
            self._enqueue(lane)  # the race for the next number is on

    async def drain(self, seconds: float) -> None:
        """Wait until everything queued is settled."""
        if waiting := [pending.done for pending in self._pending.values()]:
            await asyncio.wait(waiting, timeout=seconds)
        if self._flights:
            await asyncio.wait(list(self._flights), timeout=seconds)

    def _oldest_ms(self) -> int:
        return max((monotonic_ms() - flight.began_at for flight in self._flights.values()), default=0)

    # --- queues -------------------------------------------------------------------------------------------------------

    def _join(self, first: _Pending, draft: Draft) -> asyncio.Future[Appended | DomainError]:
        joined: asyncio.Future[Appended | DomainError] = asyncio.get_running_loop().create_future()
        if first.draft.h != draft.h:
            joined.set_result(IdemConflict())
            return joined

        def follow(done: asyncio.Future[Appended | DomainError]) -> None:
            outcome = done.result()
            if not joined.done():
                joined.set_result(Appended(outcome.entry, dup=True) if isinstance(outcome, Appended) else outcome)

        first.done.add_done_callback(follow)
        return joined

    def _lane(self, c: str) -> _Lane:
        lane = self._lanes.get(c)
        if lane is not None:
            self._lanes.move_to_end(c)
            return lane
        lane = self._lanes[c] = _Lane(c)
        if len(self._lanes) > self._most_lanes:
            oldest = next(iter(self._lanes.values()))
            if not oldest.busy and not oldest.waiting:
                del self._lanes[oldest.c]
        return lane

    def _enqueue(self, lane: _Lane) -> None:
        if lane.busy or not lane.waiting:
            return
        self._ready[lane.c] = lane
        if not self._woken:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._depart)  # everything that arrives in this turn travels along

    def _depart(self) -> None:
        self._woken = False
        while self._ready and len(self._flights) < self._parallel:
            flight = _Flight(self._board())
            task = asyncio.get_running_loop().create_task(self._fly(flight))
            self._flights[task] = flight
            task.add_done_callback(self._landed)

    def _board(self) -> list[_Lane]:
        """The lanes of the next write: the first, and those behind it that are not clashing with another node."""
        first = next(iter(self._ready.values()))
        lanes: list[_Lane] = []
        room = self._most
        for lane in list(self._ready.values()):
            if lane is not first and (first.alone or lane.alone):
                continue
            if room <= 0:
                break
            del self._ready[lane.c]
            lane.busy = True
            room -= len(lane.waiting)
            lanes.append(lane)
        return lanes

    def _landed(self, task: asyncio.Task[None]) -> None:
        del self._flights[task]
        if self._ready:
            self._depart()

    # --- one write ----------------------------------------------------------------------------------------------------

    async def _fly(self, flight: _Flight) -> None:
        try:
            await self._number(flight)
            await self._write(flight)
        except Exception:
            # Our own mistake: nobody may wait for ever because of it, and nothing may be called done.
            log.exception("append failed")
            for lane, pending in flight.owners:
                lane.tail = None
                pending.settle(UnknownOutcome())
        finally:
            for lane in flight.lanes:
                lane.busy = False
                lane.alone = max(0, lane.alone - 1)
                if lane.losses and lane.heard < lane.taken:
                    # Wait for word of the number that was lost; without word (no bus) look again soon.
                    delay = (0.5 + random.random()) * 0.002 * min(lane.losses, 5)  # noqa: S311  (jitter, no secret)
                    asyncio.get_running_loop().call_later(delay, self._enqueue, lane)
                else:
                    self._enqueue(lane)

    async def _number(self, flight: _Flight) -> None:
        """Give every waiting draft of these lanes its number. Lanes whose tail cannot be read refuse theirs."""
        await self._ask_tails([lane for lane in flight.lanes if lane.tail is None])
        now = self._clock.now()
        for lane in flight.lanes:
            if lane.tail is not None and max(lane.tail, lane.heard) < lane.taken:
                if monotonic_ms() - lane.taken_at < _TAKEN_MS:
                    lane.tail = None
                    lane.losses += 1
                    continue
                lane.taken = 0  # it was rolled back
            taken = [lane.waiting.popleft() for _ in range(min(len(lane.waiting), self._most))]
            if lane.tail is None:
                for pending in taken:
                    pending.settle(Busy())  # nothing was written
                continue
            number = max(lane.tail, lane.heard)
            for pending in taken:
                number += 1
                flight.rows.append(self._row(pending.draft, number, now))
                flight.owners.append((lane, pending))

    async def _ask_tails(self, lanes: list[_Lane]) -> None:
        unknown: list[_Lane] = []
        for lane in lanes:
            if 0 < lane.taken <= lane.heard:
                lane.tail = lane.heard
            else:
                unknown.append(lane)
        tails = await asyncio.gather(*(store.tail(self._db, lane.c) for lane in unknown), return_exceptions=True)
        for lane, tail in zip(unknown, tails, strict=True):
            lane.tail = tail if isinstance(tail, int) else None

    def _row(self, draft: Draft, s: int, now: int) -> Entry:
        return Entry(
            id=self._ids.new("E"), c=draft.c, s=s, f=draft.f, fr=draft.fr, m=draft.m, k=draft.k, b=draft.b, ts=now,
            h=draft.h, re=draft.re, vis=draft.vis,
        )  # fmt: skip

    async def _write(self, flight: _Flight) -> None:
        if not flight.rows:
            return
        try:
            await store.append(self._db, flight.rows)
        except DuplicateKey as clash:
            self._stored(flight, clash.position)
            await self._clashed(flight, clash)
        except Exception as fault:  # noqa: BLE001  (whatever it was, the rows may have been written)
            log.warning("append outcome unknown", entries=len(flight.rows), fault=repr(fault))
            await self._look_up(flight)
        else:
            self._stored(flight, len(flight.rows))
        finally:
            self.admission.wrote(monotonic_ms() - flight.began_at)

    def _stored(self, flight: _Flight, count: int) -> None:
        """The first `count` rows are durable: tell their senders, then everybody."""
        fresh: list[tuple[Entry, str]] = []
        for row, (lane, pending) in zip(flight.rows[:count], flight.owners[:count], strict=True):
            lane.tail = row.s
            lane.losses = 0
            pending.settle(Appended(row, dup=False))
            fresh.append((row, pending.draft.origin))
        if fresh:
            self._committed(fresh)

    async def _clashed(self, flight: _Flight, clash: DuplicateKey) -> None:
        """The row at `clash.position` was refused and nothing after it was tried: it all goes again, in order."""
        if "m" in clash.key:
            await self._said_before(flight.owners[clash.position :])
            return
        lane, pending = flight.owners[clash.position]
        _return_to_lanes(flight.owners[clash.position + 1 :])
        now = monotonic_ms()
        self.clashes += 1
        lane.tail = None
        lane.alone = _CALM
        lane.losses += 1
        lane.taken, lane.taken_at = flight.rows[clash.position].s, now
        if pending.lost_at is None:
            pending.lost_at = now
        if now - pending.lost_at > _LOSING_MS:
            pending.settle(Busy())
        else:
            lane.waiting.appendleft(pending)

    async def _said_before(self, owners: Sequence[tuple[_Lane, _Pending]]) -> None:
        """The first of these is stored already. Whoever repeats one message after a cut repeats others: all are looked
        for in one question, instead of each stopping a write of its own (50 who repeat: 40/s before, 800/s now).
        """
        drafts = [pending.draft for _, pending in owners]
        try:
            stored = await store.by_client_ids(self._db, [(one.c, one.f, one.m) for one in drafts])
        except DomainError:
            owners[0][1].settle(UnknownOutcome())
            _return_to_lanes(owners[1:])
            return
        fresh: list[tuple[_Lane, _Pending]] = []
        for lane, pending in owners:
            draft = pending.draft
            entry = stored.get((draft.c, draft.f, draft.m))
            if entry is None:
                fresh.append((lane, pending))
            elif entry.h != draft.h:
                pending.settle(IdemConflict())
            else:
                pending.settle(Appended(entry, dup=True))
        if fresh and fresh[0][1] is owners[0][1]:  # rolled back between the two questions
            fresh[0][0].tail = None
        _return_to_lanes(fresh)

    async def _look_up(self, flight: _Flight) -> None:
        """Perhaps written, perhaps not: believe only what a majority read shows. Never an ack on a guess."""
        for lane in flight.lanes:
            lane.tail = None
        found = await asyncio.gather(
            *(store.by_client_id(self._db, row.c, row.f, row.m) for row in flight.rows), return_exceptions=True
        )
        fresh: list[tuple[Entry, str]] = []
        for stored, (_, pending) in zip(found, flight.owners, strict=True):
            if isinstance(stored, Entry) and stored.h == pending.draft.h:
                pending.settle(Appended(stored, dup=False))
                fresh.append((stored, pending.draft.origin))
            else:
                pending.settle(UnknownOutcome())
        if fresh:
            self._committed(fresh)


def _return_to_lanes(owners: Sequence[tuple[_Lane, _Pending]]) -> None:
    """They go again, before whatever has come since, in their order."""
    for lane, pending in reversed(owners):
        lane.waiting.appendleft(pending)
