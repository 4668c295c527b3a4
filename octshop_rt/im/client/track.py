"""What a client holds of one conversation: everything up to `shown` without a hole, and what waits above one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from octshop_rt.im.wire.outgoing import Ent


class Track:
    """Entries come in any order and any number of times; they leave once, in the order of their numbers.

    `shown` is None until a page of the log has said where this client begins. `read` is how far the person has come,
    `marked` how far the server has been told.
    """

    __slots__ = ("acked", "head", "marked", "read", "shown", "waiting")

    def __init__(self) -> None:
        self.shown: int | None = None
        self.head = 0
        self.acked = 0
        self.read = 0
        self.marked = 0
        self.waiting: dict[int, Ent] = {}

    def begin(self, ents: Sequence[Ent], head: int) -> list[Ent]:
        """A page of the newest entries: a client that holds nothing begins below it, and below whatever was pushed
        to it before. Returns what may be shown now.
        """
        if self.shown is None:
            self.shown = min([ent.s - 1 for ent in ents] + [s - 1 for s in self.waiting] + [head])
        self.head = max(self.head, head)
        return self.take(ents)

    def take(self, ents: Sequence[Ent]) -> list[Ent]:
        """Returns what may be shown now, in order."""
        for ent in ents:
            self.head = max(self.head, ent.s)
            if self.shown is None or ent.s > self.shown:
                self.waiting.setdefault(ent.s, ent)
        return self._leave()

    def hear(self, head: int) -> None:
        """The log has come this far."""
        self.head = max(self.head, head)

    def hole(self) -> tuple[int, int] | None:
        """The lowest run of missing numbers, first and last; None when nothing is missing."""
        if self.shown is None or self.shown >= self.head:
            return None
        return self.shown + 1, min(self.waiting, default=self.head + 1) - 1

    def _leave(self) -> list[Ent]:
        if self.shown is None:
            return []
        ready: list[Ent] = []
        for s in [s for s in self.waiting if s <= self.shown]:
            del self.waiting[s]
        while (ent := self.waiting.pop(self.shown + 1, None)) is not None:
            self.shown += 1
            ready.append(ent)
        return ready
