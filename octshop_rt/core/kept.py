"""Things made from what is stored and kept in memory by a key, made anew when the bus says that they have changed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Generic, TypeVar

import structlog

from octshop_rt.core.bus import Bus, Unsubscribe
from octshop_rt.core.errors import DomainError
from octshop_rt.core.tasks import end

log = structlog.get_logger(__name__)

LOOK_S = 20  # how long a change may stay unseen when the bus has lost the word of it

Thing = TypeVar("Thing")


class Kept(Generic[Thing]):
    """`get` does not wait once a thing is here. A word on `channel` (the payload is its key; `all_of`: every key) or a
    gap of the bus has it made again by `make(key)`, behind the back of those who ask: they get the old one until then.
    What no word was heard of, `outdated(things)` names. `start` and `stop` with the loop.
    """

    def __init__(
        self,
        bus: Bus,
        channel: str,
        make: Callable[[str], Awaitable[Thing]],
        outdated: Callable[[Mapping[str, Thing]], Awaitable[Iterable[str]]],
        *,
        most: int,
        all_of: str = "",
    ) -> None:
        self._bus = bus
        self._channel = channel
        self._make = make
        self._outdated = outdated
        self._most = most
        self._all_of = all_of
        self._things: dict[str, Thing] = {}
        self._stale: set[str] = set()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._undo: list[Unsubscribe] = []

    def start(self) -> None:
        """Hear of changes, and look for those that were not heard of."""
        self._undo = [self._bus.subscribe(self._channel, self._changed), self._bus.on_gap(self._doubt)]
        self._task = asyncio.get_running_loop().create_task(self._renew())

    async def stop(self) -> None:
        """Hear no more."""
        for undo in self._undo:
            undo()
        if self._task is not None:
            await end(self._task)

    def at_hand(self, key: str) -> Thing | None:
        """If it is here."""
        return self._things.get(key)

    async def get(self, key: str) -> Thing:
        """From memory after the first time."""
        return self._things.get(key) or await self.anew(key)

    async def anew(self, key: str) -> Thing:
        """From what is stored now. `make` reads the revision first, so the next look finds what changes meanwhile."""
        self._stale.discard(key)
        thing = await self._make(key)
        if len(self._things) >= self._most and key not in self._things:
            del self._things[next(iter(self._things))]
        self._things[key] = thing
        return thing

    async def look(self) -> None:
        """Make anew what is older than what is stored."""
        self._stale.update(await self._outdated(self._things))
        await self._again()

    async def _again(self) -> None:
        for key in list(self._stale):
            await self.anew(key)

    def _changed(self, _channel: str, payload: bytes) -> None:
        key = payload.decode("ascii", "replace")
        self._stale.update(self._things if key == self._all_of else {key} & self._things.keys())
        self._woken.set()

    def _doubt(self) -> None:
        self._stale.update(self._things)
        self._woken.set()

    async def _renew(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_S)
            heard = self._woken.is_set()
            self._woken.clear()
            try:
                await (self._again() if heard else self.look())
            except DomainError as fault:
                log.warning("what is kept stays as it was", of=self._channel, fault=str(fault))
