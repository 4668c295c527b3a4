"""Rows of the catalogue: products by shop and on sale, SKUs by product."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from octshop_rt.commerce.catalog.model import Listing, Product, Sku
from octshop_rt.core.mongo import Collection, Database, Transaction, index

PRODUCTS = Collection(
    "mall",
    "products",
    Product,
    indexes=[index("shop_id", "listing", "_id"), index("listing", "_id")],
    shard_key=("_id",),
)
SKUS = Collection("mall", "skus", Sku, indexes=[index("product_id", "_id")], shard_key=("_id",))


async def product(at: Database | Transaction, product_id: str) -> Product | None:
    return await PRODUCTS.one(at, {"_id": product_id})


async def products_of(at: Database | Transaction, product_ids: Sequence[str]) -> list[Product]:
    return await PRODUCTS.many(at, {"_id": {"$in": list(product_ids)}})


async def skus_of(at: Database | Transaction, product_id: str) -> list[Sku]:
    """In the order they were made."""
    return await SKUS.many(at, {"product_id": product_id}, sort=[("_id", 1)])


async def skus(at: Database | Transaction, sku_ids: Sequence[str]) -> list[Sku]:
    return await SKUS.many(at, {"_id": {"$in": list(sku_ids)}})


async def on_sale(
    at: Database | Transaction,
    *,
    shop_ids: Sequence[str] | None,
    words: str | None,
    after: str | None,
    limit: int,
) -> list[Product]:
    """Listed products of the given shops (or all) in the order of their birth.

    `words` is looked for in titles and tags by walking the index in order: right for thousands of products; the
    search engine of a larger mall replaces this one question.
    """
    query: dict[str, Any] = {"listing": Listing.LISTED}
    if shop_ids is not None:
        query["shop_id"] = {"$in": list(shop_ids)}
    if after is not None:
        query["_id"] = {"$gt": after}
    if words:
        pattern = {"$regex": re.escape(words), "$options": "i"}
        query["$or"] = [{"title": pattern}, {"subtitle": pattern}, {"tags": pattern}]
    return await PRODUCTS.many(at, query, sort=[("_id", 1)], limit=limit)


async def add(at: Transaction, row: Product, its_skus: Sequence[Sku]) -> None:
    """A product with its SKUs."""
    await PRODUCTS.insert(at, row)
    await SKUS.insert_many(at, its_skus)


async def move(at: Database | Transaction, product_id: str, sources: Sequence[str], target: Listing) -> bool:
    query = {"_id": product_id, "listing": {"$in": list(sources)}}
    return await PRODUCTS.update(at, query, {"$set": {"listing": target}}) == 1


async def retire(at: Database | Transaction, sku_id: str) -> bool:
    return await SKUS.update(at, {"_id": sku_id, "retired": False}, {"$set": {"retired": True}}) == 1
