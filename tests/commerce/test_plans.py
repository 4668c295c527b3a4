"""The plans MongoDB makes for the questions of lists and hot paths: an index each, and no sorting in memory."""

from __future__ import annotations

from typing import Any

import pytest

from octshop_rt.commerce.catalog.store import PRODUCTS, SKUS
from octshop_rt.commerce.inventory.store import STOCK
from octshop_rt.commerce.order.store import GROUPS, ORDERS
from octshop_rt.commerce.shop.store import BRANCHES, SETTINGS, SHOPS, TILLS
from octshop_rt.core.mongo import Collection, Database

NEWEST = [("_id", -1)]
OLDEST = [("_id", 1)]
QUESTIONS: list[tuple[Collection[Any], dict[str, Any], list[tuple[str, int]] | None]] = [
    (ORDERS, {"buyer_id": "U", "_id": {"$lt": "O"}}, NEWEST),
    (ORDERS, {"buyer_id": "U", "state": {"$in": ["done", "expired"]}, "_id": {"$lt": "O"}}, NEWEST),
    (ORDERS, {"buyer_id": "U", "_id": {"$in": ["O", "P"]}}, OLDEST),
    (ORDERS, {"shop_id": "S", "_id": {"$lt": "O"}}, NEWEST),
    (ORDERS, {"shop_id": "S", "buyer_id": "U", "_id": {"$lt": "O"}}, NEWEST),
    (ORDERS, {"buyer_id": "U", "state": "unpaid"}, None),
    (ORDERS, {"payment_state": "unpaid", "pay_until": {"$lt": 1}}, None),
    (ORDERS, {"_id": "O", "buyer_id": "U", "payment_state": "unpaid"}, None),
    (GROUPS, {"buyer_id": "U", "request_id": "r"}, None),
    (PRODUCTS, {"listing": "listed", "_id": {"$gt": "G"}}, OLDEST),
    (PRODUCTS, {"listing": "listed", "shop_id": {"$in": ["S"]}, "$or": [{"title": {"$regex": "a"}}]}, OLDEST),
    (SKUS, {"product_id": "G"}, OLDEST),
    (STOCK, {"product_id": {"$in": ["G", "H"]}}, None),
    (STOCK, {"_id": "K", "available": {"$gte": 1}, "entries.order_id": {"$ne": "O"}}, None),
    (SHOPS, {"open": True, "_id": {"$gt": "S"}}, OLDEST),
    (SHOPS, {"open": True, "city": "杭州"}, OLDEST),
    (BRANCHES, {"shop_id": "S"}, [("shop_id", 1)]),
    (TILLS, {"_id": "T", "shop_id": "S"}, None),
    (SETTINGS, {"scope": "platform"}, [("version", -1)]),
]


def stages(plan: Any) -> set[str]:
    """Names of all stages of a plan, but not of rejected ones."""
    if isinstance(plan, list):
        return set[str]().union(*(stages(one) for one in plan)) if plan else set()
    if not isinstance(plan, dict):
        return set()
    own = {plan["stage"]} if "stage" in plan else set[str]()
    return own.union(*(stages(value) for key, value in plan.items() if key != "rejectedPlans"))


@pytest.mark.parametrize(("collection", "query", "sort"), QUESTIONS, ids=lambda one: getattr(one, "name", ""))
async def test_an_index_answers(
    db: Database, collection: Collection[Any], query: dict[str, Any], sort: list[tuple[str, int]] | None
) -> None:
    cursor = db.raw(collection).find(query)
    if sort is not None:
        cursor = cursor.sort(sort)
    used = stages((await cursor.explain())["queryPlanner"]["winningPlan"])
    assert not used & {"COLLSCAN", "SORT"}, used


async def test_the_nearest_shops_come_from_the_map_index(db: Database) -> None:
    # req 15.5
    near = {"type": "Point", "coordinates": [120.1, 30.2]}
    raw = db.raw(SHOPS)
    stage = {
        "near": near,
        "distanceField": "d",
        "key": "point",
        "query": {"open": True, "certification": "certified"},
        "spherical": True,
    }
    plan = await raw.database.command(
        "aggregate", raw.name, pipeline=[{"$geoNear": stage}, {"$limit": 20}], explain=True
    )
    assert "GEO_NEAR_2DSPHERE" in stages(plan["stages"])
