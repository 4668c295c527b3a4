"""The clerk's page in real Chromium: camera, scanner gun, typed code and photo; once, whatever the network does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.web.conftest import Gate, Launch, Product, Visit, Visitor
from tests.web.fakecam import film
from tests.web.people import CARD_OF_TEN, CLERK, COFFEE, LATTE, NOODLE_CLERK, NOODLES, BuyerByWire, Wallet, gun, qr_png

REFUSED = r"^refused: (404|409|422) POST .*/(scans|redemptions)$"


def at_the_coffee_shop(clerk: Visitor) -> Page:
    """Choose the shop and the store, as on the first morning."""
    page = clerk.page
    page.locator(f"[data-shop={COFFEE}]").click()
    page.get_by_test_id("branch").first.click()
    expect(page.get_by_test_id("branches")).to_be_hidden()
    return page


@pytest.fixture
def buyer(product: Product) -> BuyerByWire:
    """Who comes with vouchers."""
    return BuyerByWire.sign_in(product)


def test_the_camera_reads_the_code_and_two_uses_are_written_off_once(  # issue 12, 16; req 12.2, 12.3
    visit: Visit, launch: Launch, buyer: BuyerByWire, tmp_path: Path
) -> None:
    voucher = buyer.buy(CARD_OF_TEN)
    camera = film(qr_png(buyer.code(voucher)), tmp_path / "code.y4m")
    clerk = visit("/clerk/", signed_in=CLERK, audience="staff", browser=launch(camera), camera=True)
    page = at_the_coffee_shop(clerk)
    expect(page.get_by_test_id("preview")).to_be_visible()
    expect(page.get_by_test_id("preview-title")).to_have_text(CARD_OF_TEN)
    expect(page.get_by_test_id("preview-left")).to_contain_text("10")
    expect(page.get_by_test_id("preview-buyer")).to_have_text(re.compile(r"^138\*+0001$"))
    assert buyer.left(voucher) == 10, "looking is not using"
    clerk.shot("clerk-preview-phone")
    page.wait_for_timeout(3_500)  # a clerk takes her time: longer than a code must be out of sight to count as new
    page.locator(".van-stepper__plus").click()
    page.get_by_test_id("preview-confirm").click()
    expect(page.get_by_test_id("flash")).to_contain_text("核销成功")
    clerk.shot("clerk-flash-phone")
    expect(page.get_by_test_id("flash")).to_be_hidden()
    expect(page.get_by_test_id("verdict")).to_have_attribute("data-tone", "ok")
    clerk.shot("clerk-ok-phone")
    # The film goes on showing the same code: it is not looked at again.
    page.wait_for_timeout(2_500)
    expect(page.get_by_test_id("preview")).to_be_hidden()
    assert buyer.left(voucher) == 8
    page.get_by_test_id("open-history").click()
    expect(page.get_by_test_id("redemption").first).to_contain_text("× 2")
    clerk.shot("clerk-history-phone")


def test_a_gun_works_at_any_time_and_each_refusal_says_why(  # issue 12; req 12.4
    visit: Visit, gate: Gate, buyer: BuyerByWire, product: Product
) -> None:
    gate.allow(REFUSED)
    voucher = buyer.buy(LATTE)
    clerk = visit("/clerk/", signed_in=CLERK, audience="staff", size="tablet")
    page = at_the_coffee_shop(clerk)
    first = buyer.code(voucher)
    gun(page, first)
    page.get_by_test_id("preview-confirm").click()
    expect(page.get_by_test_id("verdict")).to_have_attribute("data-tone", "ok")
    gun(page, voucher["typed_code"])
    verdict = page.get_by_test_id("verdict")
    expect(verdict).to_have_attribute("data-tone", "used")
    expect(page.get_by_test_id("verdict-detail")).to_contain_text("您刚刚已核销这张券")
    clerk.shot("clerk-used-tablet")
    gun(page, Wallet(product).payment_code())
    expect(verdict).to_have_attribute("data-tone", "bad")
    expect(verdict).to_contain_text("付款码")
    gun(page, "123456789012")
    expect(verdict).to_contain_text("券码输入有误")
    clerk.shot("clerk-bad-tablet")
    # A refusal stays until the next scan or tap.
    page.wait_for_timeout(1_800)
    expect(verdict).to_be_visible()
    verdict.click()
    expect(page.get_by_test_id("idle")).to_be_visible()
    assert buyer.left(voucher) == 0


def test_typing_in_fours_and_looking_changes_nothing(visit: Visit, buyer: BuyerByWire) -> None:
    voucher = buyer.buy(LATTE)
    clerk = visit("/clerk/", signed_in=CLERK, audience="staff")
    page = at_the_coffee_shop(clerk)
    page.get_by_test_id("way-type").click()
    field = page.get_by_test_id("manual-code")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("inputmode", "numeric")
    digits = voucher["typed_code"]
    field.press_sequentially(digits[:7])
    expect(field).to_have_value(f"{digits[:4]} {digits[4:7]}")
    page.get_by_test_id("manual-submit").click()
    expect(page.get_by_text("还差 5 位数字")).to_be_visible()
    clerk.shot("clerk-typing-phone")
    field.press_sequentially(digits[7:])
    page.get_by_test_id("manual-submit").click()
    expect(page.get_by_test_id("preview-title")).to_have_text(LATTE)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("preview")).to_be_hidden()
    assert buyer.left(voucher) == 1


def test_a_photo_is_read_by_the_server(visit: Visit, buyer: BuyerByWire) -> None:
    voucher = buyer.buy(LATTE)
    clerk = visit("/clerk/", signed_in=CLERK, audience="staff")
    page = at_the_coffee_shop(clerk)
    photo = page.get_by_test_id("photo-file")
    photo.set_input_files({"name": "code.png", "mimeType": "image/png", "buffer": qr_png(buyer.code(voucher))})
    expect(page.get_by_test_id("preview-title")).to_have_text(LATTE)
    page.get_by_test_id("preview-cancel").click()
    photo.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.get_by_test_id("verdict")).to_contain_text("这个文件打不开")


def test_a_lost_answer_is_asked_again_with_the_same_id_and_uses_once(  # req 12.4, 12.10
    visit: Visit, gate: Gate, buyer: BuyerByWire
) -> None:
    gate.allow(r"^failed: POST .*/redemptions")
    gate.allow(r"ERR_CONNECTION")
    voucher = buyer.buy(CARD_OF_TEN)
    clerk = visit("/clerk/", signed_in=CLERK, audience="staff")
    page = at_the_coffee_shop(clerk)
    bodies: list[str] = []

    def lose(route: Route) -> None:
        """The server does it; its answer never arrives."""
        bodies.append(route.request.post_data or "")
        route.fetch()
        route.abort("connectionreset")

    page.route("**/redemptions", lose)
    gun(page, voucher["typed_code"])
    page.get_by_test_id("preview-confirm").click()
    expect(page.get_by_test_id("unsure")).to_be_visible()
    clerk.shot("clerk-unsure-phone")
    # Not even a reload forgets the request.
    page.reload()
    expect(page.get_by_test_id("unsure")).to_be_visible()
    page.unroute("**/redemptions")
    page.get_by_test_id("unsure-again").click()
    expect(page.get_by_test_id("verdict")).to_have_attribute("data-tone", "ok")
    assert len(set(bodies)) == 1, "every send is the same request"
    assert buyer.left(voucher) == 9


def test_without_a_network_nothing_is_sent_and_nothing_looks_green(
    visit: Visit, gate: Gate, buyer: BuyerByWire
) -> None:
    gate.allow("ERR_INTERNET_DISCONNECTED")
    voucher = buyer.buy(LATTE)
    clerk = visit("/clerk/", signed_in=CLERK, audience="staff")
    page = at_the_coffee_shop(clerk)
    gun(page, voucher["typed_code"])
    expect(page.get_by_test_id("preview")).to_be_visible()
    clerk.context.set_offline(True)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("verdict")).to_have_attribute("data-tone", "queued")
    expect(page.get_by_test_id("verdict")).to_contain_text("没有网络")
    clerk.context.set_offline(False)
    assert buyer.left(voucher) == 1
    gun(page, voucher["typed_code"])
    page.get_by_test_id("preview-confirm").click()
    expect(page.get_by_test_id("verdict")).to_have_attribute("data-tone", "ok")


def test_another_shops_voucher_says_no_more_than_that(visit: Visit, gate: Gate, buyer: BuyerByWire) -> None:  # req 12.5
    gate.allow(REFUSED)
    coffee = buyer.buy(LATTE)
    noodles = buyer.buy(NOODLES)
    page = visit("/clerk/", signed_in=NOODLE_CLERK, audience="staff").page
    if page.get_by_test_id("branch").first.is_visible():
        page.get_by_test_id("branch").first.click()
    expect(page.get_by_test_id("way-scan")).to_be_visible()
    page.keyboard.press("Escape")
    gun(page, coffee["typed_code"])
    expect(page.get_by_test_id("verdict")).to_contain_text("本店没有这张券")
    expect(page.get_by_test_id("verdict")).not_to_contain_text(LATTE)
    gun(page, noodles["typed_code"])
    expect(page.get_by_test_id("preview-title")).to_have_text(NOODLES)


def test_without_a_secure_address_the_page_says_so_and_the_other_ways_work(visit: Visit, buyer: BuyerByWire) -> None:
    voucher = buyer.buy(LATTE)
    clerk = visit("/clerk/", signed_in=CLERK, audience="staff")
    clerk.page.add_init_script("Object.defineProperty(window, 'isSecureContext', { get: () => false })")
    clerk.page.reload()
    page = at_the_coffee_shop(clerk)
    expect(page.get_by_test_id("camera-fault")).to_contain_text("HTTPS")
    clerk.shot("clerk-insecure-phone")
    gun(page, voucher["typed_code"])
    expect(page.get_by_test_id("preview-title")).to_have_text(LATTE)


def test_a_refused_camera_is_explained(visit: Visit) -> None:
    clerk = visit("/clerk/", signed_in=CLERK, audience="staff")
    page = at_the_coffee_shop(clerk)
    expect(page.get_by_test_id("camera-fault")).to_be_visible()
    clerk.shot("clerk-denied-phone")
    expect(page.get_by_test_id("way-type")).to_be_enabled()


@pytest.mark.parametrize(
    ("size", "lang", "dark"),
    [("phone", "zh-CN", False), ("phone", "en", True), ("tablet", "en", False), ("desk", "zh-CN", True)],
)
def test_sign_in_and_desk_at_every_size_in_both_languages(visit: Visit, size: str, lang: str, dark: bool) -> None:
    clerk = visit("/clerk/", size=size, lang=lang, dark=dark)
    page = clerk.page
    page.get_by_test_id("signin-phone").fill("123")
    page.get_by_test_id("signin-submit").click()
    expect(page.get_by_test_id("signin-phone")).to_be_focused()
    clerk.shot(f"clerk-signin-{size}-{lang}")
    page.get_by_test_id("signin-phone").fill(CLERK)
    page.get_by_test_id("signin-password").fill("bazhuayu-2026")
    page.get_by_test_id("signin-submit").click()
    at_the_coffee_shop(clerk)
    clerk.shot(f"clerk-{size}-{lang}-{'dark' if dark else 'light'}")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.get_by_test_id("menu").click()
    page.get_by_test_id("lang-en").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.keyboard.press("Escape")
    for name in ("way-scan", "way-type", "way-photo", "idle"):
        assert not re.search(r"[\u4e00-\u9fff]", page.get_by_test_id(name).inner_text())
    for name in ("way-scan", "way-type", "way-photo", "menu"):
        box = page.get_by_test_id(name).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 56, name
