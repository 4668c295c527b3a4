"""The simulator itself: what survives a restart, when it comes again, whom it refuses, and its phone API."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from octshop_rt.core.clock import HOUR, MINUTE, SECOND, TestClock
from octshop_rt.sandbox.assistant import SimulatedAssistant
from octshop_rt.sandbox.model import SandboxInProduction, Switches
from octshop_rt.sandbox.notices import RETRIES_MS
from octshop_rt.sandbox.server import Sandbox
from tests.payment.conftest import House


def test_it_refuses_production(tmp_path: Path, clock: TestClock) -> None:  # req 5.9
    with pytest.raises(SandboxInProduction):
        Sandbox(tmp_path, clock, production=True)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SandboxInProduction):
        SimulatedAssistant("k", production=True)


async def test_keys_trades_and_switches_survive_a_restart(house: House) -> None:
    view = await house.open()
    attempt = await house.attempt(view.payment_id)
    house.switch(notice_late_ms=5)
    house.pay(attempt.id)
    folder = house.sandbox.keys.public_key_file.parent.parent
    with (folder / "journal.jsonl").open("ab") as torn:
        torn.write(b'["trade","1900000109/A')  # killed while writing
    again = Sandbox(folder, house.clock, production=False)
    merchant = again.merchant("1900000109", "wx1900000109", "老街面馆")
    assert again.bank.trades == house.sandbox.bank.trades
    assert again.bank.notices == house.sandbox.bank.notices
    assert again.bank.switches == Switches(notice_late_ms=5)
    assert again.keys.public.serial_no == house.sandbox.keys.public.serial_no
    assert merchant.serial_no == house.sandbox.merchant("1900000109", "wx1900000109", "x").serial_no
    again.bank.close()


async def test_secrets_are_readable_by_their_owner_only(house: House) -> None:
    folder = house.sandbox.keys.public_key_file.parent
    for secret in (folder / "platform1_key.pem", *folder.glob("*/apiclient_key.pem"), *folder.glob("*/apiv3_key.txt")):
        assert secret.stat().st_mode & 0o077 == 0, secret


async def test_notices_come_again_on_the_published_schedule(house: House) -> None:  # A.3
    assert len(RETRIES_MS) == 15
    assert sum(RETRIES_MS) == 24 * HOUR + 4 * MINUTE
    view = await house.open()
    house.pay((await house.attempt(view.payment_id)).id)
    house.switch(notice_forged=True)  # answered with 401 each time
    taken_at: list[int] = []
    started = house.clock.now()
    for _ in range(16):
        before = len(house.answers)
        await house.deliver()
        assert len(house.answers) == before + 1
        taken_at.append(house.clock.now() - started)
        (notice,) = house.sandbox.bank.notices.values()
        if notice.state == "owed":
            house.clock.advance(notice.due_at - house.clock.now() - 1)
            assert await house.deliver() == 0
            assert len(house.answers) == before + 1  # not a millisecond early
            house.clock.advance(1)
    assert taken_at[:5] == [0, 15 * SECOND, 30 * SECOND, 60 * SECOND, 240 * SECOND]
    (notice,) = house.sandbox.bank.notices.values()
    assert (notice.state, notice.tries) == ("given up", 15)


async def test_the_phone_sees_confirms_and_is_told_what_is_wrong(house: House) -> None:  # req 11
    phone = f"{house.channel._settings.gateway_url}/phone/api"
    view = await house.open()
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{phone}/orders", params={"code_url": view.code_url or ""}) as answer:
            seen = await answer.json()
            assert (seen["amount_fen"], seen["merchant"], seen["state"]) == (1280, "老街面馆", "NOTPAY")
        async with http.get(f"{phone}/orders", params={"code_url": "weixin://nothing"}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, "sandbox.no_such_code")
        confirm = {"code_url": view.code_url, "decision": "pay"}
        async with http.post(f"{phone}/confirm", json=confirm) as answer:
            assert (await answer.json())["state"] == "SUCCESS"
        async with http.post(f"{phone}/confirm", json=confirm) as answer:
            assert (answer.status, (await answer.json())["code"]) == (409, "sandbox.order_ended")
        async with http.post(f"{phone}/confirm", json={"decision": "perhaps"}) as answer:
            assert answer.status == 400
        async with http.put(f"{phone}/switches", json={"slow_ms": 7}) as answer:
            assert (await answer.json())["slow_ms"] == 7
        async with http.put(f"{phone}/switches", json={"notice_lost": True}) as answer:
            told = await answer.json()
            assert (told["slow_ms"], told["notice_lost"]) == (7, True)
        for bad in ({"slow_ms": -1}, {"unheard_of": 1}, [1]):
            async with http.put(f"{phone}/switches", json=bad) as answer:
                assert answer.status == 400


async def test_a_merchants_clock_may_be_wrong_by_five_minutes(house: House) -> None:  # A.1
    class Skewed(TestClock):
        skew = 0

        def now(self) -> int:
            return house.clock.now() + self.skew

    skewed = Skewed()
    house.channel._clock = skewed
    for skew, known in ((299_000, True), (-299_000, True), (302_000, False), (-302_000, False)):
        skewed.skew = skew
        answer = await house.channel._send("GET", "/v3/pay/transactions/out-trade-no/ANOTHING1?mchid=1900000109", None)
        assert answer[0] == (404 if known else 401), skew


async def test_certificates_rotate_under_a_merchant_in_certificate_mode(house: House, tmp_path: Path) -> None:  # A.1
    old = house.sandbox.keys.newest
    file = tmp_path / "old.pem"
    file.write_text(old.pem)
    from msgspec import structs

    from octshop_rt.commerce.payment.channels.wechat import WechatChannel

    settings = structs.replace(house.channel._settings, platform_key_id=old.serial_no, platform_key_file=str(file))
    channel = WechatChannel("default", settings, house.http, house.clock)
    assert type(await channel.query("ANOTHING1")).__name__ == "Missing"
    house.sandbox.keys.rotate()
    assert type(await channel.query("ANOTHING1")).__name__ == "Missing"  # fetched, proven, learnt
    house.sandbox.keys.rotate()
    assert type(await channel.query("ANOTHING1")).__name__ == "Unknown"  # at most once a minute
    house.clock.advance(61_000)
    assert type(await channel.query("ANOTHING1")).__name__ == "Missing"
