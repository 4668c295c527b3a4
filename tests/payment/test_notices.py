"""Notices: proven or refused, stored before they are answered, one effect however often and in whatever order."""

from __future__ import annotations

import asyncio

import pytest

from octshop_rt.commerce.payment import checks as payment_checks
from octshop_rt.commerce.payment import store
from octshop_rt.commerce.payment.model import NoticeState, PaymentState
from octshop_rt.events import PaymentDoubt, PaymentExpired, PaymentSucceeded
from tests.payment.conftest import House


async def test_paid_by_notice(house: House) -> None:  # req 11
    view = await house.open()
    assert view.state == "waiting"
    assert view.code_url is not None
    assert view.code_url.startswith("weixin://")
    attempt = await house.attempt(view.payment_id)
    house.pay(attempt.id)
    assert await house.deliver() == 1
    assert house.answers == [204]
    assert (await house.payments.get(view.payment_id)).state == "paid"
    await house.drain()
    (event,) = house.heard
    assert isinstance(event, PaymentSucceeded)
    assert (event.payment_id, event.amount_fen, event.buyer_id) == (view.payment_id, 1280, "U9")
    assert await house.balances() == {"channel_clearing": 1280, "voucher_unredeemed": -1280}
    await house.sound()


async def test_ten_equal_notices_at_once_have_one_effect(house: House) -> None:  # req 11, PA2
    view = await house.open()
    house.pay((await house.attempt(view.payment_id)).id)
    notice = next(iter(house.sandbox.bank.notices.values()))
    letters = [house.sandbox.courier.letter(notice) for _ in range(10)]
    await asyncio.gather(*(house.inbox.take("default", headers, body) for headers, body in letters))
    await house.drain()
    assert len(house.heard) == 1
    assert await house.balances() == {"channel_clearing": 1280, "voucher_unredeemed": -1280}
    row = await store.notice(house.db, f"wechat:default:{notice.id}")
    assert row is not None
    assert (row.state, row.times) == (NoticeState.DONE, 10)
    await house.sound()


async def test_double_and_late_notices(house: House) -> None:  # req 11
    house.switch(notice_double=True, notice_late_ms=60_000)
    view = await house.open()
    house.pay((await house.attempt(view.payment_id)).id)
    assert await house.deliver() == 0
    house.clock.advance(60_000)
    await house.deliver()
    assert house.answers == [204, 204]
    await house.drain()
    assert len(house.heard) == 1


@pytest.mark.parametrize("trouble", ["notice_forged", "notice_probe"])
async def test_forged_notices_change_nothing_and_are_answered_as_refused(house: House, trouble: str) -> None:  # PA1
    house.switch(**{trouble: True})
    view = await house.open()
    attempt = await house.attempt(view.payment_id)
    house.pay(attempt.id)
    assert await house.deliver() == 0
    assert house.answers == [401]
    assert (await house.payments.get(view.payment_id)).state == "waiting"
    notice = next(iter(house.sandbox.bank.notices.values()))
    assert await store.notice(house.db, f"wechat:default:{notice.id}") is None
    await house.tick(6_000)  # the truth is found all the same
    assert (await house.payments.get(view.payment_id)).state == "paid"


async def test_a_notice_replayed_after_five_minutes_is_refused(house: House) -> None:  # PA1
    view = await house.open()
    house.pay((await house.attempt(view.payment_id)).id)
    notice = next(iter(house.sandbox.bank.notices.values()))
    headers, body = house.sandbox.courier.letter(notice)
    house.clock.advance(5 * 60_000 + 2_000)
    async with house.http.post(f"{house.url}/notify/default", headers=headers, data=body) as answer:
        assert answer.status == 401
    assert (await house.payments.get(view.payment_id)).state == "waiting"


async def test_another_merchants_valid_notice_pays_nothing(house: House) -> None:  # PA1
    mine = await house.open()
    attempt = await house.attempt(mine.payment_id)
    house.pay(attempt.id)
    notice = next(iter(house.sandbox.bank.notices.values()))
    headers, body = house.sandbox.courier.letter(notice)
    async with house.http.post(f"{house.url}/notify/M2", headers=headers, data=body) as answer:
        assert answer.status == 401  # sealed with another APIv3 key
    foreign = notice.resource | {"mchid": "1900000110"}
    headers, body = house.sandbox.courier.letter(house.sandbox.bank.keep_notice(notice, resource=foreign))
    async with house.http.post(f"{house.url}/notify/default", headers=headers, data=body) as answer:
        assert answer.status == 401  # well signed, but speaks of another account: stored, parked, answered as failure
    row = await store.notice(house.db, f"wechat:default:{notice.id}")
    assert row is not None
    assert row.state is NoticeState.PARKED
    assert (await house.payments.get(mine.payment_id)).state == "waiting"


