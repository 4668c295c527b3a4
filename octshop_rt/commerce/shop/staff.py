"""Use cases of staff: give and take roles, say who holds a right at a shop, show a person its own grants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from octshop_rt.commerce.shop import staff_store, store
from octshop_rt.commerce.shop.staff_model import (
    RIGHTS,
    GrantRow,
    GrantView,
    NoSuchPlace,
    Role,
    TillView,
    grant_of,
)
from octshop_rt.core.auth.model import Grant, Right
from octshop_rt.core.clock import Clock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey


class StaffService:
    """Who works where, as what."""

    def __init__(self, db: Database, clock: Clock, ids: Ids) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._on_change: Callable[[str], Awaitable[object]] | None = None

    def on_change(self, callback: Callable[[str], Awaitable[object]]) -> None:
        """Called with the id of each person whose grants have changed: doors and sockets forget what they knew."""
        self._on_change = callback

    async def grants(self, person_id: str) -> tuple[Grant, ...]:
        """What a person may do, for the doors."""
        return tuple(grant_of(row) for row in await staff_store.of_person(self._db, person_id))

    async def views(self, person_id: str) -> list[GrantView]:
        """What a person may do, for its own pages: with names and counters."""
        rows = await staff_store.of_person(self._db, person_id)
        shops = {one.id: one for one in await store.shops_of(self._db, sorted({row.shop_id for row in rows}))}
        tills = {shop_id: await store.tills_of(self._db, shop_id) for shop_id in shops}
        return [
            GrantView(
                merchant_id=row.merchant_id,
                shop_id=row.shop_id,
                shop_name=shops[row.shop_id].name,
                branch_id=row.branch_id,
                role=row.role,
                rights=sorted(RIGHTS[row.role]),
                tills=[
                    TillView(id=till.id, name=till.name, branch_id=till.branch_id)
                    for till in tills[row.shop_id]
                    if row.branch_id in {None, till.branch_id}
                ],
            )
            for row in rows
            if row.shop_id in shops
        ]

    async def holders(self, shop_id: str, right: Right) -> list[str]:
        """Ids of the people who hold `right` at a shop."""
        rows = await staff_store.of_shop(self._db, shop_id)
        return sorted({row.person_id for row in rows if right in RIGHTS[row.role]})

    async def give(
        self, person_id: str, role: Role, shop_id: str, *, branch_id: str | None = None, by: str = "platform"
    ) -> None:
        """Give a role; giving it again changes nothing. NoSuchPlace for a shop or branch that is not there."""
        shop = await store.shop(self._db, shop_id)
        if shop is None:
            raise NoSuchPlace
        if branch_id is not None and branch_id not in {one.id for one in await store.branches_of(self._db, shop_id)}:
            raise NoSuchPlace
        row = GrantRow(
            id=self._ids.new("Z"),
            person_id=person_id,
            merchant_id=shop.merchant_id,
            shop_id=shop_id,
            branch_id=branch_id,
            role=role,
            granted_by=by,
            created_at=self._clock.now(),
        )
        try:
            await staff_store.add(self._db, row)
        except DuplicateKey:
            return
        await self._changed(person_id)

    async def take(self, person_id: str, role: Role, shop_id: str) -> int:
        """Take a role at a shop away, at all its branches; how many grants that were. Takes effect at once."""
        taken = 0
        for row in await staff_store.of_person(self._db, person_id):
            if row.role is role and row.shop_id == shop_id:
                taken += await staff_store.remove(self._db, person_id, row.id)
        if taken:
            await self._changed(person_id)
        return taken

    async def _changed(self, person_id: str) -> None:
        if self._on_change is not None:
            await self._on_change(person_id)
