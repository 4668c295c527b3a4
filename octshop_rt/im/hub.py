"""Fan-out in this node: rooms of links. A frame is encoded and framed once per encoding; nobody waits for anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from octshop_rt.core.clock import monotonic_ms
from octshop_rt.im.wire.codec import Encoding, encode, message
from octshop_rt.im.wire.outgoing import Ent, Outgoing


class Link(Protocol):
    """A connection as the hub sees it. Neither method may wait or raise."""

    id: str
    encoding: Encoding

    def entry(self, c: str, s: int, framed: bytes, now: int) -> None:
        """Write an entry, or remember that it is owed. `now`: monotonic milliseconds, read once for everybody."""

    def hint(self, framed: bytes) -> None:
        """Write a lossy frame, or drop it when the link is slow."""


_NOBODY: Mapping[str, Link] = {}


class Framed:
    """One frame, encoded on first use for each encoding."""

    __slots__ = ("_bytes", "frame")

    def __init__(self, frame: Outgoing) -> None:
        self.frame = frame
        self._bytes: dict[Encoding, bytes] = {}

    def of(self, encoding: Encoding) -> bytes:
        """The whole WebSocket message."""
        made = self._bytes.get(encoding)
        if made is None:
            made = self._bytes[encoding] = message(encode(self.frame, encoding), encoding)
        return made


class Hub:
    """Who is where in this node. Rooms exist while somebody is in them."""

    def __init__(self) -> None:
        self.on_room: Callable[[str, bool], None] = lambda _room, _there: None  # the first came, the last left
        self._rooms: dict[str, dict[str, Link]] = {}
        self._of: dict[str, set[str]] = {}

    def enter(self, link: Link, rooms: Iterable[str]) -> None:
        """Hear what is said in `rooms` from now on."""
        mine = self._of.setdefault(link.id, set())
        for room in rooms:
            mine.add(room)
            there = self._rooms.get(room)
            if there is None:
                there = self._rooms[room] = {}
                self.on_room(room, True)
            there[link.id] = link

    def leave(self, link: Link, rooms: Iterable[str] | None = None) -> None:
        """Leave `rooms`, or all of them for good."""
        mine = self._of.get(link.id, set())
        for room in list(mine if rooms is None else rooms):
            mine.discard(room)
            there = self._rooms.get(room)
            if there is not None:
                there.pop(link.id, None)
                if not there:
                    del self._rooms[room]
                    self.on_room(room, False)
        if not mine:
            self._of.pop(link.id, None)

    def rooms_of(self, link: Link) -> frozenset[str]:
        """Where `link` is."""
        return frozenset(self._of.get(link.id, ()))

    def links(self, rooms: Iterable[str]) -> Iterable[Link]:
        """Everyone in any of `rooms`, once; those who come or go meanwhile change nothing."""
        met: dict[str, Link] = {}
        for room in rooms:
            met.update(self._rooms.get(room, _NOBODY))
        return met.values()

    def entry(self, ent: Ent, rooms: Iterable[str], skip: str = "") -> int:
        """An entry of the log to everyone in `rooms` but the link `skip`; how many were told."""
        framed, now = Framed(ent), monotonic_ms()
        told = 0
        for link in self.links(rooms):
            if link.id != skip:
                link.entry(ent.c, ent.s, framed.of(link.encoding), now)
                told += 1
        return told

    def hint(self, frame: Outgoing, rooms: Iterable[str], skip: str = "") -> None:
        """A lossy frame to everyone in `rooms` but the link `skip`."""
        framed = Framed(frame)
        for link in self.links(rooms):
            if link.id != skip:
                link.hint(framed.of(link.encoding))
