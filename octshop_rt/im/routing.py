"""From a node to its own hub, and over the bus to those other nodes that have somebody listening. The bus may lose
anything: the log is the truth.

Each node has an inbox. Nodes announce which rooms they have people in (im/interest), so an entry is encoded once and
goes only where it is heard. Announcements are a moment late: what was said in the last two seconds is sent after to a
node that has just announced the room.

What was delivered here is remembered for a while as ranges per conversation, so that the net (conversation/net), which
reads the newest of the log every few seconds, can tell what the bus has lost and nobody else will send again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Raw, Struct

from octshop_rt.core.bus import NOTICE, NOTICES, Bus, Notice, Unsubscribe, batches, notices
from octshop_rt.core.clock import monotonic_ms
from octshop_rt.core.codec import Codec
from octshop_rt.core.errors import BadInput
from octshop_rt.core.tasks import end
from octshop_rt.im.hub import Hub
from octshop_rt.im.interest import BEAT_MS, Mine, Others, Rooms
from octshop_rt.im.wire.outgoing import Cur, Ent, NoticeOut, SignalOut

PARCELS = "im.parcels"
_MOST_WAITING = 10_000
_LATELY_MS = 2_000


class Routed(Struct, frozen=True):
    """An entry and the rooms it is heard in; `skip` is the link that gets SENT instead."""

    ent: Ent
    rooms: tuple[str, ...]
    skip: str = ""


class Hint(Struct, frozen=True):
    """A lossy frame and its rooms."""

    frame: Cur | SignalOut
    rooms: tuple[str, ...]
    skip: str = ""


class Arrival(Struct, frozen=True):
    """A device connected: its older links on other nodes give way."""

    person_id: str
    device: str
    link_id: str


class Parcel(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one node tells the others in one publish: entries and hints to an inbox, the rest to all. `wants` names
    nodes that should announce all their rooms.
    """

    node: str
    entries: list[Raw] = []  # Routed each, encoded once for all inboxes
    hints: list[Raw] = []  # Hint each
    arrivals: list[Arrival] = []
    rooms: list[Rooms] = []
    wants: list[str] = []


_parcels: Codec[Parcel] = Codec(Parcel)
_routed: Codec[Routed] = Codec(Routed)
_hints: Codec[Hint] = Codec(Hint)
_encoder = msgspec.msgpack.Encoder()


def inbox(node: str) -> str:
    """Where one node is told what only it needs to hear."""
    return f"{PARCELS}:{node}"


def watch_room(topic: str, object_id: str) -> str:
    """Where NOTICEs about one object are heard."""
    return f"n:{topic}:{object_id}"


class _Run:
    """Numbers of one conversation delivered here: first…last without a hole, and some beyond."""

    __slots__ = ("beyond", "first", "last")

    def __init__(self, s: int) -> None:
        self.first = s
        self.last = s
        self.beyond: set[int] = set()

    def add(self, s: int) -> None:
        if s == self.first - 1:
            self.first = s
        elif not self.first <= s <= self.last:
            self.beyond.add(s)
        while self.last + 1 in self.beyond:
            self.last += 1
            self.beyond.discard(self.last)

    def lacks(self, first: int, last: int) -> list[int]:
        return [s for s in range(first, last + 1) if not self.first <= s <= self.last and s not in self.beyond]


class Delivered:
    """What was delivered here, kept for one to two periods of `forget`."""

    def __init__(self) -> None:
        self._now: dict[str, _Run] = {}
        self._before: dict[str, _Run] = {}

    def add(self, c: str, s: int) -> None:
        run = self._now.get(c)
        if run is None:
            run = self._before.get(c)
            if run is None:
                run = _Run(s)
            self._now[c] = run
        run.add(s)

    def lacks(self, c: str, first: int, last: int) -> list[int]:
        """Numbers of first…last that were not delivered here lately."""
        run = self._now.get(c) or self._before.get(c)
        return list(range(first, last + 1)) if run is None else run.lacks(first, last)

    def forget(self) -> None:
        """Called once a period: what was quiet for a whole period is let go."""
        self._before, self._now = self._now, {}


