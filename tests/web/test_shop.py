"""The buyer's pages in real Chromium: sign in, find, choose, buy once, pay on the sandbox phone, show the code."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Gate, Visit, Visitor

BUYER = "13800000001"
OTHER_BUYER = "13800000002"


def buy(buyer: Visitor, *, quantity: int = 1) -> None:
    """From the home page to the payment page, with the first product's first combination."""
    page = buyer.page
    page.locator("[data-product]").first.click()
    page.get_by_role("button", name=re.compile("立即购买|Buy now")).first.click()
    sheet = page.locator("[data-sheet]")
    for _ in range(quantity - 1):
        sheet.locator(".van-stepper__plus").click()
    sheet.get_by_role("button", name=re.compile("立即购买|Buy now")).click()
    page.get_by_role("button", name=re.compile("提交订单|Place order")).click()
    expect(page.locator("[data-phone]")).to_be_visible()


def pay_on_phone(buyer: Visitor) -> Page:
    """Open the sandbox phone from the payment page and confirm there."""
    with buyer.context.expect_page() as opened:
        buyer.page.locator("[data-phone]").click()
    phone = opened.value
    phone.get_by_role("button", name=re.compile("确认付款|^Pay ¥")).click()
    expect(phone.get_by_role("status")).to_contain_text(re.compile("付款成功|Paid"))
    return phone


def test_a_buyer_signs_in_with_a_code_read_on_the_sandbox_phone(visit: Visit) -> None:  # issue 7, 15
    buyer = visit("/shop/me")
    page = buyer.page
    page.get_by_role("button", name="登录", exact=True).click()
    page.locator("input[name=phone]").fill(OTHER_BUYER)
    page.get_by_role("button", name="获取验证码").click()
    expect(page.get_by_text("验证码已发送")).to_be_visible()
    buyer.shot("login-phone")
    with buyer.context.expect_page() as opened:
        page.get_by_role("link", name="打开模拟手机看短信").click()
    code = opened.value.locator("[data-code]").first.inner_text()
    opened.value.close()
    page.locator("input[name=code]").fill(code)
    page.locator("form").get_by_role("button", name="登录").click()
    expect(page.get_by_role("heading", name="阿澄")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="阿澄")).to_be_visible()
    page.get_by_text("登录设备").click()
    expect(page.get_by_text("本机")).to_be_visible()


def test_a_wrong_password_is_told_and_keeps_what_was_typed(visit: Visit, gate: Gate) -> None:
    gate.allow(r"^refused: 401 POST .*/buyer/login$")
    page = visit("/shop/login").page
    page.get_by_role("tab", name="密码登录").click()
    page.locator("input[name=phone]").fill(BUYER)
    page.locator("input[name=password]").fill("wrong-password")
    page.locator("form").get_by_role("button", name="登录").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("input[name=phone]")).to_have_value(BUYER)
    expect(page.locator("input[name=password]")).to_have_value("wrong-password")


def test_buy_pay_and_show_the_code(visit: Visit) -> None:  # issue 10–12, 16
    buyer = visit("/shop/", signed_in=BUYER)
    page = buyer.page
    expect(page.locator("[data-shop]").first).to_be_visible()
    buy(buyer, quantity=2)
    expect(page.locator(".qr img")).to_be_visible()
    buyer.shot("pay-phone")
    phone = pay_on_phone(buyer)
    phone.close()
    expect(page.get_by_role("heading", name="付款成功")).to_be_visible()
    page.get_by_role("button", name="查看券码").click()
    expect(page.locator(".qr img")).to_be_visible()
    expect(page.locator("[data-typed]")).to_have_text(re.compile(r"^\d{4} \d{4} \d{4}$"))
    buyer.shot("voucher-phone")
    # The order says the same in its own words.
    page.get_by_role("button", name="查看订单").click()
    expect(page.get_by_role("heading", name="待消费")).to_be_visible()
    expect(page.locator("li.newest")).to_contain_text("付款成功")
    buyer.shot("order-phone")


def test_pressing_twice_and_reloading_makes_one_order_and_one_payment(visit: Visit) -> None:  # issue 10, 11
    buyer = visit("/shop/", signed_in=OTHER_BUYER)
    page = buyer.page
    made: list[str] = []
    page.on("request", lambda request: made.append(request.post_data or ""))
    page.locator("[data-product]").nth(1).click()
    page.get_by_role("button", name="立即购买").first.click()
    page.locator("[data-sheet]").get_by_role("button", name="立即购买").click()
    page.get_by_role("button", name="提交订单").dblclick()
    expect(page.locator("[data-phone]")).to_be_visible()
    link = page.locator("[data-phone]").get_attribute("href")
    page.reload()
    expect(page.locator("[data-phone]")).to_be_visible()
    assert page.locator("[data-phone]").get_attribute("href") == link
    orders = [body for body in made if "expected_payable_fen" in body]
    assert len(orders) == 1
    page.goto(f"{buyer.base}/shop/orders?state=unpaid")
    page.locator("[data-order]").first.click()
    page.get_by_role("button", name="取消订单").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="再想想")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="取消订单").click()
    expect(page.get_by_role("heading", name="已取消")).to_be_visible()


