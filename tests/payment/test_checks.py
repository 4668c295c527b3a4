"""fsck of payments and bills finds what was planted: each check seen red once, and named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from msgspec import structs

from octshop_rt.commerce.bill import checks as bill_checks
from octshop_rt.commerce.bill import store as bill_store
from octshop_rt.commerce.ledger import store as books
from octshop_rt.commerce.ledger.model import Journal
from octshop_rt.commerce.payment import checks, checks_books, store
from octshop_rt.commerce.payment.model import Fact
from octshop_rt.core import fsck, outbox
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


async def bill_returned_without_a_refund(house: House) -> None:
    await bill_store.BILLS.update(house.db, {}, {"$set": {"state": "returned"}})


async def bill_of_another_sum(house: House) -> None:
    await bill_store.BILLS.update(house.db, {}, {"$set": {"amount_fen": 499}})


async def bill_of_another_shop(house: House) -> None:
    await bill_store.BILLS.update(house.db, {}, {"$set": {"shop_id": "S9"}})


async def bills_gone(house: House) -> None:
    await bill_store.BILLS.delete(house.db, {})


async def bill_reversed_and_kept(house: House) -> None:
    await bill_store.BILLS.update(house.db, {}, {"$set": {"unwanted_at": 1}})


async def second_charge_at_one_till(house: House) -> None:
    await house.charge(700)
    await bill_store.HOLDS.delete(house.db, {})
    await house.charge(800)


async def marks_gone(house: House) -> None:
    await store.SUBJECTS.delete(house.db, {})


async def mark_of_another(house: House) -> None:
    await store.SUBJECTS.update(house.db, {"_id": "order:O1"}, {"$set": {"payment_id": "Y9"}})


async def paid_twice(house: House) -> None:
    """As nothing else of it would betray: another payment, attempt, fact and posting for the same order."""
    (first,) = await store.PAYMENTS.many(house.db, {"parts.subject": "order:O1", "state": "paid"})
    (attempt,) = await store.ATTEMPTS.many(house.db, {"payment_id": first.id})
    await store.PAYMENTS.insert(house.db, structs.replace(first, id="Y2", paid_attempt_id="A2"))
    again = structs.replace(attempt, id="A2", payment_id="Y2", transaction_id="420002")
    await store.ATTEMPTS.insert(house.db, again)
    fact = Fact(id=f"wechat:{again.account_id}:420002:payment", attempt_id="A2", learned_at=1, source="query")
    await store.FACTS.insert(house.db, fact)
    journal = await books.by_ref(house.db, f"payment:{attempt.id}")
    assert journal is not None
    await books.JOURNALS.insert(house.db, structs.replace(journal, id="J2", ref="payment:A2"))


async def nobody_asks(house: House) -> None:
    await house.charge(700)
    await house.sound()
    await outbox.ROWS.delete(house.db, {"state": "waiting", "type": {"$in": ["PaymentDoubt", "PaymentExpired"]}})


async def booked(house: House, kind: str) -> list[Journal]:
    return [one for one in await books.JOURNALS.many(house.db, {}) if one.kind == kind]


async def credited_to_another_shop(house: House) -> None:
    journals = await booked(house, "payment")
    one = next(row for row in journals if any(entry.account.startswith("shop_pending:S1") for entry in row.entries))
    moved = tuple(structs.replace(entry, account=entry.account.replace(":S1:", ":S9:")) for entry in one.entries)
    await books.JOURNALS.update(house.db, {"_id": one.id}, {"$set": {"entries": msgspec.to_builtins(moved)}})


async def refund_taken_from_another_shop(house: House) -> None:
    (one,) = await booked(house, "refund_asked")
    moved = tuple(structs.replace(entry, account=entry.account.replace(":S1:", ":S9:")) for entry in one.entries)
    await books.JOURNALS.update(house.db, {"_id": one.id}, {"$set": {"entries": msgspec.to_builtins(moved)}})


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
        (bill_returned_without_a_refund, "F35"),
        (bill_of_another_sum, "F35"),
        (bill_of_another_shop, "F35"),
        (bills_gone, "F35"),
        (bill_reversed_and_kept, "F35"),
        (second_charge_at_one_till, "F35"),
        (marks_gone, "F36"),
        (mark_of_another, "F36"),
        (paid_twice, "F36"),
        (nobody_asks, "F37"),
        (credited_to_another_shop, "F44"),
        (refund_taken_from_another_shop, "F44"),
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
    report = await fsck.examine(house.db, (*checks.CHECKS, *checks_books.CHECKS, *bill_checks.CHECKS))
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
