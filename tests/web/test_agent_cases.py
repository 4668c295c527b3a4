"""Agents and supervisors at one desk: who serves whom, what passes between them, what the buyer never sees."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.web.conftest import Gate, Product, Visit, Visitor
from tests.web.desk import (
    CHAT,
    FIRST,
    OTHER,
    SECOND,
    ask,
    attend,
    begin,
    bubbles,
    choose,
    hears,
    keep_quick_reply,
    open_desk,
    png,
)
from tests.web.people import AGENT, COFFEE, FLOWERS, OWNER


def see(page: Page, text: str) -> None:
    """Finds the conversation among all and opens it."""
    page.get_by_test_id("filter-all").click()
    choose(page, text)


def heard(buyer: Visitor) -> str:
    """Everything on the buyer's page."""
    return buyer.page.locator("body").inner_text()


def test_a_note_is_seen_by_colleagues_and_never_by_the_buyer(visit: Visit, product: Product) -> None:  # req I11
    begin(product)
    buyer = visit(CHAT, signed_in=FIRST)
    ask(buyer, "能开发票吗")
    mine = open_desk(visit)
    colleague = open_desk(visit, phone=OTHER)
    see(mine.page, "能开发票吗")
    mine.page.keyboard.press("Alt+p")
    expect(mine.page.get_by_test_id("composer-form")).to_have_attribute("data-mode", "note")
    mine.page.get_by_test_id("composer").fill("这位顾客是常客，给他开")
    mine.shot("agent-note-writing-desk")
    mine.page.keyboard.press("Enter")
    expect(mine.page.get_by_test_id("note")).to_contain_text("这位顾客是常客")
    expect(mine.page.get_by_test_id("note")).to_contain_text("顾客看不到")
    # A note is no answer: the buyer still waits.
    expect(mine.page.locator("[data-c][aria-current=true]").get_by_test_id("waits")).to_be_visible()
    see(colleague.page, "这位顾客是常客")
    expect(colleague.page.get_by_test_id("note")).to_be_visible()
    mine.page.keyboard.press("Alt+p")
    mine.page.get_by_test_id("composer").fill("可以开，请告诉我抬头")
    mine.page.keyboard.press("Enter")
    hears(buyer, "可以开")
    assert "常客" not in heard(buyer)
    buyer.page.reload()
    hears(buyer, "可以开")
    assert "常客" not in heard(buyer)
    mine.shot("agent-note-desk")


def test_who_is_left_without_a_word_is_named_on_every_part_of_the_desk(visit: Visit, product: Product) -> None:
    """100 s, by the server's time (req I11: the slow-reply reminder)."""
    begin(product)
    agent = open_desk(visit)
    page = agent.page
    page.clock.install()
    page.reload()
    expect(page.get_by_test_id("workbench")).to_be_visible()
    buyer = visit(CHAT, signed_in=FIRST)
    ask(buyer, "有人在吗")
    choose(page, "有人在吗")
    expect(page.get_by_test_id("slow")).to_have_count(0)
    page.clock.fast_forward(101_000)
    expect(page.get_by_test_id("slow")).to_contain_text("1 位顾客等了超过 100 秒")
    page.get_by_test_id("rail-messages").click()
    expect(page.get_by_test_id("slow-one")).to_be_visible()
    agent.shot("agent-slow-desk")
    page.get_by_test_id("slow-one").click()
    page.get_by_test_id("composer").fill("在的，请讲")
    page.keyboard.press("Enter")
    hears(buyer, "在的，请讲")
    expect(page.get_by_test_id("slow")).to_have_count(0)


def test_a_buyer_is_passed_on_with_a_note_for_the_colleague(visit: Visit, product: Product) -> None:  # req I4
    begin(product)
    first = open_desk(visit)
    buyers = [visit(CHAT, signed_in=FIRST), visit(CHAT, signed_in=SECOND)]
    for number, buyer in enumerate(buyers):
        ask(buyer, f"转接前第{number}位")
    page = first.page
    expect(page.get_by_test_id("conversation")).to_have_count(2)
    attend(product, OTHER, "online")
    second = open_desk(visit, phone=OTHER)
    choose(page, "转接前第0位")
    page.keyboard.press("Alt+t")
    dialog = page.get_by_test_id("transfer")
    aim = dialog.get_by_test_id("aim-agent").filter(has_text="江晚")
    expect(aim).to_be_visible()
    aim.click()
    page.get_by_test_id("transfer-note").fill("要求今天退款，已答应")
    first.shot("agent-transfer-desk")
    page.get_by_test_id("transfer-go").click()
    expect(page.get_by_test_id("conversation")).to_have_count(1)
    expect(second.page.get_by_test_id("conversation")).to_have_count(1)
    second.page.get_by_test_id("conversation").click()
    expect(second.page.get_by_test_id("note").last).to_contain_text("要求今天退款")
    second.page.get_by_test_id("composer").fill("您好，我来帮您")
    second.page.keyboard.press("Enter")
    hears(buyers[0], "我来帮您")
    assert "已答应" not in heard(buyers[0])
    second.shot("agent-received-desk")


