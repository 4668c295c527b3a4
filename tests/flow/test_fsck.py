"""fsck across domains: a whole purchase is clean, and each planted contradiction between two domains is named."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from msgspec import structs

from octshop_rt.commerce.bill import store as bills
from octshop_rt.commerce.ledger import store as books
from octshop_rt.commerce.order import store as orders
from octshop_rt.commerce.payment import store as payments
from octshop_rt.commerce.payment.model import Fact
from octshop_rt.core.mongo import Collection, Database
from octshop_rt.verify import store as vouchers
from tests.flow.house import House, fresh
from tests.flow.test_main_job import check_out, pay, until
from tests.flow.test_main_job import vouchers as issued

Plant = Callable[[Database], Awaitable[object]]


async def purchase(house: House) -> None:
    """Two pieces bought and paid, one used; and a sale at the till."""
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
        await clerk.sign_in("staff", "13900000004")
        code = house.sandbox.bank.new_code().auth_code
        wish = {"request_id": fresh(), "amount_fen": 500, "auth_code": code}
        charge = await clerk.post(f"/shop/{house.shop_id}/tills/{house.till_id}/charges", wish)
        assert charge["state"] == "paid"


async def paid_twice(db: Database) -> None:
    """As nothing else of it would betray: another payment, attempt, fact and posting for the same order."""
    (first,) = [one for one in await payments.PAYMENTS.many(db, {}) if one.parts[0].subject.startswith("order:")]
    (attempt,) = await payments.ATTEMPTS.many(db, {"payment_id": first.id})
    await payments.PAYMENTS.insert(db, structs.replace(first, id="Y2", paid_attempt_id="A2"))
    again = structs.replace(attempt, id="A2", payment_id="Y2", transaction_id="420002")
    await payments.ATTEMPTS.insert(db, again)
    fact = Fact(id=f"wechat:{again.account_id}:420002:payment", attempt_id="A2", learned_at=1, source="query")
    await payments.FACTS.insert(db, fact)
    journal = await books.by_ref(db, f"payment:{attempt.id}")
    assert journal is not None
    await books.JOURNALS.insert(db, structs.replace(journal, id="J2", ref="payment:A2"))


async def voucher_from_nowhere(db: Database) -> None:
    one = (await vouchers.VOUCHERS.many(db, {}))[0]
    bare = {"uses_used": 0, "taken_fen": 0, "last_use": None, "state": "active", "index": 7}
    await vouchers.VOUCHERS.insert(
        db,
        structs.replace(one, id="V2", order_id="O2", line_id="L2", shop_id="SOTHER", number="1234567890123456", **bare),
    )


def credited_elsewhere(kind: str) -> Plant:
    """The sums are right; the money stands for another shop."""

    async def plant(db: Database) -> None:
        for one in [row for row in await books.JOURNALS.many(db, {}) if row.kind == kind]:
            moved = [
                structs.replace(entry, account=re.sub(r"(shop_pending):[^:]+", r"\1:SOTHER", entry.account))
                for entry in one.entries
            ]
            await books.JOURNALS.update(db, {"_id": one.id}, {"$set": {"entries": msgspec.to_builtins(moved)}})

    return plant


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
    "an order paid by two payments": ("F14p", paid_twice),
    "a payment for an order that is not there": ("F14p", lambda db: orders.ORDERS.delete(db, {})),
    "a subject nobody marked as paid": ("F36", lambda db: payments.SUBJECTS.delete(db, {})),
    "a returned bill without its refund": (
        "F35",
        lambda db: bills.BILLS.update(db, {}, {"$set": {"state": "returned"}}),
    ),
    "a bill of another amount": ("F35", lambda db: bills.BILLS.update(db, {}, {"$inc": {"amount_fen": 1}})),
    "a paid bill that is gone": ("F35", lambda db: bills.BILLS.delete(db, {})),
    "a voucher nobody bought": ("F54", voucher_from_nowhere),
    "a voucher of another buyer": (
        "F54",
        lambda db: vouchers.VOUCHERS.update(db, {}, {"$set": {"buyer_id": "UTHIEF"}}),
    ),
    "a voucher ended before its time": (
        "F50",
        lambda db: vouchers.VOUCHERS.update(db, {}, {"$set": {"state": "expired"}}),
    ),
    "a payment credited to another shop": ("F44", credited_elsewhere("payment")),
    "a write-off credited to another shop": ("F44", credited_elsewhere("write_off")),
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
        for collection in (
            *(books.JOURNALS, payments.PAYMENTS, payments.ATTEMPTS, payments.FACTS, payments.SUBJECTS),
            *(vouchers.REDEMPTIONS, vouchers.VOUCHERS, orders.ORDERS, bills.BILLS),
        )
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


async def test_an_open_trade_nobody_will_ask_about_is_named(one_node: House):
    # req issue 14
    from octshop_rt.core import outbox

    async with one_node.client() as cashier:
        await cashier.sign_in("staff", "13900000004")
        wish = {"request_id": fresh(), "amount_fen": 880}
        await cashier.post(f"/shop/{one_node.shop_id}/tills/{one_node.till_id}/charges", wish)
    assert await one_node.findings() == []
    db = one_node.nodes[0].foundation.db
    await outbox.ROWS.delete(db, {"state": "waiting", "type": "PaymentDoubt"})
    assert await one_node.findings() == []  # its expiry will ask
    await outbox.ROWS.delete(db, {"state": "waiting", "type": "PaymentExpired"})
    assert [finding.partition(" ")[0] for finding in await one_node.findings()] == ["F37"]
