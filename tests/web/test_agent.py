"""The agent's desk in real Chromium: who waits is seen, what is written arrives once, all of it by keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.web.conftest import Gate, Product, Size, Visit
from tests.web.desk import CHAT, FIRST, SECOND, ask, begin, bubbles, hears, open_desk
from tests.web.people import LATTE, BuyerByWire


@pytest.fixture(autouse=True)
def _alone(product: Product) -> None:
    """Nobody is served yet, and every buyer comes to this agent."""
    begin(product)


def test_a_question_waits_in_colour_and_is_answered_and_read(visit: Visit) -> None:  # issue 9, 16
    agent = open_desk(visit)
    page = agent.page
    buyer = visit(f"{CHAT}?product=G000000DEM00000000000000001", signed_in=FIRST)
    ask(buyer, "拿铁可以换燕麦奶吗？")
    row = page.get_by_test_id("conversation").filter(has_text="拿铁可以换燕麦奶吗？")
    expect(row).to_be_visible()
    expect(row.get_by_test_id("waits")).to_be_visible()
    expect(row.get_by_test_id("unread")).to_have_text(re.compile(r"\d+"))
    expect(page).to_have_title(re.compile(r"^\(\d+\) 客服工作台$"))
    agent.shot("agent-waiting-desk")
    page.keyboard.press("Alt+u")
    expect(page.get_by_test_id("context")).to_contain_text(LATTE)
    expect(row.get_by_test_id("unread")).to_be_hidden()
    composer = page.get_by_test_id("composer")
    expect(composer).to_be_focused()
    composer.press_sequentially("可以的")
    composer.press("Shift+Enter")
    composer.press_sequentially("加三元")
    composer.press("Enter")
    expect(composer).to_have_value("")
    hears(buyer, "加三元")
    expect(bubbles(page, "可以的\n加三元")).to_have_attribute("data-mark", "read")
    expect(row.get_by_test_id("waits")).to_be_hidden()
    agent.shot("agent-answered-desk")


def test_nothing_is_sent_while_an_input_method_composes(visit: Visit) -> None:
    buyer = visit(CHAT, signed_in=FIRST)
    ask(buyer, "在吗")
    page = open_desk(visit).page
    page.get_by_test_id("conversation").first.click()
    composer = page.get_by_test_id("composer")
    composer.fill("ni'hao")
    enter = "{ key: 'Enter', bubbles: true, cancelable: true, ...how }"
    hows: list[dict[str, object]] = [{"isComposing": True}, {"keyCode": 229}]
    for how in hows:
        composer.evaluate(f"(box, how) => box.dispatchEvent(new KeyboardEvent('keydown', {enter}))", how)
    expect(composer).to_have_value("ni'hao")
    composer.press("Enter")
    expect(composer).to_have_value("")


def test_the_network_is_cut_and_every_line_arrives_once_in_order(visit: Visit, gate: Gate) -> None:  # issue 16
    gate.allow("ERR_INTERNET_DISCONNECTED")
    agent = open_desk(visit)
    page = agent.page
    buyer = visit(CHAT, signed_in=FIRST)
    ask(buyer, "断网前")
    page.get_by_test_id("conversation").filter(has_text="断网前").click()
    agent.context.set_offline(True)
    expect(page.get_by_test_id("cut")).to_be_visible()
    for text in ("离线第一句", "离线第二句"):
        page.get_by_test_id("composer").fill(text)
        page.keyboard.press("Enter")
    expect(bubbles(page, "离线第二句")).to_have_attribute("data-mark", "sending")
    agent.shot("agent-cut-desk")
    ask(buyer, "断网时买家说的")
    agent.context.set_offline(False)
    expect(page.get_by_test_id("connection")).to_have_attribute("data-phase", "online", timeout=35_000)
    expect(bubbles(page, "断网时买家说的")).to_be_visible()
    expect(bubbles(page, "离线第二句")).to_have_attribute("data-mark", re.compile("sent|read"))
    spoken = buyer.page.locator("[data-bubble]:not([data-fr=bot]) .bubble").all_inner_texts()
    heard = [text for text in spoken if "离线第" in text]
    assert heard == ["离线第一句", "离线第二句"]
    for text in ("离线第一句", "离线第二句", "断网时买家说的"):
        expect(bubbles(page, text)).to_have_count(1)


def test_drafts_stay_with_their_conversation_and_the_keys_lead_everywhere(visit: Visit) -> None:
    ask(visit(CHAT, signed_in=FIRST), "第一位顾客")
    ask(visit(CHAT, signed_in=SECOND), "第二位顾客")
    agent = open_desk(visit)
    page = agent.page
    first = page.get_by_test_id("conversation").filter(has_text="第一位顾客")
    second = page.get_by_test_id("conversation").filter(has_text="第二位顾客")
    first.click()
    composer = page.get_by_test_id("composer")
    composer.fill("写了一半")
    second.click()
    expect(composer).to_have_value("")
    expect(first.or_(page.get_by_text("[草稿]")).first).to_be_visible()
    page.reload()
    expect(page.get_by_test_id("chat")).to_be_visible()
    page.get_by_test_id("conversation").filter(has_text="[草稿]").click()
    expect(composer).to_have_value("写了一半")
    composer.fill("")
    page.keyboard.press("Escape")
    expect(composer).not_to_be_focused()
    opened = page.locator("[data-testid=conversation][aria-current]").get_attribute("data-c")
    page.keyboard.press("Alt+j")
    page.keyboard.press("Alt+k")
    page.keyboard.press("Alt+k")
    expect(page.locator("[data-testid=conversation][aria-current]")).to_have_count(1)
    assert opened
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_test_id("key-help")).to_be_visible()
    agent.shot("agent-keys-desk")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("key-help")).to_be_hidden()
    page.keyboard.press("/")
    expect(
        page.get_by_test_id("search").locator("input").or_(page.locator("input[data-testid=search]"))
    ).to_be_focused()
    page.keyboard.type("第二位")
    expect(page.get_by_test_id("conversation")).to_have_count(1)


def test_the_buyers_orders_stand_beside_and_can_be_sent_into_the_chat(visit: Visit, product: Product) -> None:
    BuyerByWire.sign_in(product, FIRST).buy(LATTE)
    buyer = visit(CHAT, signed_in=FIRST)
    ask(buyer, "我的订单什么时候可以用？")
    agent = open_desk(visit)
    page = agent.page
    page.get_by_test_id("conversation").filter(has_text="我的订单什么时候可以用？").click()
    panel = page.get_by_test_id("buyer-panel")
    expect(panel.get_by_test_id("buyer-name")).to_have_text("小满")
    expect(panel).to_contain_text(re.compile(r"138\*+0001"))
    expect(panel.get_by_test_id("order").first).to_contain_text(LATTE)
    page.get_by_test_id("send-order").first.click()
    expect(page.get_by_test_id("card-order").last).to_contain_text(LATTE)
    hears(buyer, LATTE)
    agent.shot("agent-order-desk")
    page.keyboard.press("Alt+o")
    expect(panel).to_be_hidden()


@pytest.mark.parametrize(
    ("size", "lang", "dark"),
    [("desk", "zh-CN", False), ("desk", "en", True), ("tablet", "en", False), ("phone", "zh-CN", True)],
)
def test_the_desk_at_every_size_in_both_languages(visit: Visit, size: Size, lang: str, dark: bool) -> None:
    ask(visit(CHAT, signed_in=SECOND), "hello")
    agent = open_desk(visit, size=size, lang=lang, dark=dark)
    page = agent.page
    agent.shot(f"agent-list-{size}-{lang}-{'dark' if dark else 'light'}")
    page.get_by_test_id("conversation").filter(has_text="hello").click()
    expect(page.get_by_test_id("composer")).to_be_visible()
    agent.shot(f"agent-{size}-{lang}-{'dark' if dark else 'light'}")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    if lang == "en":
        for name in ("filter-mine", "filter-queued", "filter-all", "filter-ended", "send"):
            assert not re.search(r"[\u4e00-\u9fff]", page.get_by_test_id(name).inner_text())
