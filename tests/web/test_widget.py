"""A shop's chat on another site: one script tag, a frame for listed sites only, no cookie, by keyboard, zh and en."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from octshop_rt.demo.people import PASSWORD
from tests.web.conftest import SHOTS, SIZES, Gate, Launch, Product, Visit
from tests.web.desk import begin, manage, open_desk
from tests.web.people import COFFEE, OWNER, ask


@pytest.fixture
def site(product: Product) -> Iterator[str]:
    """A site of somebody else on loopback, which includes the script; its address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            lang = 'data-lang="en"' if "en" in self.path else ""
            tag = f'<script async src="{product.base}/widget.js" data-shop="{COFFEE}" {lang}></script>'
            body = (
                f"<!doctype html><title>红茶的页面</title><link rel=icon href='data:,'><h1>别家的站</h1>{tag}".encode()
            )
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join(5)


def listed(product: Product, *sites: str, on: bool = True) -> None:
    """The owner says on which sites the shop's chat may stand."""
    device = {"id": "owner-device", "name": "test"}
    body = {"phone": OWNER, "password": PASSWORD, "device": device, "bearer": True}
    token = ask("POST", f"{product.base}/api/v1/staff/login", body)["token"]
    ask("PUT", f"{product.base}/api/v1/shop/{COFFEE}/desk/widget", {"on": on, "sites": list(sites)}, token)


def frame(page: Page) -> FrameLocator:
    return page.frame_locator("iframe")


def test_a_visitor_of_another_site_talks_to_the_shop_by_keyboard_and_comes_back(
    launch: Launch, product: Product, site: str, gate: Gate, visit: Visit
) -> None:  # req I9, I12
    gate.allow("foreign:")
    begin(product)
    listed(product, site)
    width, height = SIZES["desk"]
    context = launch().new_context(viewport={"width": width, "height": height}, locale="zh-CN")
    gate.watch(context)
    page = context.new_page()
    page.goto(f"{site}/goods/7?phone=13812345678")
    button = page.get_by_role("button", name="联系客服")
    expect(button).to_be_visible()
    expect(page.locator("iframe")).to_have_count(0)  # nothing of ours is loaded before somebody asks
    button.focus()
    page.keyboard.press("Enter")
    box = frame(page).get_by_role("textbox")
    expect(box).to_be_focused()
    page.keyboard.type("红茶还有货吗")
    page.keyboard.press("Enter")
    mine = frame(page).locator("[data-bubble].me")
    expect(mine).to_have_count(1)
    expect(mine).to_have_attribute("data-state", "sent")
    agent = open_desk(visit)
    row = agent.page.get_by_test_id("conversation").filter(has_text="红茶还有货吗")
    row.first.click()
    agent.page.get_by_test_id("composer").fill("有的，今天刚到")
    agent.page.keyboard.press("Enter")
    expect(frame(page).locator("[data-bubble].them").last).to_contain_text("有的，今天刚到")
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / "widget-desk.png")
    assert context.cookies() == []
    page.keyboard.press("Escape")
    expect(page.locator("iframe.shown")).to_have_count(0)
    expect(page.get_by_role("button", name="联系客服")).to_be_focused()
    agent.page.get_by_test_id("composer").fill("还需要别的吗")
    agent.page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="1 条未读")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="1 条未读")).to_be_visible()
    page.get_by_role("button").click()
    expect(frame(page).locator("[data-bubble].them").last).to_contain_text("还需要别的吗")
    expect(frame(page).locator("[data-bubble].me")).to_have_count(1)
    context.close()


def test_a_site_that_is_not_listed_shows_nothing_and_no_other_page_may_be_framed(
    launch: Launch, product: Product, site: str, gate: Gate
) -> None:
    gate.allow("foreign:|frame-ancestors|ERR_BLOCKED_BY_RESPONSE|Framing|X-Frame-Options|postMessage")
    listed(product, "https://other.example")
    context = launch().new_context(locale="zh-CN")
    gate.watch(context)
    page = context.new_page()
    page.goto(site)
    page.get_by_role("button", name="联系客服").click()
    expect(page.locator("iframe.shown")).to_have_count(1)
    page.wait_for_timeout(500)
    expect(frame(page).get_by_role("textbox")).to_have_count(0)
    for path in ("/shop/", "/agent/"):
        answer = context.request.get(f"{product.base}{path}")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
    listed(product, site)
    answer = context.request.get(f"{product.base}/widget/{COFFEE}")
    assert f"frame-ancestors {site}" in answer.headers["content-security-policy"]
    listed(product, site, on=False)
    answer = context.request.get(f"{product.base}/widget/{COFFEE}")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    context.close()


