"""What a knock is: one request, with the names of the world's objects filled in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from tests.http.asked_back import ask, nothing_asked
from tests.http.world import World

MISSING = "Z00000000000000000000000000"


class Knock(msgspec.Struct, frozen=True, kw_only=True):
    """One request to be made by every principal. `fresh` makes body and path anew for each of them."""

    path: str
    body: Any = None
    data: bytes | None = None
    kind: str = ""


Make = Callable[[World, str], Awaitable[Knock]]


async def fresh(world: World, make: Make) -> None:
    """Things that a knock uses up are made anew before it."""
    told = spelled(make)
    if "fresh_charge" in told:
        world.ids["fresh_charge"] = await world.charge("owner", "S1", "T1")
    if "fresh_case" in told:
        world.ids["fresh_case"] = await world.case("buyer_a", "S1")
    for buyer in ("buyer_a", "buyer_b"):
        if f"fresh_asked_{buyer[-1]}" in told:
            world.ids[f"fresh_asked_{buyer[-1]}"] = await nothing_asked(world, buyer)
        if f"fresh_aftersale_{buyer[-1]}" in told:
            order_id = await nothing_asked(world, buyer)
            world.ids[f"fresh_aftersale_{buyer[-1]}"] = await ask(world, buyer, order_id)


def spelled(make: Make) -> str:
    """Path and body as they were written down, names and all."""
    return " ".join(str(cell.cell_contents) for cell in make.__closure__ or ())


def at(path: str, **body: Any) -> Make:
    """A fixed path; in path and body `@name` stands for the id of the world's object of that name."""

    async def make(world: World, who: str) -> Knock:
        return Knock(path=named(world, path), body=filled(world, body) if body else None)

    return make


def acting(path: str, **body: Any) -> Make:
    """As `at`, with a new request id each time."""

    async def make(world: World, who: str) -> Knock:
        return Knock(path=named(world, path), body={"request_id": world.request_id(), **filled(world, body)})

    return make


def named(world: World, text: str) -> str:
    return "/".join(_id(world, part) for part in text.split("/"))


def _id(world: World, part: str) -> str:
    if part == "@missing":
        return MISSING
    return world.ids.get(part[1:], world.people.get(part[1:], part)) if part.startswith("@") else part


def filled(world: World, body: Any) -> Any:
    if isinstance(body, dict):
        return {name: filled(world, value) for name, value in body.items()}
    if isinstance(body, list):
        return [filled(world, value) for value in body]
    return _id(world, body) if isinstance(body, str) else body
