"""Tracked tasks: a mutation once begun runs to its end, whatever happens to the connection that asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from octshop_rt.core.errors import DomainError

T = TypeVar("T")

log = structlog.get_logger(__name__)


class TaskRegistry:
    """Holds running mutations so that a client's disconnect cannot cancel a commit, and shutdown can wait for them.

    PyMongo marks a cancelled commit as committed locally without retry or abort, so cancellation must never reach it.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._awaited: set[asyncio.Task[Any]] = set()  # somebody is told how these end

    def __len__(self) -> int:
        return len(self._running)

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str | None = None) -> asyncio.Task[T]:
        """Start `work` as a tracked task. Its failure is logged: nobody else may ever hear of it."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def run(self, work: Coroutine[Any, Any, T], *, name: str | None = None) -> T:
        """Await `work`; if the caller is cancelled meanwhile, `work` goes on."""
        task = self.spawn(work, name=name)
        self._awaited.add(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._awaited.discard(task)
            raise

    async def drain(self, *, seconds: float) -> int:
        """Wait up to `seconds` for what still runs; returns how many were left and have been cancelled."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=seconds)
        left = set(self._running)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1)
        return len(left)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        awaited = task in self._awaited
        self._awaited.discard(task)
        if task.cancelled() or (fault := task.exception()) is None:
            return
        if awaited:
            log.debug("tracked task failed", task=task.get_name(), fault=repr(fault))
        elif isinstance(fault, DomainError):  # refused, or the store was away: whoever began it has a net
            log.warning("tracked task failed", task=task.get_name(), fault=repr(fault))
        else:
            log.error("tracked task failed", task=task.get_name(), exc_info=fault)


async def end(*loops: asyncio.Task[Any]) -> None:
    """Cancel tasks that run for ever and wait until they have ended.

    They are told more than once: `asyncio.wait_for` of CPython 3.11, through which PyMongo hears every answer, loses a
    cancellation that comes in the same turn as the answer, and the loop would go on (seen: a desk that never stopped).
    """
    left = {loop for loop in loops if not loop.done()}
    while left:
        for loop in left:
            loop.cancel()
        _, left = await asyncio.wait(left, timeout=1)
