"""Refunds: one wish, one number, one refund; never more than was paid; asked until the answer is final."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import structs

from octshop_rt.commerce.payment.model import RefundState
from octshop_rt.core import outbox
from octshop_rt.core.errors import NotFound
from octshop_rt.events import RefundDue, RefundSucceeded
from tests.payment.conftest import House


async def paid(house: House, **changes: Any) -> str:
    view = await house.open(**changes)
    house.pay((await house.attempt(view.payment_id)).id)
    await house.deliver()
    await house.drain()
    return view.payment_id


async def due(house: House, payment_id: str, amount_fen: int, key: str = "k1", subject: str = "order:O1") -> None:
    event = RefundDue(refund_key=key, payment_id=payment_id, subject=subject, amount_fen=amount_fen, reason="不想要了")
    await house.db.transact(lambda tx: house.outbox.write(tx, event))


async def test_a_part_is_refunded_once_however_often_it_is_asked(house: House) -> None:
    payment_id = await paid(house)
    for _ in range(3):
        await due(house, payment_id, 280)
    await house.drain()
    (refund,) = await house.refunds.of_payment(payment_id)
    assert refund.state is RefundState.PROCESSING
    assert await house.balances() == {"channel_clearing": 1280, "refund_payable": -280, "voucher_unredeemed": -1000}
    await house.tick(6_000)
    (refund,) = await house.refunds.of_payment(payment_id)
    assert refund.state is RefundState.SUCCEEDED
    assert await house.balances() == {"channel_clearing": 1000, "voucher_unredeemed": -1000}
    assert [event.refund_id for event in house.heard if isinstance(event, RefundSucceeded)] == [refund.id]
    assert len(house.sandbox.bank.refunds) == 1
    await house.sound()


async def test_the_notice_of_a_refund_is_a_reason_to_ask(house: House) -> None:
    payment_id = await paid(house)
    house.switch(refund_slow_ms=1_000)
    await due(house, payment_id, 1280)
    await house.drain()
    house.clock.advance(1_000)
    house.sandbox.bank.age_refunds()
    assert await house.deliver() == 1
    (refund,) = await house.refunds.of_payment(payment_id)
    assert refund.state is RefundState.SUCCEEDED


async def test_never_more_than_was_paid_even_side_by_side(house: House) -> None:  # PA4, F30
    payment_id = await paid(house)
    for number in range(6):
        await due(house, payment_id, 400, key=f"k{number}")
    await asyncio.gather(house.drain(), house.drain())
    refunds = await house.refunds.of_payment(payment_id)
    assert sum(one.amount_fen for one in refunds) == 1200
    await house.tick(3_000)
    await house.sound()


async def test_too_much_is_parked_for_a_person(house: House) -> None:
    payment_id = await paid(house)
    await due(house, payment_id, 1281)
    for _ in range(13):
        await house.drain()
        house.clock.advance(301_000)
    assert await house.refunds.of_payment(payment_id) == []
    (row,) = await outbox.parked(house.db)
    assert "payment.not_refundable" in row.error


async def test_a_lost_answer_keeps_the_number(house: House) -> None:  # a new number would refund twice
    payment_id = await paid(house)
    house.switch(drop_answers=2)
    await due(house, payment_id, 1280)
    await house.tick(60_000)
    (refund,) = await house.refunds.of_payment(payment_id)
    assert refund.state is RefundState.SUCCEEDED
    assert [row.out_refund_no for row in house.sandbox.bank.refunds.values()] == [refund.id]
    await house.sound()


async def test_the_shops_balance_is_too_small_for_a_while(house: House) -> None:
    payment_id = await paid(house)
    house.switch(refund_not_enough=True)
    await due(house, payment_id, 1280)
    await house.tick(30_000)
    (refund,) = await house.refunds.of_payment(payment_id)
    assert refund.state is RefundState.CREATED
    house.switch()
    await house.tick(60_000)
    (after,) = await house.refunds.of_payment(payment_id)
    assert (after.id, after.state) == (refund.id, RefundState.SUCCEEDED)


async def test_an_abnormal_refund_waits_for_a_person_and_stays_owed(house: House) -> None:
    payment_id = await paid(house)
    house.switch(refund_outcome="ABNORMAL")
    await due(house, payment_id, 1280)
    await house.tick(10_000)
    (refund,) = await house.refunds.of_payment(payment_id)
    assert (refund.state, refund.trouble) == (RefundState.FAILED, "ABNORMAL")
    assert await house.balances() == {"channel_clearing": 1280, "refund_payable": -1280}


async def test_a_person_has_a_failed_refund_asked_about_until_the_answer_is_final(house: House) -> None:  # PA4
    payment_id = await paid(house)
    house.switch(refund_outcome="ABNORMAL")
    await due(house, payment_id, 1280)
    await house.tick(10_000)
    (failed,) = [row.body for row in await outbox.ROWS.many(house.db, {}) if row.type == "RefundFailed"]
    assert (failed["refund_key"], failed["amount_fen"], failed["trouble"]) == ("k1", 1280, "ABNORMAL")
    # Settled at the channel's own desk; and when we ask, the channel is away at first: the questions go on.
    ((key, row),) = house.sandbox.bank.refunds.items()
    house.sandbox.bank.refunds[key] = structs.replace(row, state="SUCCESS")
    house.switch(fail_5xx=3)
    await house.db.transact(lambda tx: house.refunds.press_on(tx, payment_id, "k1", "U1"))
    (refund,) = await house.refunds.of_payment(payment_id)
    assert (refund.state, refund.again) == (RefundState.PROCESSING, 1)
    await house.tick(120_000, step_ms=5_000)
    (after,) = await house.refunds.of_payment(payment_id)
    assert (after.id, after.state) == (refund.id, RefundState.SUCCEEDED)
    assert len(house.sandbox.bank.refunds) == 1
    with pytest.raises(NotFound):  # nothing has failed now
        await house.db.transact(lambda tx: house.refunds.press_on(tx, payment_id, "k1", "U1"))
    await house.sound()


async def test_a_crash_after_the_number_was_fixed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    payment_id = await paid(house)
    await due(house, payment_id, 1280)

    async def cut(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as killed:
        killed.setattr(house.refunds, "press", cut)
        await house.drain()
    (refund,) = await house.refunds.of_payment(payment_id)
    assert refund.state is RefundState.CREATED
    assert house.sandbox.bank.refunds == {}
    await house.tick(20_000)
    (after,) = await house.refunds.of_payment(payment_id)
    assert (after.id, after.state) == (refund.id, RefundState.SUCCEEDED)
    assert len(house.sandbox.bank.refunds) == 1
