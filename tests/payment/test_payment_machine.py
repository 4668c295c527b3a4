"""A random life of payments, trouble and time, beside a pure model of what the channel's customers may expect.

After everything has come to rest: for every trade the channel was paid for there is exactly one of order paid, money
given back, money in suspense; the books say what the channel's own books say; fsck is clean.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octshop_rt.commerce.bill.model import TillHeld
from octshop_rt.commerce.payment import store
from octshop_rt.commerce.payment.model import (
    AlreadyPaid,
    AttemptState,
    ChannelRefused,
    Payment,
    PaymentState,
    RefundState,
    RequestForbidden,
)
from octshop_rt.core import mongo
from octshop_rt.core.clock import TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from octshop_rt.events import PaymentSucceeded, RefundDue
from octshop_rt.sandbox.model import Switches, Trade
from octshop_rt.sandbox.server import Sandbox
from tests.payment.conftest import House, accounts, channel_for

ACTS = (
    *("open", "open", "charge", "charge_big", "charge_qr"),
    *("pay", "pay", "pay", "refuse"),
    *("deliver", "deliver", "replay", "second", "half_minute", "refresh"),
    *("close", "reverse", "call_off", "refund", "trouble", "calm"),
)
TROUBLES = (
    {"notice_lost": True},
    {"notice_double": True},
    {"notice_forged": True},
    {"notice_wrong_amount": True},
    {"fail_5xx": 3},
    {"drop_answers": 2},
    {"system_error_but_paid": True},
    {"reverse_again": 2},
    {"refund_not_enough": True},
    {"notice_late_ms": 40_000},
)


class Hand:
    """One method per act. What the model needs is read from the channel's own books at the end."""

    def __init__(self, house: House, chance: random.Random) -> None:
        self.house = house
        self.chance = chance

    def trade(self) -> Trade | None:
        trades = list(self.house.sandbox.bank.trades.values())
        if not trades:
            return None
        some = self.chance.choice(trades)
        return self.house.sandbox.bank.trade(some.mchid, some.out_trade_no)

    async def payment(self) -> Payment | None:
        payments = await store.PAYMENTS.many(self.house.db, {})
        return self.chance.choice(payments) if payments else None

    async def open(self) -> None:
        subject, amount_fen = f"order:O{self.chance.randint(1, 3)}", self.chance.choice([500, 900])
        with contextlib.suppress(AlreadyPaid, ChannelRefused):
            await self.house.open(subject=subject, amount_fen=amount_fen)

    async def charge(self) -> None:
        await self.at_the_till(self.chance.randint(1, 1_000), self.house.code())

    async def charge_big(self) -> None:
        await self.at_the_till(200_000, self.house.code())

    async def charge_qr(self) -> None:
        await self.at_the_till(700)

    async def at_the_till(self, amount_fen: int, auth_code: str | None = None) -> None:
        """Refused while the last charge may still be paid, and only then."""
        try:
            await self.house.charge(amount_fen, auth_code)
        except TillHeld:
            payments = await store.PAYMENTS.many(self.house.db, {})
            assert any(one.till_id is not None and one.state is PaymentState.PAYING for one in payments)

    async def pay(self) -> None:
        if (trade := self.trade()) is not None:
            self.house.sandbox.bank.decide(trade, "pay")

    async def refuse(self) -> None:
        if (trade := self.trade()) is not None:
            self.house.sandbox.bank.decide(trade, "refuse")

    async def deliver(self) -> None:
        await self.house.deliver()

    async def replay(self) -> None:
        for notice in list(self.house.sandbox.bank.notices.values())[-2:]:
            headers, body = self.house.sandbox.courier.letter(notice)
            async with self.house.http.post(f"{self.house.url}/notify/default", headers=headers, data=body):
                pass

    async def second(self) -> None:
        await self.house.tick(1_000)

    async def half_minute(self) -> None:
        await self.house.tick(30_000)

    async def refresh(self) -> None:
        if (payment := await self.payment()) is not None:
            await self.house.payments.refresh(payment.id)

    async def close(self) -> None:
        if (payment := await self.payment()) is not None:
            await self.house.payments.close(payment.id, by="test", reason="test")

    async def reverse(self) -> None:
        payment = await self.payment()
        if payment is not None and payment.till_id is not None:
            bill_id = payment.parts[0].subject.removeprefix("bill:")
            await self.house.bills.reverse("T1", bill_id, by="test", manages=True)

    async def call_off(self) -> None:
        """By request: of a charge that came, or of the next one, which then must not."""
        payment = await self.payment()
        if payment is not None and payment.till_id is not None:
            await self.house.bills.call_off("T1", payment.request_id, by="test", manages=True)
            return
        request_id = f"called-off-{self.chance.randint(1, 2**40):016d}"
        await self.house.bills.call_off("T1", request_id, by="test")
        with pytest.raises(RequestForbidden):
            await self.house.charge(700, request_id=request_id)

    async def refund(self) -> None:
        payment = await self.payment()
        if payment is None or payment.state is not PaymentState.PAID:
            return
        part = payment.parts[0]
        event = RefundDue(
            refund_key=f"k{self.chance.randint(1, 3)}",
            payment_id=payment.id,
            subject=part.subject,
            amount_fen=1 + part.amount_fen * self.chance.randint(0, 2) // 3,
            reason="test",
        )
        await self.house.db.transact(lambda tx: self.house.outbox.write(tx, event))
        await self.house.drain()

    async def trouble(self) -> None:
        self.house.switch(**self.chance.choice(TROUBLES))

    async def calm(self) -> None:
        self.house.switch()


