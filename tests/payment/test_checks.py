"""fsck of payments and bills finds what was planted: each check seen red once, and named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from octshop_rt.commerce.bill import checks as bill_checks
from octshop_rt.commerce.bill import store as bill_store
from octshop_rt.commerce.payment import checks, store
from octshop_rt.core import fsck
from octshop_rt.core.clock import Clock
from octshop_rt.events import RefundDue
from tests.payment.conftest import House

Plant = Callable[[House], Awaitable[Any]]


async def refund_grew(house: House) -> None:
    await store.REFUNDS.update(house.db, {}, {"$set": {"amount_fen": 1281}})


async def refund_names_nothing(house: House) -> None:
    await store.REFUNDS.update(house.db, {}, {"$set": {"subject": "order:O9"}})


async def change_attempt(house: House, method: str, **sets: Any) -> str:
    """Of the one attempt with this method; its payment's id."""
    (one,) = [row for row in await store.ATTEMPTS.many(house.db, {}) if row.method == method]
    await store.ATTEMPTS.update(house.db, {"_id": one.id}, {"$set": sets})
    return one.payment_id


async def surplus_kept(house: House) -> None:
    await change_attempt(house, "native", surplus=True)


async def notice_forgotten(house: House) -> None:
    await store.NOTICES.update(house.db, {}, {"$set": {"state": "received"}})


async def fact_gone(house: House) -> None:
    await store.FACTS.delete(house.db, {})


async def one_transaction_twice(house: House) -> None:
    (first, second) = await store.ATTEMPTS.many(house.db, {})
    change = {"$set": {"transaction_id": first.transaction_id}}
    await store.ATTEMPTS.update(house.db, {"_id": second.id}, change)


async def a_fen_less_came(house: House) -> None:
    await store.ATTEMPTS.update(house.db, {}, {"$inc": {"paid_fen": -1}})


async def part_lost(house: House) -> None:
    await store.PAYMENTS.update(house.db, {}, {"$set": {"parts.0.amount_fen": 1}})


async def paid_by_nobody(house: House) -> None:
    await change_attempt(house, "native", state="failed")


async def closed_over_an_open_attempt(house: House) -> None:
    payment_id = await change_attempt(house, "barcode", state="unknown")
    await store.PAYMENTS.update(house.db, {"_id": payment_id}, {"$set": {"state": "closed"}})


async def bill_forgot(house: House) -> None:
    await bill_store.BILLS.update(house.db, {}, {"$set": {"state": "open"}})


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (refund_grew, "F30"),
        (refund_names_nothing, "F30"),
        (surplus_kept, "F30"),
        (notice_forgotten, "F31"),
        (fact_gone, "F32"),
        (one_transaction_twice, "F32"),
        (a_fen_less_came, "F33"),
        (part_lost, "F33"),
        (paid_by_nobody, "F33"),
        (closed_over_an_open_attempt, "F34"),
        (bill_forgot, "F35"),
    ],
)
async def test_what_was_planted_is_found(house: House, plant: Plant, found: str) -> None:  # req 14
    view = await house.open()
    house.pay((await house.attempt(view.payment_id)).id)
    await house.deliver()
    await house.charge(500, house.code())
    due = RefundDue(refund_key="k1", payment_id=view.payment_id, subject="order:O1", amount_fen=280, reason="test")
    await house.db.transact(lambda tx: house.outbox.write(tx, due))
    await house.tick(8_000)
    await house.sound()
    await plant(house)
    report = await fsck.examine(house.db, (*checks.CHECKS, *bill_checks.CHECKS))
    assert found in {one.check for one in report.findings}


async def test_a_bill_whose_payment_came_a_moment_ago_is_not_found(house: House) -> None:  # its event is on its way
    charge = await house.charge(500, house.code())
    assert await f35(house) == [charge.id]
    payment = await house.payment(charge.payment_id)
    paid = f"history.{len(payment.history) - 1}.at"
    await store.PAYMENTS.update(house.db, {}, {"$set": {paid: Clock().now()}})
    assert await f35(house) == []


async def f35(house: House) -> list[str]:
    return [one.object_id async for one in bill_checks.follows_payment(house.db)]


async def test_a_notice_in_hand_is_not_found(house: House) -> None:
    view = await house.open()
    house.pay((await house.attempt(view.payment_id)).id)
    await house.deliver()
    await store.NOTICES.update(house.db, {}, {"$set": {"state": "received", "received_at": Clock().now()}})
    assert [one async for one in checks.notices_settled(house.db)] == []
