"""What the platform's own service can be asked about: any order, and any product that was looked at."""

from __future__ import annotations

import re
import secrets

from playwright.sync_api import expect

from tests.web.conftest import Gate, Product, Visit
from tests.web.desk import SECOND
from tests.web.people import CARD_OF_TEN, FLOWERS, LATTE, BuyerByWire

_PAGE = 20


def test_the_platform_is_asked_about_any_order_and_what_was_seen(visit: Visit, product: Product) -> None:  # req I6
    wire = BuyerByWire.sign_in(product, SECOND)
    wire.buy(CARD_OF_TEN)
    goods = wire("GET", f"/buyer/products?shop_id={FLOWERS}")["items"][0]
    buyer = visit(f"/shop/p/{goods['id']}", signed_in=SECOND)
    page = buyer.page
    expect(page.get_by_text(goods["title"]).first).to_be_visible()
    buyer.go("/shop/chat/platform")
    page.get_by_test_id("more-open").click()
    page.get_by_test_id("more-order").click()
    expect(page.get_by_test_id("pick").filter(has_text=CARD_OF_TEN).first).to_contain_text("豆芽咖啡")
    buyer.shot("pick-any-order-phone")
    page.get_by_test_id("pick").filter(has_text=CARD_OF_TEN).first.click()
    expect(page.locator("[data-bubble][data-kind=order]").filter(has_text=CARD_OF_TEN)).to_be_visible()
    page.get_by_test_id("more-open").click()
    page.get_by_test_id("more-product").click()
    expect(page.get_by_test_id("pick")).to_have_count(1)
    expect(page.get_by_test_id("pick").filter(has_text=LATTE)).to_have_count(0)
    page.get_by_test_id("pick").filter(has_text=goods["title"]).click()
    expect(page.locator("[data-bubble][data-kind=product]").filter(has_text=goods["title"])).to_be_visible()


def test_a_further_page_that_fails_takes_nothing_away_and_is_asked_for_again(
    visit: Visit, product: Product, gate: Gate
) -> None:  # req I6
    gate.allow("failed: GET .*cursor=|ERR_FAILED")
    wire = BuyerByWire.sign_in(product, SECOND)
    for _ in range(_PAGE + 1):
        order = wire.order(CARD_OF_TEN)
        wire("POST", f"/buyer/orders/{order}/cancel", {"request_id": secrets.token_hex(10)})  # few may be unpaid
    buyer = visit("/shop/chat/platform", signed_in=SECOND)
    page = buyer.page
    page.get_by_test_id("more-open").click()
    page.get_by_test_id("more-order").click()
    expect(page.get_by_test_id("pick")).to_have_count(_PAGE)
    page.route(re.compile("cursor="), lambda route: route.abort())
    more = page.get_by_test_id("pick-more")
    more.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("pick-card").get_by_role("alert")).to_be_visible()
    expect(page.get_by_test_id("pick")).to_have_count(_PAGE)
    expect(more).to_be_focused()
    page.unroute_all()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("pick").nth(_PAGE)).to_be_visible()
