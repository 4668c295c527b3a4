"""From a node to its own hub and to the others over the bus. The bus may lose anything: the log is the truth.

What was delivered here is remembered for a while as ranges per conversation, so that the net (conversation/net), which
reads the newest of the log every few seconds, can tell what the bus has lost and nobody else will send again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct

from octshop_rt.core.bus import NOTICE, Bus, Unsubscribe, notices
from octshop_rt.core.codec import Codec
from octshop_rt.core.errors import BadInput
from octshop_rt.im.hub import Hub
from octshop_rt.im.wire.outgoing import Cur, Ent, NoticeOut, SignalOut

PARCELS = "im.parcels"
_MOST_WAITING = 10_000


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
    """What one node tells the others in one publish."""

    node: str
    entries: list[Routed] = []
    hints: list[Hint] = []
    arrivals: list[Arrival] = []


_parcels: Codec[Parcel] = Codec(Parcel)


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
    """Delivers here at once and publishes to the other nodes, several turns of the loop in one publish."""

    def __init__(self, bus: Bus, hub: Hub, node: str) -> None:
        self._bus = bus
        self._hub = hub
        self._node = node
        self.delivered = Delivered()
        self._on_entry: Callable[[str, int], None] = lambda _c, _s: None
        self._on_arrival: Callable[[Arrival], None] = lambda _: None
        self._out: list[Routed | Hint | Arrival] = []
        self._sender: asyncio.Task[None] | None = None
        self._undo: list[Unsubscribe] = []

    def start(self, on_entry: Callable[[str, int], None], on_arrival: Callable[[Arrival], None]) -> None:
        """Listen. `on_entry(c, s)` hears of entries other nodes appended, `on_arrival` of devices elsewhere."""
        self._on_entry = on_entry
        self._on_arrival = on_arrival
        self._undo = [
            self._bus.subscribe(PARCELS, self._parcel),
            self._bus.subscribe(NOTICE, self._notice),
        ]

    async def stop(self) -> None:
        """Stop listening; what is on its way out goes out."""
        for undo in self._undo:
            undo()
        self._undo = []
        if self._sender is not None:
            await asyncio.wait({self._sender}, timeout=2)

    def entries(self, routed: Sequence[Routed]) -> None:
        """Entries this node has appended, or has found in the log on its own."""
        for one in routed:
            self.here(one)
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
        self._post([arrival])

    # --- the bus ------------------------------------------------------------------------------------------------------

    def _post(self, items: Sequence[Routed | Hint | Arrival]) -> None:
        if len(self._out) > _MOST_WAITING:  # the bus hangs: the net of the other nodes finds the entries
            self._out.clear()
        self._out.extend(items)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while self._out:
            items, self._out = self._out, []
            parcel = Parcel(
                node=self._node,
                entries=[item for item in items if isinstance(item, Routed)],
                hints=[item for item in items if isinstance(item, Hint)],
                arrivals=[item for item in items if isinstance(item, Arrival)],
            )
            await self._bus.publish(PARCELS, _parcels.msgpack(parcel))

    def _parcel(self, _channel: str, payload: bytes) -> None:
        try:
            parcel = _parcels.from_msgpack(payload)
        except BadInput:  # a newer node's parcel: the net delivers what it held
            return
        if parcel.node == self._node:
            return
        for one in parcel.entries:
            self._on_entry(one.ent.c, one.ent.s)
            self.here(one)
        for hint in parcel.hints:
            self._hub.hint(hint.frame, hint.rooms, hint.skip)
        for arrival in parcel.arrivals:
            self._on_arrival(arrival)

    def _notice(self, _channel: str, payload: bytes) -> None:
        try:
            notice = notices.from_msgpack(payload)
        except BadInput:
            return
        frame = NoticeOut(topic=notice.topic, id=notice.id, rev=notice.rev, d=notice.d)
        self._hub.hint(frame, (watch_room(notice.topic, notice.id),))
