"""Reversals that go wrong: no answer, a crash in between, a channel that takes its word back or never says yes."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from octshop_rt.commerce.payment import rules
from octshop_rt.commerce.payment.model import AttemptState
from octshop_rt.commerce.payment.resolve import LAST_LOOK
from octshop_rt.core.outbox import ROWS
from octshop_rt.sandbox import refusals
from octshop_rt.sandbox.refusals import Refusal
from tests.payment.conftest import House


async def test_the_last_look_is_taken_again_until_it_sees_something(house: House) -> None:  # a success is never dropped
    house.switch(drop_answers=1)
    charge = await house.charge(1280, house.code())
    house.clock.advance(16_000)
    assert (await house.bills.reverse("T1", charge.id, by="person:U1")).state == "reversed"
    (one,) = house.sandbox.bank.trades.values()  # the channel takes its word back
    house.sandbox.bank.trades[one.key] = structs.replace(one, state="SUCCESS", paid_at=house.clock.now())
    house.switch(fail_5xx=1)
    await house.tick(rules.LAST_LOOK_MS + 10_000, step_ms=10_000)
    await house.tick(20_000)
    after = await house.bills.get("T1", charge.id)
    assert (after.state, after.reason_code) == ("reversed", "came_late")
    (one,) = house.sandbox.bank.trades.values()
    assert one.state == "REFUND"
    await house.sound()


async def test_crash_after_the_reversal_still_owes_the_last_look(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:  # kill point
    house.switch(drop_answers=1)
    charge = await house.charge(1280, house.code())
    attempt = await house.attempt(charge.payment_id)
    house.clock.advance(16_000)
    end = house.settlement.end

    async def cut(*given: Any, **named: Any) -> bool:
        await end(*given, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(house.settlement, "end", cut)
        with pytest.raises(KeyboardInterrupt):
            await house.bills.reverse("T1", charge.id, by="person:U1")
    assert (await house.attempt(charge.payment_id)).state is AttemptState.REVERSED
    assert await ROWS.one(house.db, {"_id": f"doubt:{attempt.id}:{LAST_LOOK}"}) is not None


async def test_a_reversed_charge_says_who_reversed_it(house: House) -> None:  # not what made it doubtful before
    house.switch(drop_answers=1)
    charge = await house.charge(1280, house.code())
    house.clock.advance(16_000)
    after = await house.bills.reverse("T1", charge.id, by="person:U1")
    assert (after.state, after.reason_code) == ("reversed", "reversed_by_cashier")


@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        (Refusal(400, "REVERSE_EXPIRE", "订单超过可撤销的时间"), "reversed"),  # a refund, then
        (refusals.system_error(), "unknown"),  # the reversal may be on its way: only its answer counts
    ],
)
async def test_a_reversal_the_channel_never_does_still_gives_the_money_back(
    house: House, monkeypatch: pytest.MonkeyPatch, answer: Refusal, ends: str
) -> None:  # finding 4: the cashier wanted it not to be paid
    pressed: list[str] = []

    def refuse(_: object, number: str, __: object) -> None:
        pressed.append(number)
        raise answer

    monkeypatch.setattr(house.sandbox.bank, "reverse", refuse)
    house.switch(drop_answers=1)
    charge = await house.charge(1280, house.code())
    house.clock.advance(16_000)
    for _ in range(rules.MOST_PRESSES - 1):
        assert (await house.bills.reverse("T1", charge.id, by="person:U1")).reason_code == "reversing"
    await house.tick(60_000)
    assert (await house.bills.get("T1", charge.id)).state == ends
    assert (len(pressed) == rules.MOST_PRESSES) is (ends == "reversed")
    (one,) = house.sandbox.bank.trades.values()
    assert one.state == ("REFUND" if ends == "reversed" else "SUCCESS")
    if ends == "reversed":
        assert await house.balances() == {}
        assert (await house.bills.takings("T1", None)).total_fen == 0
    await house.sound()


async def test_a_timeout_nobody_wished_for_ends_as_the_channel_says(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Refusal(400, "REVERSE_EXPIRE", "订单超过可撤销的时间")

    def unheard(*_: object) -> None:
        raise refusals.system_error()

    house.switch(drop_answers=1)
    charge = await house.charge(1280, house.code())
    with monkeypatch.context() as deaf:
        deaf.setattr(house.sandbox.bank, "query", unheard)
        await house.tick(44_000)
    monkeypatch.setattr(house.sandbox.bank, "reverse", refuse)
    await house.tick(60_000)
    assert (await house.bills.get("T1", charge.id)).state == "paid"
    await house.sound()


async def test_a_code_called_off_while_the_channel_is_away_is_not_shown_and_its_money_goes_back(house: House) -> None:
    charge = await house.charge(900)
    house.switch(fail_5xx=1)
    after = await house.bills.reverse("T1", charge.id, by="person:U1")
    assert (after.state, after.reason_code, after.code_url) == ("unknown", "reversing", None)
    house.pay((await house.attempt(charge.payment_id)).id)
    await house.tick(10_000)
    assert (await house.bills.get("T1", charge.id)).state == "reversed"
    assert [one.state for one in house.sandbox.bank.trades.values()] == ["REFUND"]
    assert await house.balances() == {}
    await house.sound()
