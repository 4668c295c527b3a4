"""fsck of marketing: claims counted, shares kept, lives as declared (F130-F132). Orders check their side themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import Struct

from octshop_rt.commerce.marketing import rules, store
from octshop_rt.commerce.marketing.model import CouponState
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database


async def claims(db: Database) -> AsyncIterator[Finding]:
    async for row in store.every_campaign(db):
        there = await store.count_claimed(db, row.id)
        fresh = await store.campaign(db, row.id)  # claims go on while this looks: both ends of the moment are asked
        if fresh is not None and not row.claimed <= there <= fresh.claimed:
            yield Finding(check="F130", object_id=row.id, expected=f"{fresh.claimed} coupons", found=str(there))
        if row.claimed > row.total:
            yield Finding(check="F130", object_id=row.id, expected=f"at most {row.total}", found=str(row.claimed))


async def shares(db: Database) -> AsyncIterator[Finding]:
    campaigns = {row.id: row async for row in store.every_campaign(db)}
    async for coupon in store.every_coupon(db):
        campaign = campaigns.get(coupon.campaign_id) or await store.campaign(db, coupon.campaign_id)
        if campaign is None or campaign.shop_id != coupon.shop_id or coupon.nth > campaign.per_buyer:
            found = "no such campaign" if campaign is None else f"number {coupon.nth} of {campaign.shop_id}"
            yield Finding(check="F131", object_id=coupon.id, expected=coupon.campaign_id, found=found)


async def replay(db: Database) -> AsyncIterator[Finding]:
    async for coupon in store.every_coupon(db):
        try:
            told = rules.replayed(coupon)
        except ValueError as fault:
            yield Finding(check="F132", object_id=coupon.id, expected="declared steps", found=str(fault))
            continue
        if told != coupon.state:
            yield Finding(check="F132", object_id=coupon.id, expected=told, found=coupon.state)
        if (coupon.order_id is None) != (coupon.state is CouponState.UNUSED):
            yield Finding(check="F132", object_id=coupon.id, expected=coupon.state, found=f"order {coupon.order_id}")


class OnOrder(Struct, frozen=True):
    """A coupon that an order holds or has used."""

    coupon_id: str
    buyer_id: str
    order_id: str
    state: CouponState


async def on_orders(db: Database) -> AsyncIterator[OnOrder]:
    """Every such coupon. For the checks of orders against coupons."""
    async for coupon in store.every_coupon(db):
        if coupon.order_id is not None:
            yield OnOrder(coupon.id, coupon.buyer_id, coupon.order_id, coupon.state)


async def on_order(db: Database, buyer_id: str, order_id: str) -> OnOrder | None:
    """The coupon that this order holds or has used, asked anew."""
    coupon = await store.of_order(db, buyer_id, order_id)
    return None if coupon is None else OnOrder(coupon.id, buyer_id, order_id, coupon.state)


CHECKS: tuple[Check, ...] = (
    Check(id="F130", text="a campaign counts the coupons there are, and no more than its total", run=claims),
    Check(id="F131", text="nobody has more coupons of a campaign than one person may", run=shares),
    Check(id="F132", text="a coupon's history, replayed along the table, gives its state", run=replay),
)
