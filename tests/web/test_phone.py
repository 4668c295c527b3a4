"""The sandbox phone: scan, refuse, pay; and whatever trouble it makes, the buyer's page ends at the truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.web.conftest import Launch, Product, Visit
from tests.web.fakecam import film
from tests.web.people import Wallet
from tests.web.test_shop import buy, pay_on_phone

BUYER = "13800000001"
OTHER_BUYER = "13800000002"


@pytest.fixture
def calm(product: Product) -> Iterator[None]:
    """Whatever a test switches on is off again."""
    yield
    Wallet(product).switch(notice_lost=False, notice_double=False, notice_forged=False, notice_wrong_amount=False)


def test_the_phone_scans_the_code_from_the_buyers_screen(visit: Visit, launch: Launch, tmp_path: Path) -> None:
    buyer = visit("/shop/", signed_in=OTHER_BUYER, size="desk")
    page = buyer.page
    page.locator("[data-product]").first.click()
    page.get_by_role("button", name="立即购买").click()
    page.get_by_role("button", name="提交订单").click()
    expect(page.locator("[data-phone]")).to_be_visible()
    buyer.shot("pay-desk")
    camera = film(page.locator(".qr img").screenshot(), tmp_path / "pay.y4m")
    payer = visit("/phone/", browser=launch(camera), camera=True)
    payer.page.get_by_role("button", name="扫一扫").click()
    expect(payer.page.locator("[data-pay]")).to_contain_text("22.00")
    payer.shot("phone-confirm-phone")
    payer.page.get_by_role("button", name="拒绝付款").click()
    expect(payer.page.get_by_role("status")).to_be_visible()
    # Refused is not paid: the shop goes on waiting, and the order can still be paid.
    expect(page.locator("[data-phone]")).to_be_visible()


def test_a_lost_notice_costs_nothing_but_a_moment(visit: Visit, calm: None) -> None:  # issue 11
    switches = visit("/phone/switches")
    switches.page.locator("[data-switch=notice_lost]").click()
    expect(switches.page.locator(".van-toast")).to_contain_text("已保存")
    buyer = visit("/shop/", signed_in=BUYER)
    buy(buyer)
    pay_on_phone(buyer).close()
    expect(buyer.page.get_by_role("heading", name="付款成功")).to_be_visible(timeout=20_000)


def test_the_code_is_fetched_anew_when_its_half_minute_is_over(visit: Visit) -> None:  # issue 12
    buyer = visit("/shop/", signed_in=BUYER)
    page = buyer.page
    page.clock.install()
    buy(buyer)
    pay_on_phone(buyer).close()
    page.get_by_role("button", name="查看券码").click()
    expect(page.locator(".qr img")).to_be_visible()
    with page.expect_response("**/code") as fetched:
        page.clock.fast_forward(31_000)
    assert fetched.value.json()["digits"].isdigit()
    assert len(fetched.value.json()["digits"]) > 24
