"""The cashier's page in real Chromium: four endings on four screens, and nobody is charged twice."""

from __future__ import annotations

import re
import time
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, Route, expect

from tests.web.conftest import Gate, Launch, Product, Size, Visit, Visitor
from tests.web.fakecam import film
from tests.web.people import CASHIER, COFFEE, Wallet, gun, qr_png

TILL = "T000000DEM00000000000000111"
OTHER_TILL = "T000000DEM00000000000000112"
CHARGES = "**/tills/*/charges"
REQUESTS = "**/tills/*/requests/**"
SHOP_ZONE = ZoneInfo("Asia/Shanghai")


def at_the_till(cashier: Visitor, till: str = TILL) -> Page:
    """Choose the shop and the till, as on the first morning."""
    page = cashier.page
    page.locator(f"[data-shop={COFFEE}]").click()
    page.locator(f"[data-till={till}]").click()
    expect(page.get_by_test_id("panel-idle")).to_be_visible()
    return page


def amount(page: Page, text: str) -> None:
    """On the pad, key by key."""
    for key in text:
        page.get_by_test_id(f"key-{key}").click()


def taken(page: Page) -> int:
    """Payments of this till today, by the server's word."""
    answer = page.context.request.get(f"{page.url.split('/pos/')[0]}/api/v1/shop/{COFFEE}/tills/{TILL}/takings")
    return int(answer.json()["count"])


@pytest.fixture
def wallet(product: Product) -> Wallet:
    """The customer's."""
    return Wallet(product)


def test_amount_by_keyboard_then_a_gun_and_the_till_says_paid(visit: Visit, wallet: Wallet) -> None:  # issue 13, 16
    cashier = visit("/pos/", signed_in=CASHIER, audience="staff", size="tablet")
    page = at_the_till(cashier)
    gun(page, wallet.payment_code())
    expect(page.get_by_test_id("scan-refused")).to_contain_text("还没有输入金额")
    # A person's keys are an amount; a gun's burst never is.
    page.keyboard.type("12.5", delay=120)
    expect(page.get_by_test_id("amount")).to_have_text("¥12.5")
    gun(page, "839201774455")
    expect(page.get_by_test_id("scan-refused")).to_contain_text("核销码")
    expect(page.get_by_test_id("amount")).to_have_text("¥12.5")
    gun(page, wallet.payment_code())
    expect(page.get_by_test_id("panel-paid")).to_contain_text("收款成功")
    expect(page.get_by_test_id("end-amount")).to_have_attribute("aria-label", "¥12.50")
    cashier.shot("pos-paid-tablet")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("panel-idle")).to_be_visible()
    expect(page.get_by_test_id("amount")).to_have_text("¥0")
    expect(page.get_by_test_id("last-payments").locator("li").first).to_contain_text("¥12.50")
    page.get_by_test_id("open-takings").click()
    expect(page.get_by_test_id("takings")).to_contain_text("微信支付")
    cashier.shot("pos-takings-tablet")


def test_a_qr_is_paid_and_the_socket_tells_it(visit: Visit, wallet: Wallet) -> None:  # issue 13
    cashier = visit("/pos/", signed_in=CASHIER, audience="staff", size="desk")
    page = at_the_till(cashier)
    expect(page.get_by_test_id("connection")).to_have_attribute("data-online", "true")
    page.get_by_test_id("method-qr").click()
    amount(page, "36")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    page.get_by_test_id("collect").dblclick(force=True)
    code = page.get_by_test_id("qr")
    expect(code).to_be_visible()
    expect(page.get_by_test_id("panel-waiting")).to_contain_text("后失效")
    cashier.shot("pos-qr-desk")
    phone = page.get_by_test_id("sandbox-phone").get_attribute("href") or ""
    assert parse_qs(urlsplit(phone).query)["code_url"] == [code.get_attribute("data-text")]
    wallet.scan(code.get_attribute("data-text") or "")
    # Asking alone would take up to eight seconds while the socket is up.
    expect(page.get_by_test_id("panel-paid")).to_be_visible(timeout=5_000)
    charges = [one for one in sent if one.startswith("POST") and one.endswith("/charges")]
    assert len(charges) == 1, "two presses are one collection"


def test_with_the_socket_down_asking_finds_it(visit: Visit, gate: Gate, wallet: Wallet) -> None:
    gate.allow(r"WebSocket")
    cashier = visit("/pos/", signed_in=CASHIER, audience="staff", size="desk")
    cashier.page.route_web_socket(re.compile(r"/im$"), lambda socket: socket.close(code=4011))
    cashier.page.reload()
    page = at_the_till(cashier)
    expect(page.get_by_test_id("connection")).to_have_attribute("data-online", "false")
    page.get_by_test_id("method-qr").click()
    amount(page, "8")
    page.keyboard.press("Enter")
    wallet.scan(page.get_by_test_id("qr").get_attribute("data-text") or "")
    expect(page.get_by_test_id("panel-paid")).to_be_visible(timeout=8_000)


