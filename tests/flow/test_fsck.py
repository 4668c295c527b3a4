"""fsck across domains: a whole purchase is clean, and each planted contradiction between two domains is named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from octshop_rt.commerce.ledger import store as books
from octshop_rt.commerce.order import store as orders
from octshop_rt.commerce.payment import store as payments
from octshop_rt.core.mongo import Collection, Database
from octshop_rt.verify import store as vouchers
from tests.flow.house import House, fresh
from tests.flow.test_main_job import check_out, pay, until
from tests.flow.test_main_job import vouchers as issued

Plant = Callable[[Database], Awaitable[object]]


async def purchase(house: House) -> None:
    """Two pieces bought and paid, one used."""
    async with house.client() as buyer, house.client() as clerk:
        await buyer.sign_in("buyer", "13800000001")
        await clerk.sign_in("staff", "13900000003")
        bought = await check_out(buyer, house)
        order_id = bought["orders"][0]["id"]
        await pay(buyer, house, order_id)
        voucher = (await issued(buyer, order_id))[0]
        body = {"request_id": fresh(), "text": voucher["typed_code"], "uses": 1}
        await clerk.post(f"/shop/{house.shop_id}/redemptions", body)
        await until(lambda: buyer.get(f"/buyer/orders/{order_id}"), lambda seen: seen["state"] == "partly_used")


PLANTS: dict[str, tuple[str, Plant]] = {
    "a payment without its posting": ("F44", lambda db: books.JOURNALS.delete(db, {"kind": "payment"})),
    "a posting of another amount": (
        "F44",
        lambda db: books.JOURNALS.update(
            db, {"kind": "payment"}, {"$inc": {"entries.0.amount_fen": 1, "entries.1.amount_fen": 1}}
        ),
    ),
    "a posting whose attempt failed": (
        "F44",
        lambda db: payments.ATTEMPTS.update(db, {"state": "succeeded"}, {"$set": {"state": "failed"}}),
    ),
    "a write-off without its posting": ("F44", lambda db: books.JOURNALS.delete(db, {"kind": "write_off"})),
    "a posting without its redemption": ("F44", lambda db: vouchers.REDEMPTIONS.delete(db, {})),
    "a paid order without vouchers": ("F53", lambda db: vouchers.VOUCHERS.delete(db, {})),
    "a voucher of more uses than were bought": (
        "F53",
        lambda db: vouchers.VOUCHERS.update(db, {}, {"$inc": {"uses_total": 1}}),
    ),
    "an order that counts another number of uses": (
        "F53",
        lambda db: orders.ORDERS.update(db, {}, {"$inc": {"lines.0.uses_done": 1}}),
    ),
}


async def keep(db: Database, collection: Collection[Any]) -> Callable[[], Awaitable[None]]:
    """Remember all rows; the answer puts them back."""
    rows = await collection.many(db, {})

    async def put_back() -> None:
        await collection.delete(db, {})
        await collection.insert_many(db, rows)

    return put_back


async def test_each_contradiction_between_domains_is_named(one_node: House):
    # req issue 14, M5, LE6
    await purchase(one_node)
    assert await one_node.findings() == []
    db = one_node.nodes[0].foundation.db
    restore = [
        await keep(db, collection)
        for collection in (books.JOURNALS, payments.ATTEMPTS, vouchers.REDEMPTIONS, vouchers.VOUCHERS, orders.ORDERS)
    ]
    for story, (check, plant) in PLANTS.items():
        await plant(db)
        found = await one_node.findings()
        assert any(finding.startswith(f"{check} ") for finding in found), f"{story}: {found}"
        for put_back in restore:
            await put_back()
        assert await one_node.findings() == [], story


@pytest.mark.parametrize("kind", ["OrderPaid", "VoucherUsed"])
async def test_what_is_under_way_is_no_violation(one_node: House, kind: str):
    from octshop_rt.core import outbox

    await purchase(one_node)
    assert await one_node.findings() == []
    db = one_node.nodes[0].foundation.db
    if kind == "OrderPaid":
        await vouchers.VOUCHERS.delete(db, {})
        await vouchers.REDEMPTIONS.delete(db, {})
    else:
        await books.JOURNALS.delete(db, {"kind": "write_off"})
    expected = {"OrderPaid": "F53", "VoucherUsed": "F44"}[kind]
    assert any(finding.startswith(expected) for finding in await one_node.findings())
    await outbox.ROWS.update(db, {"type": kind}, {"$set": {"state": "waiting", "due_at": 2**52}})
    assert not [
        finding
        for finding in await one_node.findings()
        if finding.startswith(expected) and "a redemption" not in finding
    ]
