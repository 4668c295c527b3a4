"""Bus: lossy, fast messages between parts and nodes. The store is the truth; a lost message is found by looking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from octshop_rt.core.codec import Codec

Receive = Callable[[str, bytes], None]
Unsubscribe = Callable[[], None]


class Bus(Protocol):
    """Publish to whoever listens now, on this node and the others. At most once, order per publisher."""

    async def publish(self, channel: str, payload: bytes) -> None:
        """Send and forget: never raises because of a missing or broken medium."""

    def subscribe(self, channel: str, receive: Receive) -> Unsubscribe:
        """Call `receive(channel, payload)` for each message; it must not block."""
        ...

    def on_gap(self, callback: Callable[[], None]) -> Unsubscribe:
        """Call `callback` whenever messages may have been lost (a reconnect): look at the truth again."""
        ...


class LocalBus:
    """The in-process twin: one node needs no Redis."""

    def __init__(self) -> None:
        self._receivers: dict[str, list[Receive]] = {}
        self._gap: list[Callable[[], None]] = []

    async def publish(self, channel: str, payload: bytes) -> None:
        """Deliver at once, in this call."""
        for receive in tuple(self._receivers.get(channel, ())):
            receive(channel, payload)

    def subscribe(self, channel: str, receive: Receive) -> Unsubscribe:
        """See Bus."""
        self._receivers.setdefault(channel, []).append(receive)
        return lambda: self._receivers[channel].remove(receive)

    def on_gap(self, callback: Callable[[], None]) -> Unsubscribe:
        """Kept for the contract; nothing is lost in one process."""
        self._gap.append(callback)
        return lambda: self._gap.remove(callback)


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A hint that something changed; who hears it fetches the truth. `rev` grows with each change of the thing; NO_REV
    where the hint is of something else about it (a place, a message), which has no order with the thing's own changes.
    """

    topic: str
    id: str
    rev: int
    d: dict[str, Any] = {}


class Notices(msgspec.Struct, frozen=True, kw_only=True):
    """Many notices in one message, all about one thing (a shop's queue, say)."""

    about: str
    many: list[Notice]


NO_REV = 0
NOTICE = "notice"
NOTICES = "notices"
MOST_NOTICES = 500  # in one message: some 40 kB
notices: Codec[Notice] = Codec(Notice)
batches: Codec[Notices] = Codec(Notices)


async def notify(bus: Bus, notice: Notice) -> None:
    """Publish `notice` to every node; `im` forwards it to the sockets that watch the topic and id."""
    await bus.publish(NOTICE, notices.msgpack(notice))


async def notify_many(bus: Bus, about: str, many: Sequence[Notice]) -> None:
    """Publish many notices in as few messages as their number allows; each is forwarded as if it came alone."""
    for first in range(0, len(many), MOST_NOTICES):
        part = Notices(about=about, many=list(many[first : first + MOST_NOTICES]))
        await bus.publish(NOTICES, batches.msgpack(part))
