"""The HTTP face of the write-off: a buyer and a clerk, from code to redemption, each door closed to the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec import structs

from octshop_rt.core.auth.model import Audience
from octshop_rt.core.clock import DAY, business_day
from octshop_rt.core.uploads import PicturePool
from octshop_rt.verify.api import PAGE, BuyerVouchers, ClerkDesk
from tests.http.city import City, running
from tests.verify.desk import CLERK, House
from tests.verify.test_photo import DIGITS, PHOTO

HERE = "S1"


class Pages:
    """A buyer, a clerk and others with a browser each."""

    def __init__(self, house: House, city: City) -> None:
        self.house, self.city = house, city
        self.headers: dict[str, dict[str, str]] = {}

    async def sign_in(self) -> None:
        for name, audience in (("U1", Audience.BUYER), ("Uclerk", Audience.STAFF), ("Uother", Audience.STAFF)):
            self.headers[name] = await self.city.bearer(audience, name)
        self.headers["Ufinance"] = await self.city.bearer(Audience.STAFF, "Ufinance")

    async def ask(self, who: str, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
        headers = {**self.headers.get(who, {}), **more.pop("headers", {})}
        async with self.city.client.request(method, self.city.api + path, headers=headers, **more) as answer:
            return answer.status, await answer.json(content_type=None)

    async def buy(self, **line: object) -> str:
        return (await self.house.sell(shop_id=HERE, buyer_id="U1", **line)).id


@pytest.fixture
async def pages(house: House) -> AsyncIterator[Pages]:
    pictures = PicturePool()
    desk = ClerkDesk(
        house.db, clock=house.clock, scanner=house.node.scanner, redeemer=house.node.redeemer, pictures=pictures
    )
    async with running(house.db, extra=[*BuyerVouchers(house.node.codes).routes(), *desk.routes()]) as city:
        made = Pages(house, city)
        await made.sign_in()
        yield made
    pictures.close()


async def test_from_the_buyers_page_to_the_write_off(pages: Pages):
    # req 12.1, 12.2, 12.3
    voucher_id = await pages.buy(uses_each=5)
    status, listed = await pages.ask("U1", "GET", "/buyer/vouchers")
    assert (status, [one["id"] for one in listed["items"]], listed["next"]) == (200, [voucher_id], None)
    status, code = await pages.ask("U1", "GET", f"/buyer/vouchers/{voucher_id}/code")
    assert status == 200
    assert code["svg"].startswith("<svg")
    status, scan = await pages.ask("Uclerk", "POST", f"/shop/{HERE}/scans", json={"text": code["digits"]})
    assert (status, scan["kind"], scan["voucher"]["uses_left"]) == (200, "voucher", 5)
    body = {"request_id": "r" * 16, "scan_token": scan["scan_token"], "uses": 2}
    status, used = await pages.ask("Uclerk", "POST", f"/shop/{HERE}/redemptions", json=body)
    assert (status, used["uses_left"], used["amount_fen"], used["by"]) == (201, 3, 3_600, "Ke")
    assert (await pages.ask("Uclerk", "POST", f"/shop/{HERE}/redemptions", json=body)) == (201, used)
    status, today = await pages.ask("Uclerk", "GET", f"/shop/{HERE}/redemptions")
    assert [one["id"] for one in today["items"]] == [used["id"]]
    status, page = await pages.ask("U1", "GET", f"/buyer/vouchers/{voucher_id}")
    assert (status, page["uses_left"], page["state"]) == (200, 3, "active")


async def test_a_refusal_says_why_in_both_languages_with_data(pages: Pages):
    voucher_id = await pages.buy(valid_from=pages.house.clock.now() + DAY)
    status, code = await pages.ask("U1", "GET", f"/buyer/vouchers/{voucher_id}")
    body = {"request_id": "r" * 16, "text": code["typed_code"]}
    for lang, word in (("zh-CN", "起可用"), ("en", "is valid from")):
        status, problem = await pages.ask(
            "Uclerk", "POST", f"/shop/{HERE}/redemptions", json=body, headers={"Accept-Language": lang}
        )
        assert (status, problem["code"], problem["retry"]) == (409, "verify.not_yet_valid", False)
        assert word in problem["detail"]
        assert problem["data"]["valid_from"] == pages.house.clock.now() + DAY


@pytest.mark.parametrize(
    ("who", "status"), [("Uclerk", 200), ("Ufinance", 403), ("Uother", 404), ("U1", 401), ("nobody", 401)]
)
async def test_only_a_clerk_of_this_shop_may_scan(pages: Pages, who: str, status: int):
    # req 12.5
    voucher = await pages.house.sell(shop_id=HERE, buyer_id="U1")
    answer, _ = await pages.ask(who, "POST", f"/shop/{HERE}/scans", json={"text": voucher.typed_code})
    assert answer == status


async def test_fresh_codes(pages: Pages):
    voucher_id = await pages.buy()
    path = f"/buyer/vouchers/{voucher_id}/code"
    _, old = await pages.ask("U1", "GET", path)
    status, new = await pages.ask("U1", "POST", path, json={"request_id": "r" * 16})
    assert status == 200
    assert (new["typed_code"] != old["typed_code"], new["digits"] != old["digits"]) == (True, True)
    status, problem = await pages.ask("Uclerk", "POST", f"/shop/{HERE}/scans", json={"text": old["digits"]})
    assert (status, problem["code"]) == (409, "verify.code_burnt")


async def test_a_photo_is_read_and_what_is_none_is_refused(pages: Pages):
    path = f"/shop/{HERE}/scan-photos"
    jpeg = {"Content-Type": "image/jpeg"}
    assert await pages.ask("Uclerk", "POST", path, data=PHOTO, headers=jpeg) == (200, {"texts": [DIGITS]})
    status, problem = await pages.ask("Uclerk", "POST", path, data=b"hello", headers=jpeg)
    assert (status, problem["code"]) == (415, "upload.not_a_picture")
    status, problem = await pages.ask("Uclerk", "POST", path, data=PHOTO, headers={"Content-Type": "text/html"})
    assert status == 415


@pytest.mark.parametrize(
    "body",
    [
        {"request_id": "r" * 16},
        {"request_id": "r" * 16, "text": "1", "scan_token": "Z1"},
        {"request_id": "r" * 16, "text": "1", "uses": 0},
        {"request_id": "r" * 16, "text": "1", "uses": -1},
        {"request_id": "r" * 16, "text": "1" * 513},
        {"request_id": "short", "text": "1"},
        {"request_id": "r" * 16, "text": {"$gt": ""}},
        {"request_id": "r" * 16, "text": "1", "amount_fen": 1},
    ],
)
async def test_bad_bodies_are_refused(pages: Pages, body: dict[str, object]):
    status, problem = await pages.ask("Uclerk", "POST", f"/shop/{HERE}/redemptions", json=body)
    assert (status, problem["code"]) == (400, "core.bad_input")


async def test_pages_of_a_day(pages: Pages):
    # req 12.11
    for _ in range(PAGE + 2):
        voucher = await pages.house.sell(shop_id=HERE, buyer_id="U1")
        await pages.house.redeem(voucher.typed_code, by=structs.replace(CLERK, shop_id=HERE))
    day = business_day(pages.house.clock.now())
    status, first = await pages.ask("Uclerk", "GET", f"/shop/{HERE}/redemptions?day={day}")
    assert (status, len(first["items"])) == (200, PAGE)
    _, second = await pages.ask("Uclerk", "GET", f"/shop/{HERE}/redemptions?day={day}&cursor={first['next']}")
    assert (len(second["items"]), second["next"]) == (2, None)
    ids = [one["id"] for one in [*first["items"], *second["items"]]]
    assert ids == sorted(set(ids), reverse=True)
    assert (await pages.ask("Uclerk", "GET", f"/shop/{HERE}/redemptions?day=2026-02-31"))[0] == 400
    _, vouchers = await pages.ask("U1", "GET", "/buyer/vouchers?state=used")
    assert (len(vouchers["items"]), vouchers["next"] is not None) == (PAGE, True)