def test_cart_keeps_lines_over_a_reload_and_checks_out_what_is_chosen(visit: Visit) -> None:
    buyer = visit("/shop/", signed_in=OTHER_BUYER)
    page = buyer.page
    for number in (0, 2):
        buyer.go("/shop/")
        page.locator("[data-product]").nth(number).click()
        page.get_by_role("button", name="加入", exact=True).click()
        page.locator("[data-sheet]").get_by_role("button", name="加入购物车").click()
        expect(page.locator(".van-toast")).to_contain_text("已加入购物车")
    buyer.go("/shop/cart")
    expect(page.locator(".line")).to_have_count(2)
    page.reload()
    expect(page.locator(".line")).to_have_count(2)
    page.locator(".line").nth(1).get_by_role("checkbox").click()
    buyer.shot("cart-phone")
    page.get_by_role("button", name="结算（1）").click()
    expect(page.get_by_role("heading", name="商品")).to_be_visible()


def test_search_finds_and_says_when_nothing_is_there(visit: Visit) -> None:
    page = visit("/shop/").page
    page.get_by_role("searchbox").fill("咖啡")
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_role("heading", name="“咖啡”的结果")).to_be_visible()
    expect(page.locator("[data-product]").first).to_contain_text(re.compile("咖啡|拿铁|冷萃"))
    page.get_by_role("searchbox").fill("不存在的东西")
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_text("没有找到商品")).to_be_visible()
    page.get_by_role("button", name="清除搜索").click()
    expect(page.locator("[data-product]").first).to_be_visible()


def test_nearby_sorts_by_distance_and_the_city_can_be_changed(visit: Visit) -> None:  # issue 10
    page = visit("/shop/nearby").page
    far = page.locator("[data-shop] .far")
    expect(far.first).to_be_visible()
    metres = [float(text.split()[0]) * (1000 if "km" in text else 1) for text in far.all_inner_texts()]
    assert metres == sorted(metres)
    page.get_by_role("button", name="杭州").click()
    page.get_by_role("button", name="上海").click()
    expect(page.get_by_text("按与上海市中心的距离排序")).to_be_visible()


def test_both_languages_leave_nothing_behind(visit: Visit) -> None:
    buyer = visit("/shop/me", signed_in=BUYER)
    page = buyer.page
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("link", name="Home").first).to_be_attached()
    assert page.locator("html").get_attribute("lang") == "en"
    words = re.sub("简体中文|小满|^小$", "", page.locator("main").inner_text(), flags=re.MULTILINE)
    assert not re.search(r"[\u4e00-\u9fff]", words), words
    page.get_by_role("button", name="简体中文").click()
    expect(page.get_by_role("button", name="退出登录")).to_be_visible()


PAGES = {
    "home": "/shop/",
    "nearby": "/shop/nearby",
    "product": "/shop/p/{product}",
    "shop": "/shop/s/{shop}",
    "checkout": "/shop/checkout?lines={sku}*2",
    "orders": "/shop/orders",
    "vouchers": "/shop/vouchers",
    "refunds": "/shop/refunds",
    "coupons": "/shop/coupons",
    "activity": "/shop/activity/P000000DEM00000000000000012",
    "messages": "/shop/messages",
    "chat": "/shop/chat/{shop}?product={product}",
    "me": "/shop/me",
    "cart": "/shop/cart",
    "login": "/shop/login",
    "devices": "/shop/devices",
    "phone-pay": "/phone/",
    "phone-code": "/phone/code",
    "phone-switches": "/phone/switches",
}


@pytest.mark.parametrize(
    ("size", "lang", "dark", "who"),  # by turns: one person opens only so many lines a minute
    [
        ("phone", "zh-CN", False, BUYER),
        ("phone", "en", True, OTHER_BUYER),
        ("tablet", "zh-CN", True, BUYER),
        ("desk", "zh-CN", False, OTHER_BUYER),
        ("desk", "en", True, BUYER),
    ],
)
def test_every_page_at_every_size_is_clean_and_never_wider_than_the_screen(
    visit: Visit, size: str, lang: str, dark: bool, who: str
) -> None:
    buyer = visit("/shop/", size=size, lang=lang, dark=dark, signed_in=who)
    page = buyer.page
    first = buyer.context.request.get(f"{buyer.base}/api/v1/buyer/products").json()["items"][0]
    whole = buyer.context.request.get(f"{buyer.base}/api/v1/buyer/products/{first['id']}").json()
    names = {"product": first["id"], "shop": first["shop_id"], "sku": whole["skus"][0]["id"]}
    for name, path in PAGES.items():
        buyer.go(path.format(**names))
        page.wait_for_load_state("networkidle") if "phone-" not in name else page.wait_for_timeout(400)
        buyer.shot(f"{name}-{size}-{lang}-{'dark' if dark else 'light'}")
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, f"{name} scrolls sideways by {width} px"


def test_an_unknown_address_says_so_and_leads_home(visit: Visit) -> None:
    page = visit("/shop/nope").page
    expect(page.get_by_role("heading", name="页面不存在")).to_be_visible()
    page.get_by_role("button", name="回到首页").click()
    expect(page.locator("[data-product]").first).to_be_visible()
