"""A till that never had its answer: what became of the request, and never let it charge, without the payment code."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from octshop_rt.commerce.api.till import MOST_CHARGE_FEN, ChargeWish
from octshop_rt.commerce.bill.model import NotYoursToGiveBack
from octshop_rt.commerce.payment import store
from octshop_rt.commerce.payment.model import AttemptState, RequestForbidden
from octshop_rt.core.clock import MINUTE
from octshop_rt.sandbox import refusals
from tests.payment.conftest import House

REQUEST = "charge-that-was-lost"
ME = "person:U1"


async def stored(house: House) -> int:
    return len(await store.PAYMENTS.many(house.db, {}))


async def test_asking_about_a_request_that_never_came_charges_nobody(house: House) -> None:  # finding 3
    for _ in range(2):
        assert (await house.bills.asked("T1", REQUEST)).standing == "absent"
    assert (house.sandbox.bank.trades, await stored(house)) == ({}, 0)
    assert (await house.charge(1280, house.code(), request_id=REQUEST)).state == "paid"  # it was only slow
    after = await house.bills.asked("T1", REQUEST)
    assert after.charge is not None
    assert (after.standing, after.charge.state) == ("charged", "paid")


@pytest.mark.parametrize("scanned", [True, False], ids=["payment code", "qr"])
async def test_what_was_called_off_is_refused_however_late_it_comes(house: House, scanned: bool) -> None:  # finding 3
    code = house.code() if scanned else None
    for _ in range(2):
        assert (await house.bills.call_off("T1", REQUEST, by=ME)).standing == "void"
    for _ in range(2):
        with pytest.raises(RequestForbidden):
            await house.charge(1280, code, request_id=REQUEST)
    house.clock.advance(100 * MINUTE)
    with pytest.raises(RequestForbidden):
        await house.charge(1280, None, request_id=REQUEST)
    assert (await house.bills.asked("T1", REQUEST)).standing == "void"
    assert (house.sandbox.bank.trades, await stored(house)) == ({}, 0)
    # The same customer's next charge is a wish of its own; another till's request is another's.
    assert (await house.charge(1280, house.code())).state == "paid"
    assert (await house.bills.asked("T2", REQUEST)).standing == "absent"
    await house.drain()
    await house.sound()


async def test_a_charge_and_its_calling_off_at_once_never_leave_the_buyer_charged(house: House) -> None:  # finding 3
    for round_no in range(12):
        request_id = f"{REQUEST}-{round_no}"
        code = house.code() if round_no % 2 else None

        async def off(request_id: str = request_id, late: int = round_no // 2) -> Any:
            for _ in range(late * 3):
                await asyncio.sleep(0)
            return await house.bills.call_off("T1", request_id, by=ME)

        async def on(request_id: str = request_id, code: str | None = code) -> Any:
            try:
                return await house.charge(700, code, request_id=request_id)
            except RequestForbidden as refusal:
                return refusal

        charged, called_off = await asyncio.gather(on(), off())
        assert isinstance(charged, RequestForbidden) is (called_off.standing == "void")
    await house.tick(30_000)
    assert all(one.state in {"REVOKED", "CLOSED", "REFUND"} for one in house.sandbox.bank.trades.values())
    assert await house.balances() == {}
    assert (await house.bills.takings("T1", None)).open == ()
    await house.sound()


async def test_calling_off_a_charge_that_came_reverses_it(house: House) -> None:
    house.switch(drop_answers=1)
    charge = await house.charge(1280, house.code(), request_id=REQUEST)
    assert charge.state == "unknown"
    house.clock.advance(16_000)
    after = await house.bills.call_off("T1", REQUEST, by=ME)
    assert after.charge is not None
    assert (after.standing, after.charge.id, after.charge.state) == ("charged", charge.id, "reversed")
    assert await house.balances() == {}


async def test_a_charge_that_was_stored_but_not_sent_is_ended_by_calling_it_off(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(house.resolver, "send", _die)
        with pytest.raises(KeyboardInterrupt):
            await house.charge(1280, house.code(), request_id=REQUEST)
    after = await house.bills.call_off("T1", REQUEST, by=ME)
    assert after.charge is not None
    assert (await house.attempt(after.charge.payment_id)).state is AttemptState.CLOSED
    assert await house.resolver.send((await house.attempt(after.charge.payment_id)).id, house.code()) is None
    assert house.sandbox.bank.trades == {}


async def _die(*_: object) -> None:
    raise KeyboardInterrupt


async def test_the_till_is_told_of_every_charge_that_may_still_be_paid(house: House) -> None:  # finding 6
    async def open_ids() -> list[str]:
        return [one.id for one in (await house.bills.takings("T1", None)).open]

    waiting = await house.charge(600)
    day = await house.bills.takings("T1", None)
    assert [(one.id, one.method, one.code_url) for one in day.open] == [(waiting.id, "native", waiting.code_url)]
    assert (await house.bills.takings("T2", None)).open == ()
    await house.bills.close("T1", waiting.id, by=ME)
    assert await open_ids() == []
    assert (await house.charge(300, house.code())).state == "paid"
    house.switch(drop_answers=1)
    unknown = await house.charge(1280, house.code())
    assert unknown.state == "unknown"
    assert await open_ids() == [unknown.id]
    await house.bills.reverse("T1", unknown.id, by=ME)
    assert await open_ids() == [unknown.id]  # until the channel has confirmed it
    await house.tick(30_000)
    assert await open_ids() == []


async def test_a_held_sum_is_a_persons_case_and_holds_no_till(house: House) -> None:
    charge = await house.charge(600)
    house.switch(notice_wrong_amount=True)
    house.pay((await house.attempt(charge.payment_id)).id)
    await house.deliver()
    assert (await house.bills.get("T1", charge.id)).reason_code == "amount_mismatch"
    assert (await house.bills.takings("T1", None)).open == ()


async def test_only_its_own_cashier_within_minutes_or_a_manager_gives_a_sale_back(house: House) -> None:  # finding 7
    async def sale() -> str:
        charge = await house.charge(500, house.code())
        await house.drain()
        return str(charge.id)

    async def offered(**who: Any) -> list[bool]:
        return [one.returnable for one in (await house.bills.takings("T1", None, **who)).last]

    mine = await sale()
    assert (await offered(by=ME), await offered(by="person:U2"), await offered()) == ([True], [False], [False])
    with pytest.raises(NotYoursToGiveBack):
        await house.bills.reverse("T1", mine, by="person:U2")
    assert (await house.bills.get("T1", mine)).state == "paid"
    house.clock.advance(10 * MINUTE)
    assert await offered(by=ME) == [False]
    with pytest.raises(NotYoursToGiveBack):
        await house.bills.reverse("T1", mine, by=ME)
    await house.tick(10_000)
    assert (await house.bills.get("T1", mine)).state == "paid"
    assert await offered(by="person:U3", manages=True) == [True]
    assert (await house.bills.reverse("T1", mine, by="person:U3", manages=True)).state == "reversed"
    fresh = await sale()
    assert (await house.bills.reverse("T1", fresh, by=ME)).state == "reversed"
    await house.tick(8_000)
    day = await house.bills.takings("T1", None, by="person:U3", manages=True)
    # Given back, they are still seen, and counted no more.
    assert (day.total_fen, day.count) == (0, 0)
    assert [(one.state, one.returnable) for one in day.last] == [("reversed", False), ("reversed", False)]
    assert [one.state for one in house.sandbox.bank.trades.values()] == ["REFUND", "REFUND"]
    await house.sound()


async def test_whoever_stands_at_the_till_may_reverse_what_is_not_known_to_be_paid(house: House) -> None:
    house.switch(system_error_but_paid=True)
    charge = await house.charge(1280, house.code())
    assert charge.state == "unknown"
    assert (await house.bills.reverse("T1", charge.id, by="person:U2")).state == "unknown"
    await house.tick(30_000)
    assert (await house.bills.get("T1", charge.id)).state == "reversed"
    assert await house.balances() == {}


async def test_closing_a_scanned_code_is_reversing_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise refusals.Refusal(400, "REVERSE_EXPIRE", "订单超过可撤销的时间")

    monkeypatch.setattr(house.sandbox.bank, "reverse", refuse)
    house.switch(drop_answers=1)
    charge = await house.charge(1280, house.code())
    assert (await house.bills.close("T1", charge.id, by=ME)).state == "unknown"
    await house.tick(90_000)
    assert (await house.bills.get("T1", charge.id)).state == "reversed"
    paid = await house.charge(100, house.code())
    await house.drain()
    assert (await house.bills.close("T1", paid.id, by=ME)).state == "paid"  # a sale is not closed


async def test_what_is_stored_of_a_charge_cannot_be_guessed_back(house: House) -> None:  # finding 14
    from octshop_rt.commerce.bill import store as bill_store
    from octshop_rt.core.crypto import digest

    code = house.code()
    await house.charge(1280, code)
    (bill,) = await bill_store.BILLS.many(house.db, {})
    (payment,) = await store.PAYMENTS.many(house.db, {})
    (attempt,) = await store.ATTEMPTS.many(house.db, {})
    told = {bill.fingerprint, payment.fingerprint, attempt.auth_code_hash}
    guesses = {f"{a}{b}" for a in ("1280:", "1280", "") for b in (code, digest(code))}
    assert not told & {digest(guess) for guess in guesses}


def test_the_server_and_the_cashiers_page_stop_at_the_same_sum() -> None:  # finding 8
    page = (Path(__file__).parents[2] / "static/pos/amount.ts").read_text(encoding="utf-8")
    (limit,) = re.findall(r"LIMIT_FEN = ([0-9_]+)", page)
    assert int(limit) == MOST_CHARGE_FEN == 5_000_000
    wish = {"request_id": REQUEST, "amount_fen": MOST_CHARGE_FEN}
    assert msgspec.convert(wish, ChargeWish).amount_fen == MOST_CHARGE_FEN
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wish | {"amount_fen": MOST_CHARGE_FEN + 1}, ChargeWish)
