"""Ctrl-C and SIGTERM: the first asks everything to stop in order and in time, the second ends at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from octshop_rt.core.clock import monotonic_ms

# make passes a signal on to its children, who had it from the terminal or the process group already.
SAME_WISH_MS = 1_000
STOP_SECONDS = 9  # promised: 10, for everything
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """An event set by the first signal. Children end with us (PR_SET_PDEATHSIG): a hard exit leaves nothing."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._first = 0
        loop = asyncio.get_running_loop()
        for one in SIGNALS:
            loop.add_signal_handler(one, self._on_signal)

    def _on_signal(self) -> None:
        if not self._asked.is_set():
            self._first = monotonic_ms()
            self.begin()
        elif monotonic_ms() - self._first > SAME_WISH_MS:
            os._exit(130)

    def begin(self) -> None:
        """Stop now. What is not done in time is left: whatever was answered is stored, and the next start heals."""
        if not self._asked.is_set():
            self._asked.set()
            asyncio.get_running_loop().call_later(STOP_SECONDS, os._exit, 1)

    async def asked(self) -> None:
        """Until somebody wants us to stop."""
        await self._asked.wait()


def run(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run `work` on uvloop where there is one."""
    try:
        import uvloop  # noqa: PLC0415  (not on every platform)
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work())
