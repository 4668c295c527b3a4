"""Proves passwords: parameters, a bounded pool that refuses instead of queueing on, equal cost for strangers."""

from __future__ import annotations

import asyncio
import statistics
import time

import pytest
from argon2 import PasswordHasher

from octshop_rt.core.auth.model import SignInBusy
from octshop_rt.core.auth.passwords import QUEUE, Passwords


async def test_parameters_and_rehash() -> None:
    passwords = Passwords()
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "correct horsf")
    assert not await passwords.verify("no hash at all", "x")
    assert not passwords.outdated(stored)
    assert passwords.outdated(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("x"))
    passwords.close()


async def test_strangers_cost_the_same_and_are_never_right() -> None:
    passwords = Passwords(threads=1)
    stored = await passwords.hash("correct horse")
    assert not await passwords.verify(None, "nobody has this password")
    spent: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(15):
        for known in (True, False):
            began = time.process_time()
            await passwords.verify(stored if known else None, "wrong password")
            spent[known].append(time.process_time() - began)
    ratio = statistics.median(spent[True]) / statistics.median(spent[False])
    assert 0.6 < ratio < 1.6, ratio
    passwords.close()


async def test_more_than_the_queue_holds_is_refused_and_the_loop_stays_free() -> None:  # issue 7
    passwords = Passwords(threads=2)
    stored = await passwords.hash("correct horse")
    ticks = 0

    async def probe() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    probing = asyncio.create_task(probe())
    answers = await asyncio.gather(
        *(passwords.verify(stored, "correct horse") for _ in range(100)), return_exceptions=True
    )
    probing.cancel()
    assert answers.count(True) == QUEUE + 2
    busy = [one for one in answers if isinstance(one, SignInBusy)]
    assert len(busy) == 100 - QUEUE - 2
    assert busy[0].status == 429
    assert ticks >= 5  # a loop that hashes by itself would not have turned once
    assert await passwords.verify(stored, "correct horse")  # room again
    passwords.close()


async def test_a_caller_that_gives_up_leaves_no_seat_taken() -> None:
    passwords = Passwords(threads=1, queue=1)
    stored = await passwords.hash("correct horse")
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await passwords.verify(stored, "x")
    await asyncio.sleep(0.3)
    assert await passwords.verify(stored, "correct horse")
    passwords.close()
