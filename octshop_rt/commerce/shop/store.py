"""Rows of shops: merchants, shops, branches, tills, and the versioned business settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from octshop_rt.commerce.shop.model import Branch, Certification, GeoPoint, Merchant, NearbyShop, Shop, Till
from octshop_rt.commerce.shop.policy import PolicyDocument
from octshop_rt.core.mongo import Collection, Database, Transaction, index

MERCHANTS = Collection("mall", "merchants", Merchant, shard_key=("_id",))
SHOPS = Collection(
    "mall",
    "shops",
    Shop,
    indexes=[
        index("open", "_id"),
        index("open", "city", "_id"),
        index("point:2dsphere", "open", "city"),
        index("merchant_id"),
    ],
    shard_key=("_id",),
)
BRANCHES = Collection("mall", "branches", Branch, indexes=[index("shop_id")], shard_key=("shop_id",))
TILLS = Collection("mall", "tills", Till, indexes=[index("shop_id")], shard_key=("shop_id",))
SETTINGS = Collection(
    "common",
    "business_settings",
    PolicyDocument,
    indexes=[index("scope", "-version", unique=True)],
    shard_key=("scope",),
)


async def merchant(at: Database | Transaction, merchant_id: str) -> Merchant | None:
    return await MERCHANTS.one(at, {"_id": merchant_id})


async def shop(at: Database | Transaction, shop_id: str) -> Shop | None:
    return await SHOPS.one(at, {"_id": shop_id})


async def shops_of(at: Database | Transaction, shop_ids: Sequence[str]) -> list[Shop]:
    return await SHOPS.many(at, {"_id": {"$in": list(shop_ids)}})


async def branches_of(at: Database | Transaction, shop_id: str) -> list[Branch]:
    return await BRANCHES.many(at, {"shop_id": shop_id}, sort=[("shop_id", 1)])


async def tills_of(at: Database | Transaction, shop_id: str) -> list[Till]:
    return await TILLS.many(at, {"shop_id": shop_id}, sort=[("shop_id", 1)])


async def till(at: Database | Transaction, shop_id: str, till_id: str) -> Till | None:
    return await TILLS.one(at, {"_id": till_id, "shop_id": shop_id})


async def listed(at: Database | Transaction, city: str | None, after: str | None, limit: int) -> list[Shop]:
    """Open shops of a city (or of all) by id, for those who did not say where they are."""
    query: dict[str, Any] = {"open": True}
    if city is not None:
        query["city"] = city
    if after is not None:
        query["_id"] = {"$gt": after}
    return await SHOPS.many(at, query, sort=[("_id", 1)], limit=limit)


async def nearest(
    at: Database | Transaction, place: GeoPoint, city: str | None, skip: int, limit: int
) -> list[NearbyShop]:
    """Open, certified shops, the nearest first; the index on `point` answers."""
    query: dict[str, Any] = {"open": True, "certification": Certification.CERTIFIED}
    if city is not None:
        query["city"] = city
    docs = await SHOPS.aggregate(
        at,
        [
            {
                "$geoNear": {
                    "near": msgspec.to_builtins(place),
                    "distanceField": "distance",
                    "key": "point",
                    "query": query,
                    "spherical": True,
                }
            },
            {"$skip": skip},
            {"$limit": limit},
        ],
    )
    return [
        NearbyShop(shop=msgspec.convert({**doc, "id": doc["_id"]}, Shop), distance_m=round(doc["distance"]))
        for doc in docs
    ]


async def add_merchant(at: Database | Transaction, row: Merchant) -> None:
    await MERCHANTS.insert(at, row)


async def add_shop(at: Database | Transaction, row: Shop) -> None:
    await SHOPS.insert(at, row)


async def add_branch(at: Database | Transaction, row: Branch) -> None:
    await BRANCHES.insert(at, row)


async def add_till(at: Database | Transaction, row: Till) -> None:
    await TILLS.insert(at, row)


async def certify(at: Database | Transaction, shop_id: str, sources: Sequence[str], target: Certification) -> bool:
    """Move a shop's certification; False when it was in none of `sources`."""
    query = {"_id": shop_id, "certification": {"$in": list(sources)}}
    return await SHOPS.update(at, query, {"$set": {"certification": target}}) == 1


async def set_open(at: Database | Transaction, shop_id: str, *, is_open: bool) -> bool:
    return await SHOPS.update(at, {"_id": shop_id}, {"$set": {"open": is_open}}) == 1


async def newest_settings(at: Database | Transaction, scope: str) -> PolicyDocument | None:
    return await SETTINGS.one(at, {"scope": scope}, sort=[("version", -1)])


async def add_settings(at: Database | Transaction, row: PolicyDocument) -> None:
    """A new version; DuplicateKey if somebody else made that version first."""
    await SETTINGS.insert(at, row)
