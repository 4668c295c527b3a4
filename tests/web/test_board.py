"""The supervisor's board: it moves by itself, shows what is true, and a hand reaches into the desk from every row."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.web.conftest import Product, Visit, Visitor
from tests.web.desk import CHAT, FIRST, OTHER, SECOND, ask, attend, begin, bubbles, choose, hears, open_desk
from tests.web.people import AGENT, COFFEE, OWNER


def open_board(visit: Visit, **how: object) -> Visitor:
    """The owner looks at the coffee shop."""
    boss = visit(f"/agent/board?shop={COFFEE}", signed_in=OWNER, audience="staff", **{"size": "desk", **how})
    expect(boss.page.get_by_test_id("board")).to_have_attribute("data-ready", "true")
    return boss


def now(page: Page, name: str, value: int) -> None:
    expect(page.get_by_test_id(f"now-{name}")).to_have_attribute("data-value", str(value))


def test_the_board_moves_and_the_supervisor_reaches_in(visit: Visit, product: Product) -> None:  # req I4, I8
    begin(product, online=())
    boss = open_board(visit)
    page = boss.page
    now(page, "queued", 0)
    expect(page.get_by_test_id("now-online")).to_have_attribute("data-value", "0")
    first, second = (visit(CHAT, signed_in=phone) for phone in (FIRST, SECOND))
    ask(first, "看板上的第一位")
    now(page, "queued", 1)
    expect(page.get_by_test_id("waiter")).to_have_attribute("data-state", "queued")
    ask(second, "看板上的第二位")
    now(page, "queued", 2)
    boss.shot("board-queue-desk")

    # Looked at from the queue: the buyer sees nothing of it, and it is not taken.
    page.get_by_test_id("waiter").filter(has_text="小满").click()
    look = page.get_by_test_id("look")
    expect(bubbles(page, "看板上的第一位")).to_be_visible()
    expect(look).to_have_attribute("data-state", "queued")

    # An agent comes: both are taken, and the board says by whom.
    attend(product, AGENT, "online")
    agent = open_desk(visit)
    now(page, "queued", 0)
    now(page, "human", 2)
    expect(look).to_have_attribute("data-state", "human")
    row = page.get_by_test_id("agent").filter(has_text="林可")
    expect(row).to_have_attribute("data-load", "2")
    expect(row).to_have_attribute("data-status", "online")
    expect(row.get_by_test_id("served")).to_have_count(2)

    # What is said goes on under the eyes of who looks; a whisper is heard by the agent alone.
    ask(first, "能便宜点吗")
    expect(bubbles(page, "能便宜点吗")).to_be_visible()
    page.get_by_test_id("whisper").fill("给他九折")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("whisper")).to_have_value("给他九折")
    boss.shot("board-look-desk")
    page.get_by_test_id("whisper-send").click()
    choose(agent.page, "小满")
    expect(agent.page.get_by_test_id("note").last).to_contain_text("给他九折")
    expect(page.get_by_test_id("note").last).to_contain_text("给他九折")
    assert "九折" not in first.page.locator("body").inner_text()
    agent.page.get_by_test_id("composer").fill("可以给您九折")
    agent.page.keyboard.press("Enter")
    hears(first, "可以给您九折")
    now(page, "waiting", 1)

    # Passed on from the board.
    attend(product, OTHER, "online")
    colleague = open_desk(visit, phone=OTHER)
    look.get_by_test_id("open-transfer").click()
    aim = page.get_by_test_id("transfer").get_by_test_id("aim-agent").filter(has_text="江晚")
    expect(aim).to_be_visible()
    aim.click()
    page.get_by_test_id("transfer-note").fill("老顾客")
    page.get_by_test_id("transfer-go").click()
    expect(page.get_by_test_id("agent").filter(has_text="江晚")).to_have_attribute("data-load", "1")
    expect(colleague.page.get_by_test_id("conversation")).to_have_count(1)

    # Taken over, answered at the desk.
    page.get_by_test_id("take-over").click()
    page.get_by_test_id("take-over-sure").click()
    expect(page.get_by_test_id("look-reply")).to_be_visible()
    expect(page.get_by_test_id("agent").filter(has_text="章予")).to_have_attribute("data-load", "1")

    # Sent to lunch: nobody new comes to her.
    row.get_by_test_id("set-state").click()
    page.get_by_test_id("set-away-meal").click()
    expect(row).to_have_attribute("data-status", "away")
    expect(row).to_contain_text("用餐")
    boss.shot("board-busy-desk")
    page.get_by_test_id("look-reply").click()
    expect(page.get_by_test_id("composer")).to_be_visible()


def test_the_board_on_the_wall_and_in_the_hand(visit: Visit, product: Product) -> None:
    begin(product, online=())
    ask(visit(CHAT, signed_in=FIRST), "等在墙上")
    hand = open_board(visit, size="phone", lang="en")
    now(hand.page, "queued", 1)
    hand.shot("board-phone")
    hand.page.get_by_test_id("waiter").click()
    expect(bubbles(hand.page, "等在墙上")).to_be_visible()
    hand.shot("board-phone-look")
    hand.page.get_by_test_id("look-close").click()
    expect(hand.page.get_by_test_id("look")).to_have_count(0)
    wall = open_board(visit, dark=True)
    wall.page.get_by_test_id("wall").click()
    expect(wall.page.get_by_test_id("now-queued")).to_have_attribute("data-value", "1")
    size = (
        wall.page.get_by_test_id("now-queued")
        .locator("strong")
        .evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    )
    assert size >= 60, size
    wall.shot("board-wall-dark")
    wall.page.keyboard.press("Escape")
    expect(wall.page.get_by_test_id("rail-board")).to_be_visible()
