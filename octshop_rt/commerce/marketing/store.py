"""Rows of campaigns and of the coupons claimed from them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from octshop_rt.commerce.marketing.model import (
    COUPON,
    Campaign,
    CampaignText,
    Counts,
    Coupon,
    CouponState,
    Step,
    Tab,
)
from octshop_rt.core.clock import Millis
from octshop_rt.core.mongo import Collection, Database, Transaction, index

CAMPAIGNS = Collection(
    "trading",
    "campaigns",
    Campaign,
    indexes=[index("shop_id", "request_id", unique=True), index("shop_id", "-_id")],
    shard_key=("shop_id",),
)
COUPONS = Collection(
    "trading",
    "coupons",
    Coupon,
    indexes=[
        index("buyer_id", "request_id", unique=True),
        index("buyer_id", "campaign_id", "nth", unique=True),
        index("buyer_id", "order_id", unique=True, partial={"order_id": {"$gt": ""}}),
        index("buyer_id", "-_id"),
        index("buyer_id", "state", "shop_id"),
        index("campaign_id", "state"),
    ],
    shard_key=("buyer_id",),
)


async def campaign(at: Database | Transaction, campaign_id: str) -> Campaign | None:
    return await CAMPAIGNS.one(at, {"_id": campaign_id})


async def campaign_by_request(at: Database | Transaction, shop_id: str, request_id: str) -> Campaign | None:
    return await CAMPAIGNS.one(at, {"shop_id": shop_id, "request_id": request_id})


async def campaigns_of(at: Database | Transaction, shop_id: str, limit: int) -> list[Campaign]:
    """Newest first."""
    return await CAMPAIGNS.many(at, {"shop_id": shop_id}, sort=[("_id", -1)], limit=limit)


async def claimable_of(at: Database | Transaction, shop_id: str, now: Millis, limit: int) -> list[Campaign]:
    """Those that can be claimed now or soon, newest first."""
    query = {"shop_id": shop_id, "paused": False, "claim_until": {"$gt": now}}
    return await CAMPAIGNS.many(at, query, sort=[("_id", -1)], limit=limit)


async def count_campaigns(at: Database | Transaction, shop_id: str) -> int:
    return await CAMPAIGNS.count(at, {"shop_id": shop_id})


async def add_campaign(at: Database | Transaction, row: Campaign) -> None:
    """DuplicateKey if the request made one before."""
    await CAMPAIGNS.insert(at, row)


async def rewrite(at: Database | Transaction, row: Campaign, text: CampaignText, *, unclaimed: bool) -> Campaign | None:
    """Set what the shop wrote. With `unclaimed` only while nobody has claimed."""
    query: dict[str, Any] = {"_id": row.id, "shop_id": row.shop_id, "claimed": {"$lte": text.total}}
    if unclaimed:
        query["claimed"] = 0
    fields = {name: getattr(text, name) for name in CampaignText.__struct_fields__}
    return await CAMPAIGNS.change(at, query, {"$set": msgspec.to_builtins(fields)})


async def set_paused(at: Database | Transaction, shop_id: str, campaign_id: str, *, paused: bool) -> Campaign | None:
    return await CAMPAIGNS.change(at, {"_id": campaign_id, "shop_id": shop_id}, {"$set": {"paused": paused}})


async def take_one(at: Transaction, campaign_id: str, now: Millis) -> Campaign | None:
    """Count one more claim, if it may be claimed now and one is left. The judge of every race.

    The row comes back as it is at that moment: an edit of what it promises cannot slip in between.
    """
    query = {
        "_id": campaign_id,
        "paused": False,
        "claim_from": {"$lte": now},
        "claim_until": {"$gt": now},
        "$expr": {"$lt": ["$claimed", "$total"]},
    }
    return await CAMPAIGNS.change(at, query, {"$inc": {"claimed": 1}})


async def add_coupon(at: Transaction, row: Coupon) -> None:
    """DuplicateKey if the request or the buyer's nth of this campaign exists."""
    await COUPONS.insert(at, row)


async def coupon_by_request(at: Database | Transaction, buyer_id: str, request_id: str) -> Coupon | None:
    return await COUPONS.one(at, {"buyer_id": buyer_id, "request_id": request_id})


