"""The main job through the pages alone: buy, pay, scan, write off; chat over a cut network; a barcode payment."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import Gate, Launch, Visit, Visitor
from tests.web.fakecam import film
from tests.web.people import AGENT, CASHIER, CLERK, COFFEE, FLOWERS, LATTE
from tests.web.test_shop import buy, pay_on_phone

BUYER = "13800000001"
CHATTER = "13800000002"
CUT = r"ERR_INTERNET_DISCONNECTED|WebSocket connection to .* failed"


def test_buy_pay_scan_and_write_off(visit: Visit, launch: Launch, tmp_path: Path) -> None:  # issue 10–12, 16
    buyer = visit("/shop/", signed_in=BUYER)
    page = buyer.page
    buy(buyer)
    pay_on_phone(buyer).close()
    expect(page.get_by_role("heading", name="付款成功")).to_be_visible()
    buyer.shot("paid-phone")
    page.get_by_role("button", name="查看券码").click()
    qr = page.locator(".qr img")
    expect(qr).to_be_visible()
    uses = page.locator("dd").first
    expect(uses).to_have_text("剩 1 / 共 1")

    # What the buyer's screen shows is what the clerk's camera sees.
    camera = film(qr.screenshot(), tmp_path / "code.y4m")
    clerk = visit("/clerk/", signed_in=CLERK, audience="staff", browser=launch(camera), camera=True)
    clerk.page.locator(f"[data-shop={COFFEE}]").click()
    clerk.page.get_by_test_id("branch").first.click()
    expect(clerk.page.get_by_test_id("preview-title")).to_have_text(LATTE)
    clerk.page.get_by_test_id("preview-confirm").click()
    expect(clerk.page.get_by_test_id("flash")).to_contain_text("核销成功")

    # The buyer's page hears of it without being touched.
    used = page.locator("[data-used]")
    expect(used).to_contain_text("已核销 1 次")
    expect(qr).to_be_hidden()
    buyer.shot("voucher-used-phone")
    page.get_by_role("button", name="查看订单").click()
    expect(page.get_by_role("heading", name="已完成")).to_be_visible()
    expect(page.locator("li.newest")).to_contain_text("核销完成")


def say(page: Page, words: str) -> None:
    page.get_by_role("textbox").fill(words)
    page.get_by_role("textbox").press("Enter")


def bubbles(page: Page) -> Locator:
    return page.locator("[data-bubble]:not([data-fr=bot]) .bubble")


def test_chat_over_a_cut_network(visit: Visit, gate: Gate) -> None:  # issue 9, 16; req I1, I4, I5
    gate.allow(CUT)
    # at a shop no other test chats with: the whole conversation is compared
    buyer = visit(f"/shop/s/{FLOWERS}", signed_in=CHATTER)
    page = buyer.page
    page.locator("[data-product]").first.click()
    page.get_by_role("button", name="客服", exact=True).click()
    expect(page.locator("[data-card]")).to_be_visible()
    page.get_by_role("button", name="发送商品").click()
    say(page, "在吗？想问问大束还有吗")
    expect(page.locator(".mine[data-state=sent]")).to_have_count(2)

    agent = visit("/agent/", size="desk", signed_in=AGENT, audience="staff")
    desk = agent.page
    desk.get_by_test_id("filter-all").click()
    desk.get_by_test_id("conversation").filter(has_text="拾光花房").click(timeout=40_000)  # others may have many rows
    expect(desk.get_by_test_id("log")).to_contain_text("在吗？想问问大束还有吗")
    expect(page.locator(".mine[data-state=read]")).to_have_count(2)
    desk.get_by_test_id("composer").fill("您好，大束有的，现包现取。")
    desk.get_by_test_id("composer").press("Enter")
    expect(bubbles(page).last).to_have_text("您好，大束有的，现包现取。")
    agent.shot("chat-agent-desk")

    # The buyer's network goes; he goes on typing, the agent goes on answering.
    buyer.context.set_offline(True)
    say(page, "好的，我现在过去")
    say(page, "大概十分钟")
    expect(page.locator("[data-state=sending]")).to_have_count(2)
    buyer.shot("chat-cut-phone")
    desk.get_by_test_id("composer").fill("星光里一楼，进门左手边。")
    desk.get_by_test_id("composer").press("Enter")
    expect(desk.get_by_test_id("message").last).to_contain_text("星光里一楼")
    expect(desk.get_by_test_id("log")).not_to_contain_text("我现在过去")

    buyer.context.set_offline(False)
    expect(page.locator("[data-state=sending]")).to_have_count(0, timeout=30_000)
    expect(desk.get_by_test_id("log")).to_contain_text("大概十分钟")
    order = [
        "在吗？想问问大束还有吗",
        "您好，大束有的，现包现取。",
        "星光里一楼，进门左手边。",
        "好的，我现在过去",
        "大概十分钟",
    ]
    expect(page.locator("[data-bubble]:not([data-fr=bot]) p.bubble")).to_have_text(order)
    buyer.shot("chat-back-phone")
    # Both sides hold the same lines in the same order, and so does a page that starts anew.
    told = [text for text in desk.get_by_test_id("message").all_inner_texts() if text]
    at = [next(n for n, text in enumerate(told) if words in text) for words in order]
    assert at == sorted(at)
    page.reload()
    expect(page.locator("[data-bubble]:not([data-fr=bot]) p.bubble")).to_have_text(order)


def test_words_typed_without_a_network_survive_the_page(visit: Visit, gate: Gate) -> None:  # req I4: resend queue
    gate.allow(CUT)
    buyer = visit(f"/shop/chat/{COFFEE}", signed_in=BUYER)
    page = buyer.page
    expect(page.get_by_role("textbox")).to_be_visible()
    say(page, "第一句")
    expect(bubbles(page).last).to_have_text("第一句")
    expect(page.locator("[data-state=sending]")).to_have_count(0)
    buyer.context.set_offline(True)
    say(page, "断网时写的")
    expect(page.locator("[data-state=sending]")).to_have_count(1)
    page.close()
    buyer.context.set_offline(False)
    buyer.page = buyer.context.new_page()
    buyer.go(f"/shop/chat/{COFFEE}")
    last = buyer.page.locator("[data-bubble]:not([data-fr=bot])").last
    expect(last).to_contain_text("断网时写的")
    expect(last).to_have_attribute("data-state", re.compile("sent|read"))


def test_a_cashier_takes_a_barcode_payment(visit: Visit, launch: Launch, tmp_path: Path) -> None:  # issue 13, 16
    payer = visit("/phone/code")
    code = payer.page.locator("[data-auth-code]")
    expect(code).to_have_text(re.compile(r"^1[0-5]\d\d \d{4} \d{4} \d{4} \d\d$"))
    payer.shot("payment-code-phone")

    # The payer's screen is what the till's camera sees.
    camera = film(payer.page.locator(".qr img").screenshot(), tmp_path / "code.y4m")
    cashier = visit("/pos/", size="tablet", signed_in=CASHIER, audience="staff", browser=launch(camera), camera=True)
    till = cashier.page
    open_first_till(cashier)
    for key in ("1", "2", ".", "5"):
        till.get_by_test_id(f"key-{key}").click()
    expect(till.get_by_test_id("amount")).to_contain_text("12.5")
    till.get_by_test_id("method-barcode").click()
    till.get_by_test_id("by-camera").click()
    expect(till.get_by_test_id("panel-paid")).to_be_visible(timeout=20_000)
    expect(till.get_by_test_id("end-amount")).to_contain_text("12.50")
    cashier.shot("pos-paid-tablet")


def open_first_till(cashier: Visitor) -> None:
    """Choose shop and counter, as on the first morning."""
    till = cashier.page
    till.locator(f"[data-shop={COFFEE}]").click()
    till.locator("[data-till]").first.click()
    expect(till.get_by_test_id("panel-idle")).to_be_visible()