def test_a_password_is_waited_for_and_a_refusal_is_another_screen(visit: Visit, wallet: Wallet) -> None:
    cashier = visit("/pos/", signed_in=CASHIER, audience="staff", size="desk", dark=True)
    page = at_the_till(cashier)
    amount(page, "1500")
    gun(page, wallet.payment_code())
    expect(page.get_by_test_id("panel-paying")).to_contain_text("等待顾客确认")
    expect(page.get_by_test_id("reverse")).to_be_disabled()
    cashier.shot("pos-paying-desk-dark")
    gun(page, wallet.payment_code())
    expect(page.get_by_test_id("panel-paying")).to_be_visible()
    wallet.answer_password("refuse")
    failed = page.get_by_test_id("panel-failed")
    expect(failed).to_be_visible(timeout=20_000)
    expect(failed).to_contain_text("顾客没有被扣款")
    cashier.shot("pos-failed-desk-dark")
    page.get_by_test_id("again").click()
    expect(page.get_by_test_id("amount")).to_have_text("¥1,500")
    gun(page, wallet.payment_code())
    expect(page.get_by_test_id("panel-paying")).to_be_visible()
    wallet.answer_password("pay")
    expect(page.get_by_test_id("panel-paid")).to_be_visible(timeout=20_000)


def lose_answers(page: Page) -> list[str]:
    """The server charges; its answers never arrive, and asking by the request does not get through either."""
    bodies: list[str] = []

    def lose(route: Route) -> None:
        bodies.append(route.request.post_data or "")
        route.fetch()
        route.abort("connectionreset")

    def unasked(route: Route) -> None:
        # What the cashier decides gets through: only the page's own asking, which no finger can outrun, is kept away.
        if route.request.method == "GET":
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route(CHARGES, lose)
    page.route(REQUESTS, unasked)
    return bodies


def found_again(page: Page) -> None:
    """The line is back."""
    page.unroute(CHARGES)
    page.unroute(REQUESTS)


def test_unknown_offers_query_and_reverse_and_never_charges_again(  # issue 13
    visit: Visit, gate: Gate, wallet: Wallet
) -> None:
    gate.allow(r"^failed: .*/(charges|requests)")
    gate.allow(r"ERR_CONNECTION")
    cashier = visit("/pos/", signed_in=CASHIER, audience="staff", size="desk")
    page = at_the_till(cashier)
    before = taken(page)
    bodies = lose_answers(page)
    amount(page, "128")
    gun(page, wallet.payment_code())
    unknown = page.get_by_test_id("panel-unknown")
    expect(unknown).to_be_visible()
    offered = [button.get_attribute("data-testid") for button in unknown.get_by_role("button").all()]
    assert offered == ["query", "reverse"]
    cashier.shot("pos-unknown-desk")
    # Neither another scan nor Enter nor Escape leads away from it.
    gun(page, wallet.payment_code())
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("collect")).to_be_disabled()
    page.get_by_test_id("query").click()
    expect(page.get_by_test_id("trouble")).to_be_visible()
    page.reload()
    expect(unknown).to_be_visible()
    # It asks by itself at once, and again gets no answer.
    expect(page.get_by_test_id("trouble")).to_be_visible()
    found_again(page)
    # The till may have asked by itself before the cashier's finger is down.
    page.evaluate("document.querySelector('[data-testid=query]')?.click()")
    expect(page.get_by_test_id("panel-paid")).to_be_visible()
    assert len(bodies) == 1, "neither a query nor a reload charges"
    assert taken(page) == before + 1


def test_reversing_an_unknown_charge_gives_the_money_back(visit: Visit, gate: Gate, wallet: Wallet) -> None:
    gate.allow(r"^failed: .*/(charges|requests)")
    gate.allow(r"ERR_CONNECTION")
    cashier = visit("/pos/", signed_in=CASHIER, audience="staff", size="phone")
    page = at_the_till(cashier)
    before = taken(page)
    lose_answers(page)
    amount(page, "1288")
    gun(page, wallet.payment_code())
    expect(page.get_by_test_id("panel-unknown")).to_be_visible()
    cashier.shot("pos-unknown-phone")
    page.get_by_test_id("reverse").click()
    found_again(page)
    reversed_ = page.get_by_test_id("panel-reversed").or_(page.get_by_test_id("panel-failed"))
    expect(reversed_).to_be_visible(timeout=30_000)
    cashier.shot("pos-reversed-phone")
    assert taken(page) == before


