"""One open charge at a till: the server refuses a second one before any effect, whoever asks, at once or later."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from octshop_rt.commerce.bill import service
from octshop_rt.commerce.bill import store as bill_store
from octshop_rt.commerce.bill.model import Bill, Charge, NotYoursToSetAside, TillHeld, TooEarlyToSetAside
from octshop_rt.commerce.payment import store
from tests.payment.conftest import House

ME = "person:U1"
BOSS = "person:U2"


async def refused(house: House, auth_code: str | None, by: Charge) -> None:
    """A charge is refused by `by`, and leaves nothing here or at the channel."""

    async def traces() -> tuple[int, int, int]:
        rows = await bill_store.BILLS.many(house.db, {}), await store.PAYMENTS.many(house.db, {})
        return len(rows[0]), len(rows[1]), len(house.sandbox.bank.trades)

    before = await traces()
    with pytest.raises(TillHeld) as held:
        await house.charge(990, auth_code)
    assert held.value.data == {"charge_id": by.id, "amount_fen": by.amount_fen}
    assert await traces() == before


async def test_an_open_charge_holds_its_till_until_the_channel_has_ended_it(house: House) -> None:  # req 13
    waiting = await house.charge(600, request_id="charge-of-the-first")
    await refused(house, None, waiting)
    await refused(house, house.code(), waiting)
    # The same request is the same charge, not a second one.
    again = await house.charge(600, request_id="charge-of-the-first")
    assert (again.id, again.state) == (waiting.id, "waiting")
    await house.bills.close("T1", waiting.id, by=ME)
    house.switch(drop_answers=1)
    unknown = await house.charge(1280, house.code())
    assert unknown.state == "unknown"
    await refused(house, house.code(), unknown)
    await house.bills.reverse("T1", unknown.id, by=ME)
    await refused(house, house.code(), unknown)  # until the channel has confirmed it
    await house.tick(30_000)
    assert (await house.bills.get("T1", unknown.id)).state == "reversed"
    assert (await house.charge(300, house.code())).state == "paid"
    assert (await house.charge(400, "10" + "9" * 16)).state == "failed"
    assert (await house.charge(500)).state == "waiting"
    await house.drain()
    await house.sound()


async def test_of_devices_that_press_at_once_one_charges(house: House) -> None:  # req 13
    for round_no in range(10):  # the first round meets a till that never took anything
        answers: list[Any] = await asyncio.gather(
            *(house.charge(700 + device) for device in range(4)), return_exceptions=True
        )
        (charge,) = [one for one in answers if isinstance(one, Charge)]
        named = [one.data["charge_id"] for one in answers if isinstance(one, TillHeld)]
        assert named == [charge.id] * 3, answers
        assert len(house.sandbox.bank.trades) == round_no + 1
        await house.bills.close("T1", charge.id, by=ME)
    await house.drain()
    await house.sound()


async def test_one_request_sent_twice_at_once_is_not_held_by_itself(house: House) -> None:  # req 13
    for round_no in range(6):
        both = await asyncio.gather(*(house.charge(700, request_id=f"the-same-charge-{round_no}") for _ in range(3)))
        assert {one.id for one in both} == {both[0].id}
        await house.bills.close("T1", both[0].id, by=ME)


async def test_a_charge_that_died_before_it_was_sent_holds_the_till_for_seconds(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(house.resolver, "send", die)
        with pytest.raises(KeyboardInterrupt):
            await house.charge(1280, house.code())
    (bill,) = await bill_store.BILLS.many(house.db, {})
    assert isinstance(bill, Bill)
    await refused(house, house.code(), await house.bills.get("T1", bill.id))
    await house.tick(6_000)
    assert (await house.charge(1280, house.code())).state == "paid"
    await house.drain()
    await house.sound()


async def silent(house: House) -> Charge:
    """A charge the channel took the money for and will not speak about, neither when asked nor when it is reversed."""
    house.switch(drop_answers=1_000, notice_lost=True)
    charge: Charge = await house.charge(1280, house.code())
    assert charge.state == "unknown"
    return charge


async def test_a_manager_lets_the_till_go_on_without_a_silent_channel(house: House) -> None:  # req 13
    charge = await silent(house)
    with pytest.raises(TooEarlyToSetAside):  # nobody has called it off: it may be a sale
        await house.bills.set_aside("T1", charge.id, by=BOSS, manages=True)
    called_off = await house.bills.reverse("T1", charge.id, by=ME)
    assert called_off.aside_from == house.clock.now() + 60_000
    with pytest.raises(TooEarlyToSetAside):
        await house.bills.set_aside("T1", charge.id, by=BOSS, manages=True)
    await house.tick(60_000)
    with pytest.raises(NotYoursToSetAside):
        await house.bills.set_aside("T1", charge.id, by=ME)
    await refused(house, house.code(), charge)
    aside = await house.bills.set_aside("T1", charge.id, by=BOSS, manages=True)
    assert (aside.state, aside.aside, aside.aside_from) == ("unknown", True, None)
    assert (await house.bills.set_aside("T1", charge.id, by=BOSS, manages=True)).aside  # again is the same act
    house.switch(notice_lost=True)
    assert (await house.charge(500, house.code())).state == "paid"
    day = await house.bills.takings("T1", None)
    assert ([one.id for one in day.open], [one.id for one in day.aside]) == ([], [charge.id])
    # The channel speaks again: what it had taken goes back, and the day never counted it.
    await house.tick(600_000, step_ms=10_000)
    ended = await house.bills.get("T1", charge.id)
    assert (ended.state, ended.aside_from) == ("reversed", None)
    assert (await house.bills.takings("T1", None)).aside == ()
    assert (await house.bills.takings("T1", None)).total_fen == 500
    await house.sound()


async def test_what_was_set_aside_does_not_hide_what_holds_the_till(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:  # req 13
    monkeypatch.setattr(service, "OPEN_SHOWN", 1)
    charge = await silent(house)
    await house.bills.reverse("T1", charge.id, by=ME)
    await house.tick(60_000)
    await house.bills.set_aside("T1", charge.id, by=BOSS, manages=True)
    house.switch()
    waiting = await house.charge(500)
    assert [one.id for one in (await house.bills.takings("T1", None)).open] == [waiting.id]


async def test_what_has_an_outcome_is_not_set_aside(house: House) -> None:  # req 13
    paid = await house.charge(700, house.code())
    assert not (await house.bills.set_aside("T1", paid.id, by=BOSS, manages=True)).aside
    waiting = await house.charge(800)
    with pytest.raises(TooEarlyToSetAside):
        await house.bills.set_aside("T1", waiting.id, by=BOSS, manages=True)
    await house.bills.close("T1", waiting.id, by=ME)
    assert not (await house.bills.set_aside("T1", waiting.id, by=BOSS, manages=True)).aside