async def test_a_notice_for_a_number_we_never_sent_is_parked(house: House) -> None:
    view = await house.open()
    house.pay((await house.attempt(view.payment_id)).id)
    notice = next(iter(house.sandbox.bank.notices.values()))
    stranger = house.sandbox.bank.keep_notice(notice, resource=notice.resource | {"out_trade_no": "ASTRANGER0001"})
    headers, body = house.sandbox.courier.letter(stranger)
    async with house.http.post(f"{house.url}/notify/default", headers=headers, data=body) as answer:
        assert answer.status == 404
    row = await store.notice(house.db, f"wechat:default:{notice.id}")
    assert row is not None
    assert row.state is NoticeState.PARKED


async def test_no_flipped_bit_is_accepted(house: House) -> None:  # PA1
    view = await house.open()
    house.pay((await house.attempt(view.payment_id)).id)
    notice = next(iter(house.sandbox.bank.notices.values()))
    headers, body = house.sandbox.courier.letter(notice)
    for at in range(len(body)):
        changed = body[:at] + bytes([body[at] ^ (1 << (at % 8))]) + body[at + 1 :]
        with pytest.raises(Exception, match="notice_refused"):
            await house.channel.read_notice(headers, changed)
    for name in ("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial"):
        for at in range(len(headers[name])):
            text = headers[name]
            other = "0" if text[at] != "0" else "1"
            with pytest.raises(Exception, match="notice_refused"):
                await house.channel.read_notice(headers | {name: text[:at] + other + text[at + 1 :]}, body)
    assert (await house.channel.read_notice(headers, body)).kind == "TRANSACTION.SUCCESS"


async def test_notices_questions_expiry_and_closing_at_once(house: House) -> None:  # PA2: concurrent, in any order
    for number in range(4):
        view = await house.open(subject=f"order:O{number}")
        attempt = await house.attempt(view.payment_id)
        house.pay(attempt.id)
        notice = next(one for one in house.sandbox.bank.owed.values() if one.resource["out_trade_no"] == attempt.id)
        house.clock.advance(2_000)
        await asyncio.gather(
            house.payments.close(view.payment_id, by="test", reason="test"),
            house.resolver.on_payment_expired(PaymentExpired(payment_id=view.payment_id)),
            house.resolver.on_payment_doubt(PaymentDoubt(attempt_id=attempt.id)),
            house.payments.refresh(view.payment_id),
            *(house.inbox.take("default", *house.sandbox.courier.letter(notice)) for _ in range(4)),
        )
        assert (await house.payment(view.payment_id)).state is PaymentState.PAID
    await house.deliver()
    await house.drain()
    assert len(house.heard) == 4
    assert await house.balances() == {"channel_clearing": 4 * 1280, "voucher_unredeemed": -4 * 1280}
    await house.sound()


async def test_the_notice_is_faster_than_the_answer_to_our_order(house: House) -> None:  # A.9
    house.switch(slow_ms=400)
    opening = asyncio.create_task(house.open())
    async with asyncio.timeout(5):
        while not house.sandbox.bank.trades:
            await asyncio.sleep(0.01)
    (trade,) = house.sandbox.bank.trades.values()
    house.pay(trade.out_trade_no)
    await house.deliver()
    view = await opening
    assert (view.state, house.answers) == ("paid", [204])
    await house.drain()
    assert len(house.heard) == 1


async def test_stored_but_not_applied_is_applied_by_the_repetition(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:  # kill point between store and answer, PA3
    view = await house.open()
    house.pay((await house.attempt(view.payment_id)).id)

    async def cut(*_: object, **__: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as killed:
        killed.setattr(house.settlement, "succeed", cut)
        assert await house.deliver() == 0  # no 2xx: the channel will come again
    assert (await house.payments.get(view.payment_id)).state == "waiting"
    report = [one async for one in payment_checks.notices_settled(house.db)]
    assert [one.check for one in report] == ["F31"]
    house.clock.advance(15_000)
    assert await house.deliver() == 1
    assert (await house.payments.get(view.payment_id)).state == "paid"
    await house.drain()
    await house.sound()
