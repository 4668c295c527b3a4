"""Loops end when they are told to, also those that do not hear it the first time."""

from __future__ import annotations

import asyncio

from octshop_rt.core.tasks import end


async def test_a_loop_that_loses_its_cancellation_is_told_again() -> None:
    heard = 0

    async def deaf() -> None:
        nonlocal heard
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                heard += 1
                if heard > 1:
                    raise

    one, two = (asyncio.get_running_loop().create_task(deaf()) for _ in range(2))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end(one, two)
    assert one.cancelled() or two.cancelled()
    assert one.done() and two.done()
    await end(one)  # twice is once
