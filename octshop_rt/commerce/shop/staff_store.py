"""Rows of grants (database `mall`), kept by person: that is how the doors ask."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.commerce.shop.staff_model import GrantRow
from octshop_rt.core.mongo import Collection, Place, index

GRANTS = Collection(
    "mall",
    "grants",
    GrantRow,
    indexes=[
        index("person_id", "shop_id", "branch_id", "role", unique=True),
        index("shop_id", "person_id"),
    ],
    shard_key=("person_id",),
)


async def of_person(at: Place, person_id: str) -> list[GrantRow]:
    """All grants of a person, in the order they were given."""
    return await GRANTS.many(at, {"person_id": person_id}, sort=[("_id", 1)])


async def of_shop(at: Place, shop_id: str) -> list[GrantRow]:
    """All grants at a shop."""
    return await GRANTS.many(at, {"shop_id": shop_id}, sort=[("person_id", 1)])


async def add(at: Place, row: GrantRow) -> None:
    """DuplicateKey if the person has this role there already."""
    await GRANTS.insert(at, row)


async def remove(at: Place, person_id: str, grant_id: str) -> bool:
    """Take one grant away."""
    return await GRANTS.delete(at, {"_id": grant_id, "person_id": person_id}) == 1


def all_grants(at: Place) -> AsyncIterator[GrantRow]:
    """For fsck."""
    return GRANTS.scan(at, {})
