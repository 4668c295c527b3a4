"""What is kept in memory by a key: made once; anew by word, after a gap and by looking; no more than so many."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping

import pytest

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.errors import Busy
from octshop_rt.core.kept import Kept


class Stored:
    """What would be stored: a number for each key."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.made: list[str] = []
        self.away = False

    async def make(self, key: str) -> str:
        if self.away:
            raise Busy
        self.made.append(key)
        return f"{key}{self.rows[key]}"

    async def outdated(self, things: Mapping[str, str]) -> list[str]:
        return [key for key, thing in things.items() if thing != f"{key}{self.rows[key]}"]


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def bus() -> LocalBus:
    return LocalBus()


@pytest.fixture
async def kept(stored: Stored, bus: LocalBus) -> AsyncIterator[Kept[str]]:
    one = Kept(bus, "changed", stored.make, stored.outdated, most=2, all_of="*")
    one.start()
    yield one
    await one.stop()


async def is_at_hand(kept: Kept[str], key: str, thing: str) -> None:
    async with asyncio.timeout(5):
        while kept.at_hand(key) != thing:
            await asyncio.sleep(0)


async def test_a_thing_is_made_once_and_anew_when_its_key_is_said(
    kept: Kept[str], stored: Stored, bus: LocalBus
) -> None:
    assert [await kept.get(key) for key in ("a", "b", "a")] == ["a0", "b0", "a0"]
    stored.rows.update("ab")
    await bus.publish("changed", b"a")
    await bus.publish("changed", b"c")  # of what nobody has asked for nothing is made
    await is_at_hand(kept, "a", "a1")
    assert (kept.at_hand("b"), stored.made) == ("b0", ["a", "b", "a"])


@pytest.mark.parametrize("by", ["everything", "gap", "look"])
async def test_all_are_made_anew(kept: Kept[str], stored: Stored, bus: LocalBus, by: str) -> None:
    for key in "ab":
        await kept.get(key)
    stored.rows.update("ab")
    if by == "everything":
        await bus.publish("changed", b"*")
    elif by == "gap":
        for lost in bus._gap:
            lost()
    else:
        await kept.look()
    await is_at_hand(kept, "a", "a1")
    await is_at_hand(kept, "b", "b1")


async def test_the_old_one_is_given_while_the_store_is_away(kept: Kept[str], stored: Stored, bus: LocalBus) -> None:
    await kept.get("a")
    stored.rows.update("a")
    stored.away = True
    await bus.publish("changed", b"a")
    for _ in range(20):
        await asyncio.sleep(0)
    assert await kept.get("a") == "a0"
    stored.away = False
    await bus.publish("changed", b"a")  # whoever renews has not died of it
    await is_at_hand(kept, "a", "a1")


async def test_the_oldest_makes_room(kept: Kept[str], stored: Stored) -> None:
    for key in ("a", "b", "b", "c"):
        await kept.get(key)
    assert (kept.at_hand("a"), kept.at_hand("b"), kept.at_hand("c")) == (None, "b0", "c0")
    assert stored.made == ["a", "b", "c"]
