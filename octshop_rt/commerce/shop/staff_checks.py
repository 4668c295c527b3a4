"""fsck of grants: they name shops and branches that are there."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octshop_rt.commerce.shop import staff_store, store
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database


async def _grants_name_living_places(db: Database) -> AsyncIterator[Finding]:
    async for row in staff_store.all_grants(db):
        shop = await store.shop(db, row.shop_id)
        if shop is None or shop.merchant_id != row.merchant_id:
            yield Finding(
                check="F71",
                object_id=row.id,
                expected=f"shop {row.shop_id} of merchant {row.merchant_id}",
                found="no such shop" if shop is None else f"a shop of {shop.merchant_id}",
            )
        elif row.branch_id is not None:
            branches = {one.id for one in await store.branches_of(db, row.shop_id)}
            if row.branch_id not in branches:
                yield Finding(
                    check="F71", object_id=row.id, expected=f"branch {row.branch_id} of {shop.id}", found="none"
                )


CHECKS: tuple[Check, ...] = (
    Check(id="F71", text="Every grant names a living shop and branch of its merchant", run=_grants_name_living_places),
)