async def count_of(at: Database | Transaction, buyer_id: str, campaign_id: str) -> int:
    return await COUPONS.count(at, {"buyer_id": buyer_id, "campaign_id": campaign_id})


async def by_ids(at: Database | Transaction, buyer_id: str, coupon_ids: Sequence[str]) -> list[Coupon]:
    return await COUPONS.many(at, {"buyer_id": buyer_id, "_id": {"$in": list(coupon_ids)}})


async def in_hand(
    at: Database | Transaction, buyer_id: str, shop_ids: Sequence[str], now: Millis, limit: int
) -> list[Coupon]:
    """Those a checkout may speak of: of these shops, not used, not over. The soonest to end first."""
    query = {
        "buyer_id": buyer_id,
        "state": {"$in": [CouponState.UNUSED, CouponState.HELD]},
        "shop_id": {"$in": list(shop_ids)},
        "valid_until": {"$gte": now},
    }
    return await COUPONS.many(at, query, sort=[("valid_until", 1), ("_id", 1)], limit=limit)


async def of_buyer(
    at: Database | Transaction,
    buyer_id: str,
    *,
    tab: Tab | None,
    now: Millis,
    before: str | None,
    limit: int,
) -> list[Coupon]:
    """Newest first. `tab` usable is what is in hand: also what is not valid yet or held by an unpaid order."""
    query: dict[str, Any] = {"buyer_id": buyer_id}
    if tab == "used":
        query["state"] = CouponState.USED
    elif tab == "expired":
        query |= {"state": CouponState.UNUSED, "valid_until": {"$lt": now}}
    elif tab == "usable":
        query["$or"] = [{"state": CouponState.HELD}, {"state": CouponState.UNUSED, "valid_until": {"$gte": now}}]
    if before is not None:
        query["_id"] = {"$lt": before}
    return await COUPONS.many(at, query, sort=[("_id", -1)], limit=limit)


async def claims_of(at: Database | Transaction, buyer_id: str, shop_id: str) -> Mapping[str, int]:
    """How many coupons of each campaign of the shop the buyer has claimed."""
    pipeline = [
        {"$match": {"buyer_id": buyer_id, "shop_id": shop_id}},
        {"$group": {"_id": "$campaign_id", "n": {"$sum": 1}}},
    ]
    return {str(doc["_id"]): int(doc["n"]) for doc in await COUPONS.aggregate(at, pipeline)}


async def counts(at: Database | Transaction, campaign_ids: Sequence[str]) -> Mapping[str, Counts]:
    """Held and used of each campaign."""
    pipeline = [
        {"$match": {"campaign_id": {"$in": list(campaign_ids)}, "state": {"$in": ["held", "used"]}}},
        {"$group": {"_id": {"campaign": "$campaign_id", "state": "$state"}, "n": {"$sum": 1}}},
    ]
    found: dict[str, dict[str, int]] = {}
    for doc in await COUPONS.aggregate(at, pipeline):
        found.setdefault(doc["_id"]["campaign"], {})[doc["_id"]["state"]] = int(doc["n"])
    return {campaign_id: Counts(held=one.get("held", 0), used=one.get("used", 0)) for campaign_id, one in found.items()}


async def of_order(at: Database | Transaction, buyer_id: str, order_id: str) -> Coupon | None:
    return await COUPONS.one(at, {"buyer_id": buyer_id, "order_id": order_id})


async def move(at: Transaction, row: Coupon, step: Step, order_id: str | None) -> bool:
    """Take a coupon one step further if it is still as read. Nobody else writes its state."""
    query = {
        "_id": row.id,
        "buyer_id": row.buyer_id,
        "state": {"$in": [one for one in COUPON.sources(CouponState(step.after)) if one == step.before]},
        "order_id": row.order_id,
    }
    update = {"$set": {"state": step.after, "order_id": order_id}, "$push": {"history": msgspec.to_builtins(step)}}
    return await COUPONS.update(at, query, update) == 1


async def every_campaign(at: Database | Transaction) -> AsyncIterator[Campaign]:
    async for row in CAMPAIGNS.scan(at, {}):
        yield row


async def every_coupon(at: Database | Transaction) -> AsyncIterator[Coupon]:
    async for row in COUPONS.scan(at, {}):
        yield row


async def count_claimed(at: Database | Transaction, campaign_id: str) -> int:
    return await COUPONS.count(at, {"campaign_id": campaign_id})
