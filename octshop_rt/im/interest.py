"""Which rooms the other nodes have people in, by what they announce. Pure: no bus, no clock of its own.

Every node numbers its announcements 1, 2, 3… and repeats the last number in its beat, so that a lost one is noticed
within a beat. Until the whole is known again, a node counts as interested in everything: the bus may cost a little
more, it may never cost a message its push.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

BEAT_MS = 2_000
DEAD_MS = 10_000  # a node that has been silent for this long is sent nothing more


class Rooms(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a node announces: rooms it has entered and left since its announcement before, or all of them (`whole`)."""

    node: str
    serial: int
    enter: list[str] = []
    leave: list[str] = []
    whole: bool = False


class _Node:
    __slots__ = ("heard_at", "rooms", "serial", "sure")

    def __init__(self, now: int) -> None:
        self.rooms: set[str] = set()
        self.serial = 0
        self.sure = False
        self.heard_at = now


class Mine:
    """The rooms of this node and the announcements that say so."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._rooms: set[str] = set()
        self._enter: set[str] = set()
        self._leave: set[str] = set()
        self._serial = 0

    @property
    def changed(self) -> bool:
        """Whether there is something to announce."""
        return bool(self._enter or self._leave)

    def room(self, name: str, there: bool) -> None:
        """The first link has entered a room, or the last has left it."""
        if there:
            self._rooms.add(name)
            self._leave.discard(name)
            self._enter.add(name)
        else:
            self._rooms.discard(name)
            self._enter.discard(name)
            self._leave.add(name)

    def holds(self, rooms: Iterable[str]) -> bool:
        """Whether somebody here is in any of `rooms`."""
        return any(room in self._rooms for room in rooms)

    def news(self) -> Rooms:
        """What has changed since the last announcement; without news a beat that repeats the serial."""
        if self.changed:
            self._serial += 1
        told = Rooms(node=self._node, serial=self._serial, enter=sorted(self._enter), leave=sorted(self._leave))
        self._enter, self._leave = set(), set()
        return told

    def whole(self) -> Rooms:
        """Everything, for a node that has lost count."""
        self._serial += 1
        self._enter, self._leave = set(), set()
        return Rooms(node=self._node, serial=self._serial, enter=sorted(self._rooms), whole=True)


class Others:
    """The other nodes, as far as they have been heard."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}

    def take(self, told: Rooms, now: int) -> bool:
        """Note an announcement; True if this node must be asked for the whole."""
        node = self._nodes.get(told.node)
        if node is None:
            node = self._nodes[told.node] = _Node(now)
        node.heard_at = now
        if told.whole:
            if told.serial >= node.serial:
                node.rooms, node.serial, node.sure = set(told.enter), told.serial, True
            return not node.sure
        following = bool(told.enter or told.leave)
        if told.serial != node.serial + following:
            node.sure = False
        if told.serial >= node.serial:
            node.serial = told.serial
            node.rooms.update(told.enter)
            node.rooms.difference_update(told.leave)
        return not node.sure

    def doubt(self) -> None:
        """The bus was away: nothing that is known may be relied on."""
        for node in self._nodes.values():
            node.sure = False

    def interested(self, rooms: Iterable[str]) -> list[str]:
        """Nodes that have, or may have, somebody in any of `rooms`."""
        asked = tuple(rooms)
        return [name for name, node in self._nodes.items() if not node.sure or any(one in node.rooms for one in asked)]

    def forget(self, now: int) -> None:
        """Let go of nodes that have fallen silent."""
        for name in [name for name, node in self._nodes.items() if now - node.heard_at > DEAD_MS]:
            del self._nodes[name]

    def names(self) -> list[str]:
        """The nodes that live, as far as one knows."""
        return list(self._nodes)
