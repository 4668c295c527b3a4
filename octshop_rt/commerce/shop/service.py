"""Use cases of shops: look at them, find the nearest, certify them, set their business settings."""

from __future__ import annotations

from octshop_rt.commerce.shop import store
from octshop_rt.commerce.shop.model import (
    CERTIFICATION,
    Branch,
    Certification,
    GeoPoint,
    Merchant,
    NearbyShop,
    Shop,
    Till,
)
from octshop_rt.commerce.shop.policy import PLATFORM_SCOPE, Policy, PolicyDocument, PolicyPatch, over, resolve
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import Busy, NotFound
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey

PAGE = 20
MOST_SKIPPED = 1_000


class ShopService:
    """Shops as buyers see them and as the other domains need them."""

    def __init__(self, db: Database, clock: Clock, ids: Ids) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids

    async def shop(self, shop_id: str) -> Shop:
        """NotFound if there is none."""
        found = await store.shop(self._db, shop_id)
        if found is None:
            raise NotFound
        return found

    async def shops(self, shop_ids: set[str]) -> dict[str, Shop]:
        """Those of `shop_ids` that exist."""
        return {one.id: one for one in await store.shops_of(self._db, sorted(shop_ids))}

    async def branches(self, shop_id: str) -> list[Branch]:
        """Stores of a shop."""
        return await store.branches_of(self._db, shop_id)

    async def tills(self, shop_id: str) -> list[Till]:
        """Counters of a shop."""
        return await store.tills_of(self._db, shop_id)

    async def till(self, shop_id: str, till_id: str) -> Till:
        """NotFound if the shop has no such counter."""
        found = await store.till(self._db, shop_id, till_id)
        if found is None:
            raise NotFound
        return found

    async def find(
        self, *, city: str | None, place: GeoPoint | None, cursor: str | None
    ) -> tuple[list[NearbyShop], str | None]:
        """Open shops and the cursor of the next page: with a place the certified ones, nearest first; else by id."""
        if place is None:
            rows = await store.listed(self._db, city, cursor, PAGE + 1)
            page = [NearbyShop(shop=one, distance_m=None) for one in rows[:PAGE]]
            return page, rows[PAGE - 1].id if len(rows) > PAGE else None
        skip = min(int(cursor), MOST_SKIPPED) if cursor is not None and cursor.isdecimal() else 0
        near = await store.nearest(self._db, place, city, skip, PAGE + 1)
        return near[:PAGE], str(skip + PAGE) if len(near) > PAGE and skip + PAGE < MOST_SKIPPED else None

    async def certify(self, shop_id: str, target: Certification) -> None:
        """Move a shop's certification along its table; Busy when it is not where `target` may follow."""
        if not await store.certify(self._db, shop_id, CERTIFICATION.sources(target), target):
            raise Busy

    async def set_open(self, shop_id: str, *, is_open: bool) -> None:
        """Open the shop for orders or close it."""
        await store.set_open(self._db, shop_id, is_open=is_open)

    async def policy(self, shop_id: str) -> Policy:
        """What holds at the shop now."""
        return resolve(
            await store.newest_settings(self._db, PLATFORM_SCOPE), await store.newest_settings(self._db, shop_id)
        )

    async def set_policy(self, scope: str, patch: PolicyPatch, by: str) -> PolicyDocument:
        """Add the next version of the settings of `scope`: the last one under `patch`. Busy if another was faster."""
        newest = await store.newest_settings(self._db, scope)
        document = PolicyDocument(
            id=self._ids.new("Z"),
            scope=scope,
            version=newest.version + 1 if newest else 1,
            patch=over(patch, newest.patch if newest else None),
            by=by,
            created_at=self._clock.now(),
        )
        try:
            await store.add_settings(self._db, document)
        except DuplicateKey:
            raise Busy from None
        return document

    async def add(self, merchant: Merchant, shop: Shop, branches: list[Branch], tills: list[Till]) -> None:
        """Enter a shop with its stores and counters; adding what exists already changes nothing."""
        if await store.merchant(self._db, merchant.id) is None:
            await store.add_merchant(self._db, merchant)
        if await store.shop(self._db, shop.id) is None:
            await store.add_shop(self._db, shop)
        known_branches = {one.id for one in await store.branches_of(self._db, shop.id)}
        for branch in branches:
            if branch.id not in known_branches:
                await store.add_branch(self._db, branch)
        known_tills = {one.id for one in await store.tills_of(self._db, shop.id)}
        for till in tills:
            if till.id not in known_tills:
                await store.add_till(self._db, till)
