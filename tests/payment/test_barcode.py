"""Payment codes at the till: paid, waiting, refused, dawdled, unknown, reversed; and what the till is shown of each."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from octshop_rt.commerce.bill import store as bill_store
from octshop_rt.commerce.bill.model import NotAnAmount, TooLateToReverse
from octshop_rt.commerce.payment import rules, store
from octshop_rt.commerce.payment.channel import Paid
from octshop_rt.commerce.payment.model import (
    AttemptState,
    CodeNotAccepted,
    NotAPaymentCode,
    PaymentState,
)
from octshop_rt.core.clock import DAY
from octshop_rt.core.errors import RequestConflict
from octshop_rt.sandbox.model import Trade
from tests.payment.conftest import House


async def shown(house: House, charge_id: str) -> str:
    return (await house.bills.get("T1", charge_id)).state


def trade(house: House) -> Trade:
    (only,) = house.sandbox.bank.trades.values()
    return house.sandbox.bank.trade(only.mchid, only.out_trade_no)


async def test_paid_at_once(house: House) -> None:  # req 13
    charge = await house.charge(1280, house.code())
    assert (charge.state, charge.channel, charge.reason_code) == ("paid", "wechat", "")
    await house.drain()
    takings = await house.bills.takings("T1", None)
    assert (takings.total_fen, takings.count) == (1280, 1)
    assert [one.id for one in takings.last] == [charge.id]
    assert takings.by_channel[0].channel == "wechat"
    assert {notice.id for notice in house.told} == {"T1"}
    assert await house.balances() == {"channel_clearing": 1280, "shop_pending": -1280}
    await house.sound()


async def test_scanner_noise_is_read(house: House) -> None:  # A.7
    wide = house.code().translate({0x30 + n: 0xFF10 + n for n in range(10)})
    assert (await house.charge(100, f" {wide}\r\n")).state == "paid"


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("134567890123456789", "wechat"),
        ("153456789012345678", "wechat"),
        ("163456789012345678", None),
        ("2834567890123456", "alipay"),
        ("301234567890123456789012", "alipay"),
        ("6212345678901234567", "unionpay"),
        ("13456789012345678", None),
        ("13456789012345678x", None),
        ("", None),
    ],
)
def test_codes_are_told_apart_by_prefix(text: str, owner: str | None) -> None:  # A.7
    assert rules.channel_of(text) == owner


async def test_what_is_no_code_is_refused_before_anything_is_stored(house: House) -> None:
    with pytest.raises(NotAPaymentCode):
        await house.charge(100, "990000000000000000000000012")
    with pytest.raises(CodeNotAccepted):
        await house.charge(100, "2834567890123456")
    with pytest.raises(NotAnAmount):
        await house.charge(0, house.code())
    assert house.sandbox.bank.trades == {}


async def test_waiting_for_the_password_then_paid(house: House) -> None:  # req 13
    charge = await house.charge(200_000, house.code())
    assert charge.state == "paying"
    house.pay(trade(house).out_trade_no)
    await house.tick(6_000)
    assert await shown(house, charge.id) == "paid"


async def test_waiting_then_the_cashier_asks(house: House) -> None:
    charge = await house.charge(200_000, house.code())
    house.pay(trade(house).out_trade_no)
    house.clock.advance(2_000)
    assert (await house.bills.query("T1", charge.id, by="person:U1")).state == "paid"


async def test_refused_by_the_payer(house: House) -> None:
    charge = await house.charge(200_000, house.code())
    house.pay(trade(house).out_trade_no, "refuse")
    await house.tick(6_000)
    after = await house.bills.get("T1", charge.id)
    assert (after.state, after.reason_code) == ("failed", "refused_by_payer")
    assert (await house.payment(charge.payment_id)).state is PaymentState.CLOSED
    await house.sound()


async def test_dawdled_is_reversed_after_the_last_question(house: House) -> None:  # A.4
    charge = await house.charge(200_000, house.code())
    house.pay(trade(house).out_trade_no, "dawdle")
    await house.tick(44_000)
    assert await shown(house, charge.id) == "paying"
    await house.tick(3_000)
    assert await shown(house, charge.id) == "reversed"
    assert trade(house).state == "REVOKED"


@pytest.mark.parametrize(("age_ms", "used", "reason"), [(61_000, False, "code_expired"), (0, True, "code_invalid")])
async def test_a_stale_or_used_code_fails_and_a_new_charge_works(
    house: House, age_ms: int, used: bool, reason: str
) -> None:
    code = house.code()
    if used:
        assert (await house.charge(100, code)).state == "paid"
    house.clock.advance(age_ms)
    charge = await house.charge(100, code)
    assert (charge.state, charge.reason_code) == ("failed", reason)
    assert (await house.charge(100, house.code())).state == "paid"


async def test_paid_at_the_channel_while_it_says_system_error(house: House) -> None:  # A.4
    house.switch(system_error_but_paid=True)
    charge = await house.charge(1280, house.code())
    assert (charge.state, charge.reason_code) == ("unknown", "no_answer")
    await house.tick(6_000)
    assert await shown(house, charge.id) == "paid"
    assert len(house.sandbox.bank.trades) == 1


async def test_the_answer_is_lost_but_the_money_was_taken(house: House) -> None:
    house.switch(drop_answers=1)
    charge = await house.charge(1280, house.code())
    assert charge.state == "unknown"
    await house.tick(6_000)
    assert await shown(house, charge.id) == "paid"


async def test_unknown_is_reversed_by_the_cashier_and_the_money_goes_back(house: House) -> None:  # req 13
    house.switch(drop_answers=1)
    charge = await house.charge(1280, house.code())
    early = await house.bills.reverse("T1", charge.id, by="person:U1")
    assert (early.state, early.reason_code) == ("unknown", "reversing")  # 15 s must lie between
    assert trade(house).state == "SUCCESS"
    await house.tick(22_000)
    after = await house.bills.get("T1", charge.id)
    assert (after.state, after.reason_code) == ("reversed", "reversed_by_cashier")
    assert trade(house).state == "REVOKED"
    assert await house.balances() == {}
    await house.sound()


async def test_reversing_what_turns_out_to_be_paid_gives_it_back(house: House) -> None:
    charge = await house.charge(1280, house.code())
    await house.drain()
    for _ in range(2):
        after = await house.bills.reverse("T1", charge.id, by="person:U1")
        assert (after.state, after.reason_code) == ("reversed", "returned")
    await house.tick(8_000)
    assert trade(house).state == "REFUND"
    assert len(house.sandbox.bank.refunds) == 1
    assert (await house.bills.takings("T1", None)).total_fen == 0
    assert await house.balances() == {}
    await house.sound()
    old = await house.charge(500, house.code())
    await house.drain()
    house.clock.advance(DAY)
    with pytest.raises(TooLateToReverse):
        await house.bills.reverse("T1", old.id, by="person:U1")


async def test_the_channel_is_away_the_whole_time(house: House) -> None:
    house.switch(fail_5xx=1_000)
    charge = await house.charge(1280, house.code())
    assert charge.state == "unknown"
    await house.tick(90_000)
    assert await shown(house, charge.id) == "unknown"  # never "failed": nobody knows
    house.switch()
    await house.tick(120_000)
    assert await shown(house, charge.id) == "reversed"
    await house.tick(301_000, step_ms=10_000)  # the last look finds nothing
    assert await shown(house, charge.id) == "reversed"


async def test_reversal_is_pressed_until_it_is_definite(house: House) -> None:  # A.4
    house.switch(drop_answers=1, reverse_again=3)
    charge = await house.charge(200_000, house.code())
    house.clock.advance(16_000)
    asked = await house.bills.reverse("T1", charge.id, by="person:U1")
    assert (asked.state, asked.reason_code) == ("unknown", "reversing")
    await house.tick(5_000)
    assert await shown(house, charge.id) == "unknown"
    await house.tick(60_000)
    assert await shown(house, charge.id) == "reversed"
    assert house.sandbox.bank.switches.reverse_again == 0


async def test_the_payer_confirms_between_the_last_question_and_the_reversal(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:  # A.4, race
    charge = await house.charge(200_000, house.code())
    query = house.channel.query

    async def then_paid(attempt_id: str) -> object:
        answer = await query(attempt_id)
        house.pay(attempt_id)
        return answer

    await house.tick(44_000)
    monkeypatch.setattr(house.channel, "query", then_paid)
    # The simulator would reverse by itself at 45 s: let its clock be a little slow.
    later = structs.replace(trade(house), created_at=trade(house).created_at + 5_000)
    house.sandbox.bank.trades[later.key] = later
    await house.tick(2_000)
    assert await shown(house, charge.id) == "reversed"
    assert trade(house).state == "REVOKED"  # paid, and given back by the reversal
    await house.sound()


async def test_a_success_seen_while_a_reversal_is_under_way_does_not_count(house: House) -> None:
    house.switch(drop_answers=1, reverse_again=1)
    charge = await house.charge(1280, house.code())
    attempt = await house.attempt(charge.payment_id)
    house.clock.advance(16_000)
    await house.bills.reverse("T1", charge.id, by="person:U1")
    answer = await house.channel.query(attempt.id)
    assert isinstance(answer, Paid)
    verdict = await house.settlement.succeed(attempt.id, answer.proof, source="query")
    assert verdict is rules.Verdict.WAIT
    await house.tick(10_000)
    assert await shown(house, charge.id) == "reversed"
    assert await house.balances() == {}


async def test_a_late_success_after_failed_is_given_back(house: House) -> None:  # A.4 rule 6
    charge = await house.charge(200_000, house.code())
    attempt = await house.attempt(charge.payment_id)
    house.pay(attempt.id, "refuse")
    await house.tick(6_000)
    assert await shown(house, charge.id) == "failed"
    one = trade(house)
    paid = structs.replace(one, state="SUCCESS", paid_at=house.clock.now())
    house.sandbox.bank.trades[one.key] = paid
    answer = await house.channel.query(attempt.id)
    assert isinstance(answer, Paid)
    await house.settlement.succeed(attempt.id, answer.proof, source="query")
    await house.tick(10_000)
    after = await house.bills.get("T1", charge.id)
    assert (after.state, after.reason_code) == ("reversed", "came_late")
    assert trade(house).state == "REFUND"
    assert await house.balances() == {}
    assert (await house.bills.takings("T1", None)).total_fen == 0
    await house.sound()


async def test_one_request_is_one_charge(house: House) -> None:  # req 13
    code = house.code()
    charges = await asyncio.gather(*(house.charge(1280, code, request_id="charge-same-request") for _ in range(8)))
    assert len({charge.id for charge in charges}) == 1
    assert len(house.sandbox.bank.trades) == 1
    assert (await house.charge(1280, code, request_id="charge-same-request")).state == "paid"
    with pytest.raises(RequestConflict):
        await house.charge(1281, code, request_id="charge-same-request")


async def test_the_code_is_stored_nowhere_in_clear(house: House) -> None:  # A.7
    code = house.code()
    charge = await house.charge(1280, code)
    attempt = await house.attempt(charge.payment_id)
    assert attempt.auth_code_last4 == code[-4:]
    assert len(attempt.auth_code_hash) == 64
    for collection in (store.PAYMENTS, store.ATTEMPTS, store.REQUESTS, store.NOTICES):
        for row in await collection.many(house.db, {}):
            assert code not in repr(row)


async def test_dynamic_code_paid_closed_and_expired(house: House) -> None:  # 7.4
    paid = await house.charge(600)
    assert (paid.state, paid.code_url is not None) == ("waiting", True)
    house.pay((await house.attempt(paid.payment_id)).id)
    await house.deliver()
    assert await shown(house, paid.id) == "paid"
    taken = await house.charge(700)
    gone = await house.bills.close("T1", taken.id, by="person:U1")
    assert (gone.state, gone.reason_code, gone.code_url) == ("closed", "closed_by_cashier", None)
    old = await house.charge(800)
    await house.tick(5 * 60_000 + 2_000, step_ms=5_000)
    after = await house.bills.get("T1", old.id)
    assert (after.state, after.reason_code) == ("closed", "expired")
    await house.sound()


async def test_crash_before_the_call_nothing_was_charged(house: House) -> None:  # kill point
    draft = house.cashier.draft(
        till_id="T1",
        request_id="crashed-request-1",
        part=house.wish("bill:I1").parts[0],
        description="x",
        auth_code=house.code(),
    )
    await house.db.transact(lambda tx: house.cashier.insert(tx, draft))
    await house.tick(6_000)
    attempt = await house.attempt(draft.payment.id)
    assert (attempt.state, attempt.reason) == (AttemptState.FAILED, "never_sent")
    await house.cashier.go(draft, house.code())  # the sleeper wakes up: too late, and silent
    assert house.sandbox.bank.trades == {}


async def test_crash_between_the_call_and_its_answer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(house.resolver, "_heard", cut)
        with pytest.raises(KeyboardInterrupt):
            await house.charge(1280, house.code())
    assert trade(house).state == "SUCCESS"
    await house.tick(6_000)
    (bill,) = [row async for row in bill_store.every(house.db)]
    assert await shown(house, bill.id) == "paid"
    await house.sound()