class Router:
    """Delivers here at once and publishes to the nodes that listen, several turns of the loop in one publish."""

    def __init__(self, bus: Bus, hub: Hub, node: str) -> None:
        self._bus = bus
        self._hub = hub
        self._node = node
        self._mine = Mine(node)
        self._others = Others()
        self.delivered = Delivered()
        self._on_entry: Callable[[str, int], None] = lambda _c, _s: None
        self._on_arrival: Callable[[Arrival], None] = lambda _: None
        self._out: list[Routed | Hint] = []
        self._arrivals: list[Arrival] = []
        self._whole = False
        self._wants: list[str] = []
        self._lately: deque[tuple[int, Routed]] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._undo: list[Unsubscribe] = []
        hub.on_room = self._room

    def start(self, on_entry: Callable[[str, int], None], on_arrival: Callable[[Arrival], None]) -> None:
        """Listen. `on_entry(c, s)` hears of entries other nodes appended, `on_arrival` of devices elsewhere."""
        self._on_entry = on_entry
        self._on_arrival = on_arrival
        self._undo = [
            self._bus.subscribe(PARCELS, self._parcel),
            self._bus.subscribe(inbox(self._node), self._parcel),
            self._bus.subscribe(NOTICE, self._notice),
            self._bus.subscribe(NOTICES, self._batch),
            self._bus.on_gap(self._others.doubt),
        ]
        self._beating = asyncio.get_running_loop().create_task(self._beat())

    async def stop(self) -> None:
        """Stop listening; what is on its way out goes out."""
        for undo in self._undo:
            undo()
        self._undo = []
        if self._beating is not None:
            await end(self._beating)
        if self._sender is not None:
            await asyncio.wait({self._sender}, timeout=2)

    def entries(self, routed: Sequence[Routed]) -> None:
        """Entries this node has appended, or has found in the log on its own."""
        now = monotonic_ms()
        for one in routed:
            self.here(one)
            self._lately.append((now, one))
        while self._lately and now - self._lately[0][0] > _LATELY_MS:
            self._lately.popleft()
        self._post(routed)

    def here(self, one: Routed) -> int:
        """Deliver in this node alone."""
        self.delivered.add(one.ent.c, one.ent.s)
        return self._hub.entry(one.ent, one.rooms, one.skip)

    def hint(self, hint: Hint) -> None:
        """A lossy frame, here and elsewhere."""
        self._hub.hint(hint.frame, hint.rooms, hint.skip)
        self._post([hint])

    def arrived(self, arrival: Arrival) -> None:
        """Tell the other nodes."""
        self._arrivals.append(arrival)
        self._kick()

    def holds(self, rooms: Sequence[str]) -> bool:
        """Whether somebody here listens in any of `rooms`."""
        return self._mine.holds(rooms)

    def anywhere(self, rooms: Sequence[str]) -> bool:
        """Whether somebody listens in any of `rooms` on any node; a node that is not known for sure may have them."""
        return self._mine.holds(rooms) or bool(self._others.interested(rooms))

    # --- out ----------------------------------------------------------------------------------------------------------

    def _room(self, room: str, there: bool) -> None:
        self._mine.room(room, there)
        self._kick()

    def _post(self, items: Sequence[Routed | Hint]) -> None:
        if not self._others.names():
            return
        if len(self._out) > _MOST_WAITING:  # the bus hangs: the net of the other nodes finds the entries
            self._out.clear()
        self._out.extend(items)
        self._kick()

    def _kick(self) -> None:
        if self._undo and (self._sender is None or self._sender.done()):
            self._sender = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while self._out or self._arrivals or self._wants or self._whole or self._mine.changed:
            arrivals, self._arrivals = self._arrivals, []
            wants, self._wants = self._wants, []
            rooms = [self._mine.whole()] if self._whole else [self._mine.news()] if self._mine.changed else []
            self._whole = False
            if arrivals or wants or rooms:
                await self._publish(PARCELS, Parcel(node=self._node, arrivals=arrivals, rooms=rooms, wants=wants))
            items, self._out = self._out, []
            await self._to_inboxes(items)

    async def _to_inboxes(self, items: Sequence[Routed | Hint]) -> None:
        parcels: dict[str, Parcel] = {}
        for item in items:
            nodes = self._others.interested(item.rooms)
            encoded = Raw(_encoder.encode(item)) if nodes else Raw()
            for node in nodes:
                parcel = parcels.setdefault(node, Parcel(node=self._node, entries=[], hints=[]))
                (parcel.entries if isinstance(item, Routed) else parcel.hints).append(encoded)
        for node, parcel in parcels.items():
            await self._publish(inbox(node), parcel)

    async def _publish(self, channel: str, parcel: Parcel) -> None:
        await self._bus.publish(channel, _parcels.msgpack(parcel))

    async def _beat(self) -> None:
        """A node that has just started knows nobody, and nobody knows it: it says everything and hears the answers."""
        self._whole = True
        while True:
            self._kick()
            await asyncio.sleep(BEAT_MS / 1000)
            self._others.forget(monotonic_ms())
            if not self._mine.changed:
                await self._publish(PARCELS, Parcel(node=self._node, rooms=[self._mine.news()]))

    # --- in -----------------------------------------------------------------------------------------------------------

    def _parcel(self, _channel: str, payload: bytes) -> None:
        try:
            parcel = _parcels.from_msgpack(payload)
            entries = [_routed.from_msgpack(bytes(raw)) for raw in parcel.entries]
            hints = [_hints.from_msgpack(bytes(raw)) for raw in parcel.hints]
        except BadInput:  # a newer node's parcel: the net delivers what it held
            return
        if parcel.node == self._node:
            return
        for one in entries:
            self._on_entry(one.ent.c, one.ent.s)
            self.here(one)
        for hint in hints:
            self._hub.hint(hint.frame, hint.rooms, hint.skip)
        for arrival in parcel.arrivals:
            self._on_arrival(arrival)
        for rooms in parcel.rooms:
            self._rooms_elsewhere(rooms)
        if self._node in parcel.wants:
            self._whole = True
            self._kick()

    def _rooms_elsewhere(self, told: Rooms) -> None:
        if self._others.take(told, monotonic_ms()):
            self._wants.append(told.node)
            self._kick()
        fresh = set(told.enter)
        after = [
            one for at, one in self._lately if monotonic_ms() - at <= _LATELY_MS and not fresh.isdisjoint(one.rooms)
        ]
        if after:
            self._post(after)

    def _notice(self, _channel: str, payload: bytes) -> None:
        try:
            notice = notices.from_msgpack(payload)
        except BadInput:
            return
        self._show(notice)

    def _batch(self, _channel: str, payload: bytes) -> None:
        try:
            batch = batches.from_msgpack(payload)
        except BadInput:
            return
        for notice in batch.many:
            self._show(notice)

    def _show(self, notice: Notice) -> None:
        frame = NoticeOut(topic=notice.topic, id=notice.id, rev=notice.rev, d=notice.d)
        self._hub.hint(frame, (watch_room(notice.topic, notice.id),))
