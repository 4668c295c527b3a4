"""fsck of orders and stock finds what was broken by hand, each check its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from octshop_rt.commerce.inventory.checks import CHECKS as STOCK_CHECKS
from octshop_rt.commerce.inventory.store import STOCK
from octshop_rt.commerce.order.checks import CHECKS as ORDER_CHECKS
from octshop_rt.commerce.order.store import GROUPS, ORDERS
from octshop_rt.core.fsck import examine
from tests.commerce.conftest import Mall

Change = Mapping[str, Any]
ORDER_DAMAGE: list[tuple[str, Change]] = [
    ("F10", {"$set": {"payment_state": "closed"}}),
    ("F10", {"$set": {"state": "done"}}),
    ("F10", {"$set": {"history.1.before": "closed"}}),
    ("F11", {"$inc": {"payable_fen": 1}}),
    ("F11", {"$inc": {"lines.0.payable_fen": 1}}),
    ("F12", {"$set": {"group_id": "Z"}}),
    ("F13", {"$set": {"payment_state": "unpaid"}}),
    ("F14", {"$set": {"payment_id": None}}),
    ("F14p", {"$set": {"memo": "paid by no payment at all"}}),
    ("F21", {"$inc": {"lines.0.quantity": 1}}),
]
STOCK_DAMAGE: list[tuple[str, Change]] = [
    ("F20", {"$inc": {"available": 1}}),
    ("F20", {"$push": {"entries": {"order_id": "O", "pieces": 1}}}),
    ("F21", {"$push": {"entries": {"order_id": "O", "pieces": 1}}, "$inc": {"reserved": 1, "available": -1}}),
    ("F21", {"$inc": {"sold": -1, "available": 1}}),
    ("F22", {"$set": {"available": -1}}),
]


async def found_by(mall: Mall) -> set[str]:
    names: set[str] = set()
    for check in (*ORDER_CHECKS, *STOCK_CHECKS):
        try:
            report = await examine(mall.db, [check])
        except Exception:
            assert check.id != "F22"  # the others cannot even decode such a row
            continue
        names |= {finding.check for finding in report.findings}
    return names


async def a_paid_order(mall: Mall) -> str:
    cup, _ = await mall.put_on_sale(await mall.open_shop())
    (order,) = (await mall.buy(mall.buyer(), [(cup, 2)])).orders
    await mall.tell(mall.succeeded(order))
    await mall.assert_clean()
    return order.id


@pytest.mark.parametrize(("check", "change"), ORDER_DAMAGE)
async def test_damage_to_an_order_is_found(mall: Mall, check: str, change: Change) -> None:
    order_id = await a_paid_order(mall)
    assert await ORDERS.update(mall.db, {"_id": order_id}, change) == 1
    assert check in await found_by(mall)


@pytest.mark.parametrize(("check", "change"), STOCK_DAMAGE)
async def test_damage_to_stock_is_found(mall: Mall, check: str, change: Change) -> None:
    await a_paid_order(mall)
    sku_id = next(row.id for row in await STOCK.many(mall.db, {"product_id": {"$gt": ""}}) if row.sold)
    assert await STOCK.update(mall.db, {"_id": sku_id}, change) == 1
    assert check in await found_by(mall)


async def test_a_reservation_lost_and_a_request_that_lost_its_order_are_found(mall: Mall) -> None:
    cup, _ = await mall.put_on_sale(await mall.open_shop())
    (order,) = (await mall.buy(mall.buyer(), [(cup, 2)])).orders
    await STOCK.update(mall.db, {"_id": cup.id}, {"$set": {"entries": [], "reserved": 0, "available": 10}})
    assert "F21" in await found_by(mall)
    await ORDERS.delete(mall.db, {"_id": order.id})
    assert await GROUPS.count(mall.db, {"buyer_id": order.buyer_id}) == 1
    assert "F12" in await found_by(mall)
