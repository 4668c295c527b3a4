"""The scenario every chat server is measured with: pairs that talk, in a closed loop or at a fixed rate."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from typing import Any, Protocol

TEXT = "x" * 100
_LATE_S = 30  # how long to wait for what was sent at a fixed rate and has not arrived


class LostError(Exception):
    """Something that was sent has not arrived."""


class Speaker(Protocol):
    """One side of a pair, of whatever server."""

    acked: dict[str, Any]  # by client id, once the server has answered
    got: dict[str, float]  # when the other's message arrived
    events: dict[str, asyncio.Event]  # set at either of the two

    def say(self, c: str, m: str) -> None:
        """Send TEXT under the client id `m` into the conversation `c`."""


Pair = tuple[Speaker, Speaker, str]


async def closed_loop(made: Sequence[tuple[Speaker, Speaker, str]], seconds: float) -> float:
    """Each pair in turn: the next line when the ack and the other side's copy are in. Acked sends a second."""
    until = time.perf_counter() + seconds

    async def talk(one: Speaker, two: Speaker, c: str) -> int:
        count = 0
        while time.perf_counter() < until:
            sender, receiver = (one, two) if count % 2 == 0 else (two, one)
            m = secrets.token_hex(8)
            acked, got = asyncio.Event(), asyncio.Event()
            sender.events[m], receiver.events[m] = acked, got
            sender.say(c, m)
            await acked.wait()
            await got.wait()
            del sender.events[m], receiver.events[m]
            count += 1
        return count

    started = time.perf_counter()
    counts = await asyncio.gather(*(talk(*pair) for pair in made))
    return sum(counts) / (time.perf_counter() - started)


async def open_loop(made: Sequence[tuple[Speaker, Speaker, str]], rate: float, seconds: float) -> list[float]:
    """`rate` sends a second whatever happens; milliseconds from the intended moment to the other side's copy."""
    intended: list[tuple[Speaker, str, float]] = []
    started = time.perf_counter()
    for n in range(int(rate * seconds)):
        moment = started + n / rate
        if (wait := moment - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        one, two, c = made[n * 7 % len(made)]
        sender, receiver = (one, two) if n % 2 == 0 else (two, one)
        m = secrets.token_hex(8)
        sender.say(c, m)
        intended.append((receiver, m, moment))
    for _ in range(_LATE_S * 20):
        if all(m in receiver.got for receiver, m, _ in intended):
            break
        await asyncio.sleep(0.05)
    lost = sum(m not in receiver.got for receiver, m, _ in intended)
    if lost:
        raise LostError(f"{lost} of {len(intended)} messages at {rate}/s did not arrive within {_LATE_S} s")
    return [(receiver.got[m] - moment) * 1000 for receiver, m, moment in intended]