async def judge(house: House) -> int:
    """The channel's books against ours; how many trades there were."""
    bank = house.sandbox.bank
    attempts = {one.id: one for one in await store.ATTEMPTS.many(house.db, {})}
    refunds = await store.REFUNDS.many(house.db, {})
    paid_subjects: Counter[str] = Counter()
    clearing_fen = 0
    for trade in bank.trades.values():
        ours = attempts[trade.out_trade_no]  # every number that left was stored before
        given = [one for one in bank.refunds.values() if one.out_trade_no == trade.out_trade_no]
        if trade.state in ("SUCCESS", "REFUND"):
            # A wrong amount was told by one notice only; whoever asked first decides how it is held.
            assert ours.state in {AttemptState.SUCCEEDED, AttemptState.INTEGRITY_HOLD}, (trade.state, ours.state)
            clearing_fen += (ours.paid_fen or 0) - sum(one.refund_fen for one in given if one.state == "SUCCESS")
        else:
            assert ours.state not in {AttemptState.SUCCEEDED, AttemptState.INTEGRITY_HOLD}, (trade.state, ours.state)
            assert given == []
        assert not ours.open, ours.state
    for payment in await store.PAYMENTS.many(house.db, {}):
        assert payment.state is not PaymentState.PAYING
        if payment.state is PaymentState.PAID:
            paid_subjects.update(part.subject for part in payment.parts)
    assert all(count == 1 for count in paid_subjects.values()), paid_subjects
    told = Counter(event.payment_id for event in house.heard if isinstance(event, PaymentSucceeded))
    assert all(count == 1 for count in told.values())
    assert sum(told.values()) == len([one for one in await store.PAYMENTS.many(house.db, {}) if one.paid_at])
    for refund in refunds:
        assert refund.state is RefundState.SUCCEEDED, refund
    balances = await house.balances()
    assert balances.get("channel_clearing", 0) == clearing_fen
    assert balances.get("refund_payable", 0) == 0
    await house.sound()
    return len(bank.trades)


async def life(uri: str, keys: Path, folder: Path, acts: list[str], seed: int) -> int:
    """One life; how many trades were judged at its end."""
    clock = TestClock()
    db = Database.connect(mongo_settings(uri))
    if "ready" not in _prepared:
        await db.create_indexes(mongo.declared)
        _prepared.add("ready")
    await db.wipe(mongo.declared)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(keys, folder / "keys")
    sandbox = Sandbox(folder, clock, production=False)
    gateway = await sandbox.start("127.0.0.1", 0, deliver=False)
    async with aiohttp.ClientSession() as http:
        house = House(db, clock, sandbox, http)
        app = web.Application()
        app.router.add_post("/notify/{account}", house.notified)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        house.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        house.build(
            {
                account: channel_for(sandbox, merchant, gateway, f"{house.url}/notify/{account}", http, clock, account)
                for account, merchant in accounts(sandbox).items()
            }
        )
        hand = Hand(house, random.Random(seed))
        for name in acts:
            await getattr(hand, name)()
        sandbox.bank.switch(Switches())
        # Rest: everything due within two hours happens, in larger steps than a second.
        for _ in range(60):
            clock.advance(120_000)
            sandbox.bank.age_refunds()
            await house.deliver()
            await house.drain()
        judged = await judge(house)
        await runner.cleanup()
    await sandbox.stop()
    await db.close()
    return judged


_prepared: set[str] = set()


def mongo_settings(uri: str) -> MongoSettings:
    return MongoSettings(uri=uri, prefix=f"t{os.getpid()}m")


@pytest.fixture
def dropped(mongo_uri: str) -> Iterator[None]:
    yield

    async def drop() -> None:
        db = Database.connect(mongo_settings(mongo_uri))
        await db.drop()
        await db.close()

    asyncio.run(drop())


@pytest.mark.slow
def test_no_success_is_dropped_and_none_counts_twice(
    mongo_uri: str, sandbox_keys: Path, tmp_path: Path, dropped: None
) -> None:  # A.9 invariants, PA2, PA4
    judged: list[int] = []

    @settings(
        max_examples=int(os.environ.get("OCTSHOP_EXAMPLES", "8")),
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(st.lists(st.sampled_from(ACTS), min_size=8, max_size=24), st.integers(0, 2**32))
    def machine(acts: list[str], seed: int) -> None:
        judged.append(asyncio.run(life(mongo_uri, sandbox_keys, tmp_path / "life", acts, seed)))

    machine()
    assert sum(judged) > 0  # there was money in these lives