def test_a_visitor_is_answered_by_the_machine_then_by_a_person_and_rates(
    launch: Launch, product: Product, site: str, gate: Gate, visit: Visit
) -> None:  # req I5, I8, I9
    gate.allow("foreign:")
    begin(product)
    listed(product, site)
    kept = ("sure", "unsure", "unknown_to_person", "assistant", "welcomes", "synonyms")
    shown = manage(product, "GET", "answers")
    manage(product, "PUT", "answers", {"on": True} | {name: shown[name] for name in kept})
    agent = open_desk(visit)
    width, height = SIZES["desk"]
    context = launch().new_context(viewport={"width": width, "height": height}, locale="en-US", color_scheme="dark")
    gate.watch(context)
    page = context.new_page()
    page.goto(f"{site}/en")
    page.get_by_role("button", name="Chat with us").click()
    chat = frame(page)
    welcome = chat.get_by_test_id("answer-tools").first
    welcome.get_by_test_id("option").first.click()
    expect(welcome).to_have_attribute("data-picked", re.compile("."))
    answer = chat.get_by_test_id("answer-tools").filter(has=chat.get_by_test_id("vote-yes")).last
    answer.get_by_test_id("vote-yes").click()
    expect(answer).to_have_attribute("data-voted", "yes")
    answer.get_by_test_id("vote-no").click()  # on second thoughts
    expect(answer).to_have_attribute("data-voted", "no")
    page.screenshot(path=SHOTS / "widget-answers-desk-en-dark.png")
    answer.locator("[data-option=person]").click()
    bar = chat.get_by_test_id("case-bar")
    expect(bar).to_have_attribute("data-state", "human")
    expect(answer.locator("[data-option=person]")).to_be_disabled()
    # Another shop's buyers may wait at the same agent's desk.
    agent.page.get_by_test_id("conversation").filter(has_text="豆芽咖啡").first.click()
    agent.page.get_by_test_id("composer").fill("Oat milk is fine")
    agent.page.keyboard.press("Enter")
    expect(chat.locator("[data-bubble].them").last).to_contain_text("Oat milk is fine")
    chat.get_by_test_id("case-quit").click()
    chat.get_by_test_id("case-sure").click()
    expect(bar).to_have_attribute("data-state", "ended")
    card = chat.get_by_test_id("rating")
    expect(card.get_by_test_id("star-1")).to_have_accessible_name(re.compile("^1 star "))
    card.get_by_test_id("star-2").click()
    card.get_by_test_id("rating-unsolved").click()
    card.get_by_test_id("rating-tag").first.click()
    page.screenshot(path=SHOTS / "widget-rating-desk-en-dark.png")
    card.get_by_test_id("rating-send").click()
    expect(card).to_have_attribute("data-state", "given")
    page.reload()
    page.get_by_role("button", name="Chat with us").click()
    expect(card.locator("[data-stars]")).to_have_attribute("data-stars", "2")
    page.screenshot(path=SHOTS / "widget-rated-desk-en-dark.png")
    assert any(one["stars"] == 2 for one in manage(product, "GET", "ratings")["items"])
    context.close()


def test_on_a_phone_and_in_english(launch: Launch, product: Product, site: str, gate: Gate) -> None:
    gate.allow("foreign:")
    listed(product, site)
    width, height = SIZES["phone"]
    context = launch().new_context(viewport={"width": width, "height": height}, locale="en-US")
    gate.watch(context)
    page = context.new_page()
    page.goto(f"{site}/en")
    page.get_by_role("button", name="Chat with us").click()
    expect(frame(page).get_by_test_id("more-open")).to_be_visible()
    expect(frame(page).get_by_role("log", name="Messages")).to_be_visible()
    box = page.locator("iframe").bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (width, height)
    page.screenshot(path=SHOTS / "widget-phone-en.png")
    frame(page).get_by_test_id("close").click()
    expect(page.locator("iframe.shown")).to_have_count(0)
    context.close()
