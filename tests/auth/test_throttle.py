"""Proves the slowing down of guesses: per account, per network, in all; many at once as one after the other."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from octshop_rt.commerce.member.sign_in import Proof
from octshop_rt.core.auth.model import Audience, Device, SignInBusy, TooManyTries, WrongCredentials
from octshop_rt.core.auth.throttle import FREE_TRIES, GLOBAL, PER_NETWORK
from octshop_rt.core.clock import HOUR, SECOND
from tests.auth.town import BUYER_PHONE, PASSWORD, Town

STRANGER = "13700000000"


async def test_wrong_passwords_are_slowed_down_the_same_for_strangers(settled: Town) -> None:
    for phone in (BUYER_PHONE, STRANGER):
        statuses: list[int] = []
        for number in range(5):
            answer = await settled.login("buyer", phone=phone, password="wrong password", ip=f"10.{number}.0.1")
            statuses.append(answer[0])
        assert statuses == [401] * 5
        waits: list[int] = []
        for number in range(4):
            # even the right one waits
            status, body, headers = await settled.login("buyer", phone=phone, password=PASSWORD, ip=f"10.9.{number}.1")
            assert (status, body["code"]) == (429, "auth.too_many_tries")
            waits.append(body["data"]["after_ms"])
            assert int(headers["Retry-After"]) * 1000 >= waits[-1]
            settled.clock.advance(waits[-1])
            await settled.login("buyer", phone=phone, password="wrong password", ip=f"10.8.{number}.1")
        assert waits == [30 * SECOND, 60 * SECOND, 120 * SECOND, 240 * SECOND]


async def test_many_guesses_at_once_are_no_more_than_one_after_the_other(settled: Town) -> None:
    async def tries(phone: str, count: int, password: str = "wrong password", **more: str) -> list[int]:
        answers = (
            settled.login("buyer", phone=phone, password=password, ip=f"10.{number}.0.1", **more)
            for number in range(count)
        )
        return sorted(status for status, _, _ in await asyncio.gather(*answers))

    for phone in (BUYER_PHONE, STRANGER):
        assert await tries(phone, 34) == [401] * FREE_TRIES + [429] * (34 - FREE_TRIES)
        settled.clock.advance(30 * SECOND)
        assert await tries(phone, 20) == [401] + [429] * 19  # and each wait is for one
    settled.clock.advance(HOUR)
    assert await tries(BUYER_PHONE, FREE_TRIES, PASSWORD) == [200] * FREE_TRIES  # right ones at once are right
    assert await tries(BUYER_PHONE, FREE_TRIES) == [401] * FREE_TRIES  # and have cost nothing


async def test_a_shop_s_phones_behind_one_address_sign_in_all_at_once(settled: Town) -> None:
    phones = [f"1380001{number:04d}" for number in range(30)]
    for phone in phones:
        await settled.members.add(phone=phone, nickname="phone", password=PASSWORD, admin=False)
    for _ in range(3):
        answers = await asyncio.gather(*(settled.login("buyer", phone=one, password=PASSWORD) for one in phones))
        assert [status for status, _, _ in answers] == [200] * 30
    for number in range(PER_NETWORK.burst):  # and after all these right ones the network has lost nothing
        status, _, _ = await settled.login("buyer", phone=f"1390000{number:04d}", code="000000")
        assert status == 401
    assert (await settled.login("buyer", phone=BUYER_PHONE, password=PASSWORD))[0] == 429


async def test_a_network_s_guesses_at_once_are_counted_before_they_are_looked_at(settled: Town) -> None:
    most = PER_NETWORK.burst
    answers = await asyncio.gather(
        *(settled.login("buyer", phone=f"1390000{number:04d}", code="000000") for number in range(most + 20))
    )
    assert sorted(status for status, _, _ in answers) == [401] * most + [429] * 20


async def test_a_password_nobody_had_time_to_look_at_was_no_guess(
    settled: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> bool:
        raise SignInBusy(after_ms=1)

    with monkeypatch.context() as patch:
        patch.setattr(settled.passwords, "verify", busy)
        for number in range(FREE_TRIES + 3):
            assert (await settled.login("buyer", phone=BUYER_PHONE, password=PASSWORD, ip=f"10.{number}.0.1"))[0] == 429
    assert (await settled.login("buyer", phone=BUYER_PHONE, password=PASSWORD))[0] == 200


async def test_the_owner_s_own_device_is_not_locked_out_by_a_stranger(settled: Town) -> None:
    assert (await settled.login("buyer", phone=BUYER_PHONE, password=PASSWORD, device="my-own-phone"))[0] == 200
    for number in range(6):
        await settled.login(
            "buyer", phone=BUYER_PHONE, password="wrong password", device="elsewhere", ip=f"10.{number}.0.1"
        )
    assert (await settled.login("buyer", phone=BUYER_PHONE, password=PASSWORD, device="elsewhere"))[0] == 429
    assert (await settled.login("buyer", phone=BUYER_PHONE, password=PASSWORD, device="my-own-phone"))[0] == 200


async def test_one_network_cannot_try_many_accounts(settled: Town) -> None:
    statuses = [
        (await settled.login("buyer", phone=f"1390000{number:04d}", code="000000", ip=f"203.0.113.{number}"))[0]
        for number in range(PER_NETWORK.burst + 1)
    ]
    assert statuses == [401] * PER_NETWORK.burst + [429]
    assert (await settled.login("buyer", phone=STRANGER, code="000000", ip="203.0.114.1"))[0] == 401


@pytest.mark.parametrize("proof", [{"password": "wrong password"}, {"code": "000000"}])
async def test_one_network_cannot_keep_the_world_out(settled: Town, proof: dict[str, str]) -> None:
    await settled.code(BUYER_PHONE)
    here = Device(id="device-0001", name="test", bearer=True, ip="192.0.2.1")
    for _ in range(GLOBAL.burst + 1):  # hammering one account: slowed down by the account, then by the network
        with suppress(WrongCredentials, TooManyTries):
            await settled.sign_in.enter(Audience.BUYER, BUYER_PHONE, Proof(**proof), here)
    assert (await settled.login("buyer", phone=STRANGER, **proof))[0] == 429
    status, _, _ = await settled.login("buyer", phone=STRANGER, code="000000", ip="203.0.114.1")
    assert status == 401


async def test_many_people_may_share_an_address(settled: Town) -> None:
    statuses = {(await settled.login("buyer", phone=BUYER_PHONE, password=PASSWORD))[0] for _ in range(40)}
    assert statuses == {200}


async def test_all_the_world_at_once_is_slowed_down_too(settled: Town) -> None:
    async def fail(audience: Audience, ip: str) -> None:
        async with settled.throttle.entering(audience, ip):
            raise WrongCredentials

    for number in range(300):
        with pytest.raises(WrongCredentials):
            await fail(Audience.BUYER, f"10.{number % 250}.{number}.1")
    with pytest.raises(TooManyTries):
        await fail(Audience.BUYER, "192.0.2.77")
    with pytest.raises(WrongCredentials):  # a door of its own
        await fail(Audience.STAFF, "192.0.2.77")