def test_a_code_taken_away_is_closed(visit: Visit) -> None:
    page = at_the_till(visit("/pos/", signed_in=CASHIER, audience="staff", size="desk"), OTHER_TILL)
    page.keyboard.press("F2")
    page.keyboard.type("88", delay=120)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("qr")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("panel-closed")).to_contain_text("没有收款")
    page.get_by_test_id("next").click()
    expect(page.get_by_test_id("panel-idle")).to_be_visible()
    expect(page.get_by_test_id("amount")).to_have_text("¥0")


def test_the_next_sale_never_takes_the_amount_of_a_failed_one(visit: Visit, wallet: Wallet) -> None:
    page = at_the_till(visit("/pos/", signed_in=CASHIER, audience="staff", size="desk"), OTHER_TILL)
    for leave in ("Enter", "Escape", "5"):
        page.keyboard.type("1500", delay=120)
        gun(page, wallet.payment_code())
        expect(page.get_by_test_id("panel-paying")).to_be_visible()
        wallet.answer_password("refuse")
        expect(page.get_by_test_id("panel-failed")).to_be_visible(timeout=20_000)
        page.keyboard.press(leave)
        expect(page.get_by_test_id("panel-idle")).to_be_visible()
        expect(page.get_by_test_id("amount")).to_have_text("¥5" if leave == "5" else "¥0")


def test_times_are_the_shops_wherever_the_device_is(visit: Visit, wallet: Wallet) -> None:
    cashier = visit("/pos/", signed_in=CASHIER, audience="staff", size="desk", lang="en", zone="America/New_York")
    page = at_the_till(cashier, OTHER_TILL)
    amount(page, "3")
    began = datetime.now(SHOP_ZONE)
    gun(page, wallet.payment_code())
    expect(page.get_by_test_id("panel-paid")).to_be_visible()
    ended = datetime.now(SHOP_ZONE)
    shown = page.get_by_test_id("last-payments").locator("li").first.locator("time")
    expect(shown).to_have_text(re.compile(f"^({began:%H:%M}|{ended:%H:%M})$"))


def test_the_camera_and_typing_take_a_code_too(visit: Visit, launch: Launch, wallet: Wallet, tmp_path: Path) -> None:
    camera = film(qr_png(wallet.payment_code()), tmp_path / "code.y4m")
    began = time.monotonic()
    cashier = visit("/pos/", signed_in=CASHIER, audience="staff", size="phone", browser=launch(camera), camera=True)
    page = at_the_till(cashier)
    amount(page, "6")
    page.get_by_test_id("by-typing").click()
    page.get_by_test_id("paycode").fill(wallet.payment_code())
    page.get_by_test_id("paycode-submit").click()
    expect(page.get_by_test_id("panel-paid")).to_be_visible()
    cashier.shot("pos-paid-phone")
    page.get_by_test_id("next").click()
    amount(page, "7")
    if time.monotonic() - began > 50:
        pytest.fail("too slow: the payment code in the film lives a minute")
    page.get_by_test_id("by-camera").click()
    expect(page.get_by_test_id("panel-paid")).to_be_visible()
    expect(page.get_by_test_id("end-amount")).to_have_attribute("aria-label", "¥7.00")


def test_the_limit_is_told_and_two_decimals_are_enough(visit: Visit) -> None:
    page = at_the_till(visit("/pos/", signed_in=CASHIER, audience="staff", size="phone"), OTHER_TILL)
    amount(page, "50000")
    page.get_by_test_id("key-0").click()
    expect(page.get_by_text("单笔最多 ¥50,000.00")).to_be_visible()
    page.get_by_test_id("key-clear").click()
    page.get_by_test_id("key-1").click()
    page.get_by_test_id("key-00").click()
    amount(page, ".256")
    expect(page.get_by_test_id("amount")).to_have_text("¥100.25")
    expect(page.get_by_text("最多两位小数")).to_be_visible()


@pytest.mark.parametrize(
    ("size", "lang", "dark"),
    [("phone", "zh-CN", False), ("tablet", "en", True), ("desk", "zh-CN", True), ("desk", "en", False)],
)
def test_the_till_at_every_size_in_both_languages(visit: Visit, size: Size, lang: str, dark: bool) -> None:
    cashier = visit("/pos/", size=size, lang=lang, dark=dark, signed_in=CASHIER, audience="staff")
    page = at_the_till(cashier)
    cashier.shot(f"pos-{size}-{lang}-{'dark' if dark else 'light'}")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    if lang == "en":
        assert not re.search(r"[\u4e00-\u9fff]", page.get_by_test_id("panel-idle").inner_text())
    for name in ("key-7", "key-back", "collect", "menu"):
        box = page.get_by_test_id(name).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 56, name
