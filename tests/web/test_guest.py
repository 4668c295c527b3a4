"""A visitor of the shop's own pages who chats before signing in keeps one history when he does."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from octshop_rt.demo.people import PASSWORD
from tests.web.conftest import Gate, Product, Visit
from tests.web.desk import CHAT, FIRST, bar, begin, choose, open_desk
from tests.web.people import COFFEE, LATTE, BuyerByWire
from tests.web.test_tabs import lines, settled


def test_a_chat_begun_before_signing_in_goes_on_after_it(visit: Visit, product: Product) -> None:  # req I4, I9
    begin(product, online=())
    buyer = visit(CHAT)
    page = buyer.page
    page.locator("textarea").fill("没登录时问的")
    page.locator("button[type=submit]").click()
    settled(page, "没登录时问的")
    place = bar(buyer, "queued").get_attribute("data-ahead")
    page.locator("textarea").fill("写了一半")
    login = """async body => (await fetch('/api/v1/buyer/login', { method: 'POST', body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json' } })).status"""
    device = {"id": "playwright-device", "name": "Playwright"}
    assert page.evaluate(login, {"phone": "13800000001", "password": PASSWORD, "device": device}) == 200
    page.evaluate("localStorage.setItem('octshop.signed_in.buyer', '1')")
    page.reload()
    settled(page, "没登录时问的")
    expect(page.locator("textarea")).to_have_value("写了一半")
    expect(bar(buyer, "queued")).to_have_attribute("data-ahead", place or "")  # the place is kept
    page.locator("textarea").fill("登录后接着问")
    page.locator("button[type=submit]").click()
    settled(page, "登录后接着问")
    settled(page, "没登录时问的")
    expect(page.locator("[data-bubble]").filter(has_text="没登录时问的")).to_have_count(1)
    assert page.evaluate("localStorage.getItem('octshop.guest')") is None

    # The agent sees the member behind the guest: what they bought, and what they ask about now.
    BuyerByWire.sign_in(product, FIRST).buy(LATTE)
    buyer.go(f"{CHAT}?product=G000000DEM00000000000000001")
    bar(buyer, "queued")
    desk = open_desk(visit).page
    desk.get_by_test_id("filter-queued").click()
    choose(desk, "登录后接着问")
    expect(desk.get_by_test_id("buyer-panel").get_by_test_id("buyer-name")).to_have_text("小满")
    expect(desk.get_by_test_id("buyer-panel").get_by_test_id("order").first).to_contain_text(LATTE)
    expect(desk.get_by_test_id("context")).to_contain_text(LATTE)
    desk.context.close()

    # What the member has not sent is shown to nobody who comes after them at this device.
    page.locator("textarea").fill("只有我看得到")
    page.reload()
    expect(page.locator("textarea")).to_have_value("只有我看得到")
    buyer.go("/shop/me")
    page.get_by_role("button", name="退出登录").click()
    page.get_by_role("dialog").get_by_role("button", name="退出登录").click()
    expect(page.get_by_text("未登录")).to_be_visible()
    buyer.go(CHAT)
    bar(buyer, "new")
    expect(page.locator("textarea")).to_have_value("")
    expect(page.get_by_role("link", name="进店")).to_be_visible()

    # The platform's own service is found among the chats, and is no shop to go into.
    buyer.go("/shop/messages")
    page.get_by_test_id("official").click()
    expect(page.get_by_role("heading", name="平台客服")).to_be_visible()
    expect(page.get_by_role("link", name="进店")).to_have_count(0)
    buyer.go("/shop/messages")
    buyer.shot("messages-official-phone")


@pytest.mark.parametrize("widget", [False, True])
def test_a_guest_whose_time_is_over_begins_anew_with_what_they_had_not_sent(
    visit: Visit, product: Product, gate: Gate, widget: bool
) -> None:  # req I4, I9
    gate.allow("refused: 401 |ERR_INTERNET_DISCONNECTED|WebSocket connection")
    begin(product, online=())
    path, key = (f"/widget/{COFFEE}", f"octshop.guest.{COFFEE}") if widget else (CHAT, "octshop.guest")
    who = visit(path)
    who.page.locator("textarea").fill("还记得我的时候")
    who.page.locator("button[type=submit]").click()
    settled(who.page, "还记得我的时候")
    who.context.set_offline(True)
    who.page.locator("textarea").fill("断网时说的")
    who.page.locator("button[type=submit]").click()
    expect(lines(who.page, "断网时说的")).to_have_attribute("data-state", "sending")
    who.page.locator("textarea").fill("写了一半")
    old = who.page.evaluate("key => localStorage.getItem(key).split(' ')[1]", key)
    who.page.evaluate("([key, id]) => localStorage.setItem(key, `NOLONGERKNOWN ${id}`)", [key, old])
    who.page.close()
    who.context.set_offline(False)

    page = who.context.new_page()
    page.goto(who.base + path)
    settled(page, "断网时说的")
    expect(page.locator("textarea")).to_have_value("写了一半")
    page.locator("textarea").fill("接着问")
    page.locator("button[type=submit]").click()
    settled(page, "接着问")
    assert page.evaluate("key => localStorage.getItem(key).split(' ')[1]", key) != old
