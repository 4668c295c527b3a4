"""Native payments through every trouble the channel can make: exactly one effect of each success, none lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from octshop_rt.commerce.payment.model import AlreadyPaid, AttemptState, PaymentState, TimeIsUp
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.events import OrderClosed, PaymentSucceeded, RefundSucceeded
from tests.payment.conftest import House


async def test_lost_notice_is_found_by_the_question_that_is_due(house: House) -> None:  # req 11, PA6
    house.switch(notice_lost=True)
    view = await house.open()
    house.pay((await house.attempt(view.payment_id)).id)
    await house.tick(4_000)
    assert (await house.payments.get(view.payment_id)).state == "waiting"
    await house.tick(2_000)
    assert (await house.payments.get(view.payment_id)).state == "paid"
    assert house.answers == []
    assert len(house.heard) == 1


async def test_lost_notice_is_found_by_the_waiting_page(house: House) -> None:  # req 5.5
    house.switch(notice_lost=True)
    view = await house.open()
    house.pay((await house.attempt(view.payment_id)).id)
    house.clock.advance(2_000)
    assert (await house.payments.refresh(view.payment_id, opener="buyer:U9")).state == "paid"
    with pytest.raises(NotFound):
        await house.payments.refresh(view.payment_id, opener="buyer:U8")


async def test_many_waiting_pages_are_one_question(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    view = await house.open()
    attempt = await house.attempt(view.payment_id)
    house.clock.advance(2_000)
    asked: list[str] = []
    query = house.channel.query

    async def counted(attempt_id: str) -> object:
        asked.append(attempt_id)
        return await query(attempt_id)

    monkeypatch.setattr(house.channel, "query", counted)
    await asyncio.gather(*(house.payments.refresh(view.payment_id) for _ in range(20)))
    assert asked == [attempt.id]


async def test_a_wrong_amount_is_held_in_suspense_and_given_back_by_a_person(house: House) -> None:  # A.9, M6
    house.switch(notice_wrong_amount=True)
    view = await house.open()
    attempt = await house.attempt(view.payment_id)
    house.pay(attempt.id)
    await house.deliver()
    held = await house.attempt(view.payment_id)
    assert (held.state, held.paid_fen) == (AttemptState.INTEGRITY_HOLD, 1281)
    assert (await house.payments.get(view.payment_id)).state == "unknown"
    assert await house.balances() == {"channel_clearing": 1281, "suspense": -1281}
    assert (await house.payment(view.payment_id)).state is PaymentState.CLOSED
    await house.tick(31 * 60_000, step_ms=30_000)
    assert house.heard == []
    await house.sound()
    await house.refunds.give_back_held(attempt.id, by="person:U1")
    await house.refunds.give_back_held(attempt.id, by="person:U1")
    assert len(await house.refunds.of_payment(view.payment_id)) == 1
    assert await house.balances() == {"channel_clearing": 1281, "refund_payable": -1281}


async def test_the_same_request_is_the_same_payment(house: House) -> None:
    wish = house.wish()
    views = await asyncio.gather(*(house.payments.open(wish) for _ in range(8)))
    assert len({view.payment_id for view in views}) == 1
    assert len(house.sandbox.bank.trades) == 1
    changed = house.wish(amount_fen=1281, request_id=wish.request_id)
    with pytest.raises(RequestConflict):
        await house.payments.open(changed)


async def test_what_had_to_be_paid_before_now_is_not_opened(house: House) -> None:
    with pytest.raises(TimeIsUp):
        await house.open(expires_at=house.clock.now())
    assert house.sandbox.bank.trades == {}


async def test_what_is_paid_says_so_even_when_its_time_is_up(house: House) -> None:
    view = await house.open()
    house.pay((await house.attempt(view.payment_id)).id)
    await house.deliver()
    with pytest.raises(AlreadyPaid):
        await house.open(expires_at=house.clock.now())


async def test_a_subject_is_paid_the_moment_its_money_is_in(house: House) -> None:  # before its owner hears of it
    def paid(subject: str, amount_fen: int) -> Awaitable[bool]:
        return house.db.transact(lambda tx: house.payments.has_paid(tx, subject, amount_fen))

    view = await house.open()
    assert not await paid("order:O1", 1280)
    house.pay((await house.attempt(view.payment_id)).id)
    await house.deliver()
    assert await paid("order:O1", 1280)
    assert not await paid("order:O1", 1281)
    assert not await paid("order:O2", 1280)


async def test_asking_again_for_the_same_parts_shows_the_same_code(house: House) -> None:
    first = await house.open()
    second = await house.open()
    assert (first.payment_id, first.code_url) == (second.payment_id, second.code_url)


async def test_a_changed_price_closes_the_older_payment_at_the_channel(house: House) -> None:  # X24
    first = await house.open()
    old = await house.attempt(first.payment_id)
    second = await house.open(amount_fen=990)
    assert first.payment_id != second.payment_id
    assert (await house.payments.get(first.payment_id)).state == "closed"
    trade = house.sandbox.bank.by_number(old.id)
    assert trade is not None
    assert trade.state == "CLOSED"


async def test_paid_while_being_replaced(house: House) -> None:
    first = await house.open()
    house.switch(notice_lost=True)
    house.pay((await house.attempt(first.payment_id)).id)
    with pytest.raises(AlreadyPaid):
        await house.open(amount_fen=990)
    assert (await house.payments.get(first.payment_id)).state == "paid"
    with pytest.raises(AlreadyPaid):
        await house.open()


async def test_two_payments_succeed_for_one_order_the_second_is_given_back(house: House) -> None:  # 5.7
    first = await house.open()
    house.switch(fail_5xx=1)  # the first cannot be closed: the channel does not answer
    second = await house.open(amount_fen=1280, opener="buyer:U8", buyer_id="U8")
    one, two = await house.attempt(first.payment_id), await house.attempt(second.payment_id)
    house.pay(one.id)
    house.pay(two.id)
    await house.deliver()
    await house.tick(10_000)
    states = [(await house.payment(view.payment_id)).state for view in (first, second)]
    assert sorted(states) == [PaymentState.CLOSED, PaymentState.PAID]
    attempts = [await house.attempt(view.payment_id) for view in (first, second)]
    assert [a.state for a in attempts] == [AttemptState.SUCCEEDED, AttemptState.SUCCEEDED]
    assert sorted(a.surplus for a in attempts) == [False, True]
    loser = next(a for a in attempts if a.surplus)
    trade = house.sandbox.bank.by_number(loser.id)
    assert trade is not None
    assert trade.state == "REFUND"
    assert [type(event) for event in house.heard].count(PaymentSucceeded) == 1
    assert [type(event) for event in house.heard].count(RefundSucceeded) == 1
    assert await house.balances() == {"channel_clearing": 1280, "voucher_unredeemed": -1280}
    await house.sound()


async def test_expiry_asks_then_closes_at_the_channel_then_here(house: House) -> None:  # A.9
    view = await house.open()
    attempt = await house.attempt(view.payment_id)
    await house.tick(30 * 60_000 + 1_000, step_ms=20_000)
    assert (await house.payment(view.payment_id)).state is PaymentState.CLOSED
    trade = house.sandbox.bank.by_number(attempt.id)
    assert trade is not None
    assert trade.state == "CLOSED"
    await house.sound()


async def test_expiry_without_an_answer_closes_nothing_until_there_is_one(house: House) -> None:  # never local only
    view = await house.open(expires_at=house.clock.now() + 60_000)
    house.switch(fail_5xx=1_000)
    await house.tick(90_000)
    assert (await house.payment(view.payment_id)).state is PaymentState.PAYING
    house.switch()
    await house.tick(120_000)
    assert (await house.payment(view.payment_id)).state is PaymentState.CLOSED


async def test_paid_in_the_last_moment_and_the_notice_lost(house: House) -> None:
    house.switch(notice_lost=True)
    view = await house.open(expires_at=house.clock.now() + 60_000)
    await house.tick(58_000)
    house.pay((await house.attempt(view.payment_id)).id)
    await house.tick(5_000)
    assert (await house.payment(view.payment_id)).state is PaymentState.PAID


async def test_success_after_close_is_told_to_the_owner(house: House) -> None:  # A.9: never dropped
    view = await house.open()
    attempt = await house.attempt(view.payment_id)
    house.pay(attempt.id)
    notice = next(iter(house.sandbox.bank.notices.values()))
    letter = house.sandbox.courier.letter(notice)
    house.sandbox.bank.trades.clear()  # a channel that has forgotten: closes what it does not know
    await house.payments.close(view.payment_id, by="test", reason="test")
    assert (await house.payment(view.payment_id)).state is PaymentState.CLOSED
    await house.inbox.take("default", *letter)
    late = await house.payment(view.payment_id)
    assert (late.state, late.came_late) == (PaymentState.PAID, True)
    await house.drain()
    assert [type(event) for event in house.heard] == [PaymentSucceeded]


async def test_the_order_call_is_lost_and_asked_again_with_the_same_number(house: House) -> None:
    house.switch(drop_answers=1)
    view = await house.open()
    assert (view.state, view.code_url) == ("unknown", None)
    house.clock.advance(2_000)
    again = await house.payments.refresh(view.payment_id)
    assert (again.state, again.code_url is not None) == ("waiting", True)
    assert len(house.sandbox.bank.trades) == 1
    house.switch(fail_5xx=1)
    other = await house.open(subject="order:O5")
    assert other.state == "unknown"
    await house.tick(6_000)
    assert (await house.payments.get(other.payment_id)).state == "waiting"


async def test_a_closed_orders_trade_is_closed_at_the_channel(house: House) -> None:  # 5.4
    view = await house.open()
    attempt = await house.attempt(view.payment_id)
    await house.db.transact(lambda tx: house.outbox.write(tx, OrderClosed(order_id="O1", reason="buyer")))
    await house.drain()
    assert (await house.payments.get(view.payment_id)).state == "closed"
    trade = house.sandbox.bank.by_number(attempt.id)
    assert trade is not None
    assert trade.state == "CLOSED"


async def test_several_orders_in_one_payment(house: House) -> None:  # 5.3
    wish = house.wish()
    parts = (wish.parts[0], house.wish("order:O2", 720).parts[0])
    view = await house.payments.open(house.wish(parts=parts))
    assert view.amount_fen == 2000
    house.pay((await house.attempt(view.payment_id)).id)
    await house.deliver()
    await house.drain()
    (event,) = house.heard
    assert isinstance(event, PaymentSucceeded)
    assert [(part.subject, part.amount_fen) for part in event.parts] == [("order:O1", 1280), ("order:O2", 720)]
    with pytest.raises(AlreadyPaid):
        await house.open(subject="order:O2", amount_fen=720)
