"""One timer for all sockets of a node: heartbeats in turn, and four times a second a look at who has drained."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from octshop_rt.core.clock import monotonic_ms
from octshop_rt.core.tasks import end
from octshop_rt.im.session import Closing
from octshop_rt.im.ws.connection import Connection
from octshop_rt.im.ws.standing import WARN_MS

log = structlog.get_logger(__name__)

_TICKS = 4  # a second
_CHECK_MS = 300_000  # a person is read again from the store at least this often


class Wheel:
    """A ring of one slot per second of the heartbeat; a socket beats when the hand reaches its slot.

    One task for all is a third of the cost of a timer per socket (measured with aiohttp's own: 114 µs a ping).
    """

    def __init__(
        self,
        seconds: int,
        owing: set[Connection],
        put_out: Callable[[Connection, Closing], None],
        recheck: Callable[[Connection], None],
    ) -> None:
        self._slots: list[set[Connection]] = [set() for _ in range(max(1, seconds))]
        self._of: dict[str, int] = {}
        self._owing = owing
        self._put_out = put_out
        self._recheck = recheck
        self._hand = 0
        self._doubt_at = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Turn."""
        self._task = asyncio.get_running_loop().create_task(self._turn())

    async def stop(self) -> None:
        """Stand still."""
        if self._task is not None:
            await end(self._task)

    def add(self, socket: Connection) -> None:
        """Its first beat comes a whole heartbeat from now; slots fill evenly because people come at all times."""
        slot = (self._hand - 1) % len(self._slots)
        self._slots[slot].add(socket)
        self._of[socket.id] = slot

    def remove(self, socket: Connection) -> None:
        """It is gone."""
        slot = self._of.pop(socket.id, None)
        if slot is not None:
            self._slots[slot].discard(socket)

    def doubt(self) -> None:
        """The bus was away: a revocation may have been lost, so everyone is checked at the next beat."""
        self._doubt_at = monotonic_ms()

    async def _turn(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(1 / _TICKS)
            ticks += 1
            for socket in list(self._owing):
                self._pay(socket)
            if ticks % _TICKS == 0:
                due = list(self._slots[self._hand])
                self._hand = (self._hand + 1) % len(self._slots)
                for socket in due:
                    self._beat(socket)

    def _pay(self, socket: Connection) -> None:
        try:
            if socket.pay():
                self._owing.discard(socket)
        except Closing as closing:
            self._put_out(socket, closing)

    def _beat(self, socket: Connection) -> None:
        try:
            socket.beat()
        except Closing as closing:
            self._put_out(socket, closing)
            return
        except Exception:
            log.exception("heartbeat failed")
            return
        now = monotonic_ms()
        doubtful = self._doubt_at >= socket.checked_at or now - socket.checked_at > _CHECK_MS
        if doubtful or socket.ends_at - now <= WARN_MS:
            self._recheck(socket)
