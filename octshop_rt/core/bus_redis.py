"""The bus over Redis pub/sub: at most once, and honest about gaps.

Redis forgets a message that nobody is connected for, so every reconnect is a gap. A frozen Redis closes nothing, so
each bus sends itself a beat through the whole path and takes silence for a gap, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import cast

import structlog
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from octshop_rt.core.bus import LocalBus, Receive, Unsubscribe
from octshop_rt.core.clock import monotonic_ms
from octshop_rt.core.redis import RedisClients
from octshop_rt.core.tasks import end

log = structlog.get_logger(__name__)

_BEAT_MS = 2_000
_SILENCE_MS = 5_000
_AGAIN_SECONDS = 1.0
_SENDER = 8  # bytes of a bus's own mark before each payload
_LOST = (RedisError, OSError, TimeoutError)


class RedisBus:
    """See Bus. Receivers in this process are called at once, without Redis; others through it.

    While Redis is away, receivers here still hear this process, publishing to others is dropped, and the gap
    callbacks are called about once a second: whoever must know looks at the truth instead.
    """

    def __init__(self, clients: RedisClients, prefix: str = "octshop:") -> None:
        self._clients = clients
        self._prefix = prefix
        self._here = LocalBus()
        self._channels: set[str] = set()
        self._gaps: list[Callable[[], None]] = []
        self._mark = secrets.token_bytes(_SENDER)
        self._beat = f"{prefix}beat:{self._mark.hex()}"
        self._heard_at = 0
        self._pubsub: PubSub | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._writing: set[asyncio.Task[None]] = set()
        self.connected = False
        self.dropped = 0  # publishes that Redis did not take, for the figures

    async def start(self) -> None:
        """Connect in the background; returns once the first subscription stands or has failed."""
        loop = asyncio.get_running_loop()
        first: asyncio.Future[None] = loop.create_future()
        self._tasks = [loop.create_task(self._listen(first)), loop.create_task(self._beats())]
        await first

    async def stop(self) -> None:
        """Hear and send nothing more."""
        await end(*self._tasks)
        self._tasks = []

    async def publish(self, channel: str, payload: bytes) -> None:
        """See Bus."""
        await self._here.publish(channel, payload)
        await self._send(self._prefix + channel, payload)

    def subscribe(self, channel: str, receive: Receive) -> Unsubscribe:
        """See Bus."""
        undo = self._here.subscribe(channel, receive)
        if channel not in self._channels:
            self._channels.add(channel)
            if self._pubsub is not None:
                task = asyncio.get_running_loop().create_task(self._add(self._pubsub, channel))
                self._writing.add(task)
                task.add_done_callback(self._writing.discard)
        return undo

    def on_gap(self, callback: Callable[[], None]) -> Unsubscribe:
        """See Bus."""
        self._gaps.append(callback)
        return lambda: self._gaps.remove(callback)

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _send(self, name: str, payload: bytes) -> None:
        try:
            await self._clients.once.execute_command("PUBLISH", name, self._mark + payload)  # pyright: ignore[reportUnknownMemberType]  (untyped there)
        except _LOST as fault:
            self.dropped += 1
            log.debug("bus: publish dropped", channel=name, fault=repr(fault))

    async def _add(self, pubsub: PubSub, channel: str) -> None:
        with contextlib.suppress(*_LOST):  # the listener notices and subscribes to everything anew
            await pubsub.subscribe(self._prefix + channel)

    async def _listen(self, first: asyncio.Future[None]) -> None:
        while True:
            pubsub = PubSub(self._clients.once.connection_pool, ignore_subscribe_messages=True)
            try:
                await pubsub.subscribe(self._beat, *(self._prefix + channel for channel in self._channels))
                self._pubsub = pubsub
                self._heard_at = monotonic_ms()
                self.connected = True
                if first.done():
                    self._gap()
                else:
                    first.set_result(None)
                await self._receive(pubsub)
            except _LOST as fault:
                if self.connected or not first.done():  # told once, not every second
                    log.warning("bus: Redis is away", fault=repr(fault))
            finally:
                failed = not self.connected  # a connection that stood is tried again at once
                self.connected = False
                self._pubsub = None
                with contextlib.suppress(*_LOST):
                    await pubsub.aclose()
            if not first.done():
                first.set_result(None)
            self._gap()
            await asyncio.sleep(_AGAIN_SECONDS if failed else 0.05)

    async def _receive(self, pubsub: PubSub) -> None:
        before = len(self._prefix)
        while True:
            message = cast("dict[str, bytes] | None", await pubsub.get_message(timeout=1))
            if monotonic_ms() - self._heard_at > _SILENCE_MS:
                raise TimeoutError("own beat not heard")
            if message is None:
                continue
            name, data = message["channel"], message["data"]
            if name == self._beat.encode():
                self._heard_at = monotonic_ms()
            elif data[:_SENDER] != self._mark:
                try:
                    await self._here.publish(name.decode()[before:], data[_SENDER:])
                except Exception:
                    log.exception("bus: a receiver failed")  # its mistake must not deafen the others

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_MS / 1000)
            await self._send(self._beat, b"")

    def _gap(self) -> None:
        for callback in tuple(self._gaps):
            callback()
