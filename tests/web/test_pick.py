"""What the platform's own service can be asked about: any order, and any product that was looked at."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.web.conftest import Product, Visit
from tests.web.desk import SECOND
from tests.web.people import CARD_OF_TEN, FLOWERS, LATTE, BuyerByWire


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
    page.get_by_test_id("pick").filter(has_text=goods["title"]).click()
    expect(page.locator("[data-bubble][data-kind=product]").filter(has_text=goods["title"])).to_be_visible()
    expect(page.get_by_text(LATTE)).to_have_count(0)