def test_a_supervisor_looks_on_whispers_and_takes_over(visit: Visit, product: Product) -> None:  # req I4
    begin(product)
    agent = open_desk(visit)
    buyer = visit(CHAT, signed_in=FIRST)
    ask(buyer, "你们态度太差了")
    choose(agent.page, "你们态度太差了")
    boss = open_desk(visit, phone=OWNER)
    expect(boss.page.get_by_test_id("status")).to_have_attribute("data-status", "offline")
    see(boss.page, "你们态度太差了")
    expect(boss.page.get_by_test_id("supervisor")).to_contain_text("林可")
    expect(boss.page.get_by_test_id("composer")).to_have_count(0)
    boss.page.get_by_test_id("whisper").fill("先道歉")
    boss.shot("agent-supervisor-desk")
    boss.page.keyboard.press("Enter")
    expect(agent.page.get_by_test_id("note").last).to_contain_text("先道歉")
    expect(agent.page.get_by_test_id("note").last).to_contain_text("悄悄话")
    assert "先道歉" not in heard(buyer)
    boss.page.get_by_test_id("take-over").click()
    boss.page.get_by_test_id("take-over-sure").click()
    expect(boss.page.get_by_test_id("composer")).to_be_visible()
    expect(agent.page.get_by_test_id("supervisor")).to_contain_text("章予")
    boss.page.get_by_test_id("composer").fill("我是店主，非常抱歉")
    boss.page.keyboard.press("Enter")
    hears(buyer, "我是店主")


def test_who_is_away_gets_nobody_and_takes_from_the_queue_by_hand(
    visit: Visit, product: Product, gate: Gate
) -> None:  # req I4
    gate.allow(r"ERR_FAILED")  # desks that are not told
    begin(product)
    agent = open_desk(visit)
    status = agent.page.get_by_test_id("status")
    others = re.compile(rf"/shop/(?!{COFFEE})[^/]+/desk$")
    agent.page.route(others, lambda route: route.abort())
    agent.page.reload()
    expect(status).to_have_attribute("data-status", "online")
    status.click()
    agent.page.get_by_test_id("status-away-meal").click()
    expect(agent.page.get_by_test_id("status-menu")).to_be_hidden()
    # The choice is for all shops, those too whose desk was not told yet.
    for shop in (FLOWERS, COFFEE):
        told = agent.context.request.get(f"{product.base}/api/v1/shop/{shop}/desk").json()
        assert told["me"]["status"] == "away", shop
    agent.page.unroute(others)
    agent.page.reload()
    expect(status).to_have_attribute("data-status", "away")
    ask(visit(CHAT, signed_in=SECOND), "有人在吗")
    page = agent.page
    page.get_by_test_id("filter-queued").click()
    expect(page.get_by_test_id("conversation").filter(has_text="有人在吗")).to_be_visible()
    agent.shot("agent-queue-desk")
    page.get_by_test_id("accept").click()
    expect(page.get_by_test_id("filter-mine")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_test_id("chat")).to_be_visible()
    expect(page.get_by_test_id("open-end")).to_be_visible()
    page.keyboard.press("Alt+e")
    page.get_by_test_id("topic-order").click()
    page.get_by_test_id("summary").fill("只是来打个招呼")
    agent.shot("agent-end-desk")
    page.get_by_test_id("end-go").click()
    expect(page.get_by_test_id("conversation")).to_have_count(0)
    page.get_by_test_id("filter-ended").click()
    page.get_by_test_id("conversation").filter(has_text="有人在吗").click()
    page.get_by_test_id("reopen").click()
    expect(page.get_by_test_id("open-end")).to_be_visible()
    expect(page.get_by_test_id("past-cases")).to_contain_text("只是来打个招呼")
    page.get_by_test_id("memo").click()
    page.get_by_test_id("memo-text").fill("爱聊天")
    page.get_by_test_id("memo-save").click()
    expect(page.get_by_test_id("memo")).to_contain_text("爱聊天")
    agent.shot("agent-known-desk")
    status.click()
    page.get_by_test_id("status-online").click()
    expect(status).to_have_attribute("data-status", "online")


def test_pictures_are_pasted_looked_at_and_words_are_taken_back(visit: Visit, product: Product) -> None:  # req I6
    begin(product)
    buyer = visit(CHAT, signed_in=FIRST)
    ask(buyer, "发张图看看")
    agent = open_desk(visit)
    page = agent.page
    see(page, "发张图看看")
    page.evaluate(
        """([pixels]) => {
          const bytes = Uint8Array.from(atob(pixels), letter => letter.charCodeAt(0))
          const files = new DataTransfer()
          files.items.add(new File([bytes], 'paste.png', { type: 'image/png' }))
          const box = document.querySelector('[data-testid=composer]')
          box.dispatchEvent(new ClipboardEvent('paste', { clipboardData: files, bubbles: true, cancelable: true }))
        }""",
        [png()],
    )
    expect(page.get_by_test_id("attached").locator("li").first).to_have_attribute("data-state", "ready")
    agent.shot("agent-attached-desk")
    page.get_by_test_id("composer").press("Enter")
    expect(page.get_by_test_id("picture").last.locator("img")).to_be_visible()
    page.get_by_test_id("picture").last.click()
    expect(page.locator("[data-testid=viewer]")).to_be_visible()
    page.keyboard.press("Escape")
    composer = page.get_by_test_id("composer")
    for text in ("说错的话", "要改的话"):
        composer.fill(text)
        composer.press("Enter")
        expect(bubbles(page, text)).to_have_attribute("data-mark", re.compile("sent|read"))
    bubbles(page, "说错的话").hover()
    page.get_by_test_id("tool-recall").click()
    expect(page.get_by_test_id("recalled").last).to_be_visible()
    expect(bubbles(page, "说错的话")).to_have_count(0)
    bubbles(page, "要改的话").hover()
    page.get_by_test_id("tool-edit").click()
    expect(composer).to_have_value("要改的话")
    composer.fill("改好的话")
    composer.press("Enter")
    expect(bubbles(page, "改好的话")).to_be_visible()
    expect(bubbles(page, "改好的话")).to_contain_text("已编辑")
    bubbles(page, "发张图看看").last.hover()
    page.get_by_test_id("tool-quote").click()
    composer.fill("这是回答")
    composer.press("Enter")
    expect(bubbles(page, "这是回答").get_by_test_id("quoted")).to_contain_text("发张图看看")
    agent.shot("agent-kinds-desk")


def test_the_agents_phone_serves_as_well(visit: Visit, product: Product) -> None:
    begin(product)
    ask(visit(CHAT, signed_in=SECOND), "手机上也能接待吗")
    agent = open_desk(visit, size="phone", phone=AGENT)
    page = agent.page
    agent.shot("agent-phone-list")
    see(page, "手机上也能接待吗")
    page.get_by_test_id("composer").fill("能")
    page.get_by_test_id("send").click()
    expect(bubbles(page, "能").last).to_have_attribute("data-mark", re.compile("sent|read"))
    agent.shot("agent-phone-chat")
    page.get_by_test_id("toggle-side").click()
    expect(page.get_by_test_id("buyer-panel")).to_be_visible()
    agent.shot("agent-phone-side")


def test_a_ready_answer_is_found_by_its_letters_and_filled_in(visit: Visit, product: Product) -> None:
    begin(product)
    keep_quick_reply(product, "营业时间", "您好 {buyer}，我们每天 8:00 到 22:00 营业。")
    buyer = visit(CHAT, signed_in=FIRST)
    ask(buyer, "几点关门")
    agent = open_desk(visit)
    page = agent.page
    see(page, "几点关门")
    composer = page.get_by_test_id("composer")
    composer.press_sequentially("/yy")
    expect(page.get_by_test_id("canned-item").first).to_contain_text("营业时间")
    agent.shot("agent-canned-desk")
    composer.press("Enter")
    expect(composer).to_have_value("您好 小满，我们每天 8:00 到 22:00 营业。")
    composer.press("Enter")
    hears(buyer, "22:00")
