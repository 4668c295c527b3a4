"""One browser, several tabs, one socket: who leads may close or freeze; what was written outlives every page."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Locator, Page, WebSocket, expect

from tests.web.conftest import Gate, Product, Visit, Visitor
from tests.web.desk import begin
from tests.web.people import AGENT, COFFEE

BUYER = "13800000002"
CHAT = f"/shop/chat/{COFFEE}"


class Tab:
    """One chat page of the buyer, and the sockets it has open."""

    def __init__(self, who: Visitor) -> None:
        self.page = who.context.new_page()
        self.sockets = 0
        self.page.on("websocket", self._opened)
        self.page.goto(who.base + CHAT)

    def _opened(self, socket: WebSocket) -> None:
        self.sockets += 1
        socket.on("close", self._closed)

    def _closed(self, _socket: WebSocket) -> None:
        self.sockets -= 1

    def say(self, text: str) -> None:
        """Type a line and press the button."""
        self.page.locator("textarea").fill(text)
        self.page.locator("button[type=submit]").click()
        expect(lines(self.page, text)).to_have_count(1)


def lines(page: Page, text: str) -> Locator:
    """The bubbles that say this."""
    return page.locator("[data-bubble]:not([data-fr=bot])").filter(has_text=text)


def settled(page: Page, text: str) -> None:
    """Shown once, and the server has it."""
    bubble = lines(page, text)
    expect(bubble).to_have_count(1)
    expect(bubble).to_have_attribute("data-state", re.compile("sent|read"))


def sockets(tabs: list[Tab], count: int) -> None:
    """So many sockets are open in these tabs together, as soon as closing ones have closed."""
    until = time.monotonic() + 8
    while sum(tab.sockets for tab in tabs) != count and time.monotonic() < until:
        tabs[0].page.wait_for_timeout(50)
    assert sum(tab.sockets for tab in tabs) == count


@pytest.fixture
def who(visit: Visit) -> Visitor:
    """A signed-in buyer, on a page whose chat is the first to lead."""
    return visit("/shop/", signed_in=BUYER)


def test_all_tabs_of_a_browser_use_one_socket_and_show_the_same(who: Visitor) -> None:  # req I13
    who.page.close()
    tabs = [Tab(who) for _ in range(3)]
    for n, tab in enumerate(tabs):
        tab.say(f"第{n}页说的")
    for tab in tabs:
        for n in range(3):
            settled(tab.page, f"第{n}页说的")
    sockets(tabs, 1)


def test_the_lead_passes_on_when_its_tab_closes_and_nothing_is_lost_or_doubled(
    who: Visitor, visit: Visit, product: Product
) -> None:
    begin(product)
    who.page.close()
    first, second, third = (Tab(who) for _ in range(3))
    first.say("关闭前")
    settled(third.page, "关闭前")
    assert first.sockets == 1
    first.page.close()
    second.say("关闭后二")
    third.say("关闭后三")
    for tab in (second, third):
        settled(tab.page, "关闭后二")
        settled(tab.page, "关闭后三")
    sockets([second, third], 1)
    agent = visit("/agent/", size="desk", signed_in=AGENT, audience="staff")
    agent.page.get_by_test_id("conversation").filter(has_text="关闭后三").click()
    for text in ("关闭前", "关闭后二", "关闭后三"):
        expect(agent.page.get_by_test_id("message").filter(has_text=text)).to_have_count(1)


def test_a_leader_that_freezes_loses_its_place_within_seconds_and_follows_when_it_thaws(who: Visitor) -> None:
    who.page.close()
    first, second = Tab(who), Tab(who)
    second.say("冻结前")
    settled(first.page, "冻结前")
    assert (first.sockets, second.sockets) == (1, 0)
    debugger = who.context.new_cdp_session(first.page)
    debugger.send("Debugger.enable")
    debugger.send("Debugger.pause")  # the page's next step never comes
    second.say("领头冻结时说的")
    settled(second.page, "领头冻结时说的")
    sockets([second], 1)
    debugger.send("Debugger.disable")  # thaws
    settled(first.page, "领头冻结时说的")
    first.say("解冻后")
    settled(second.page, "解冻后")
    sockets([first], 0)
    sockets([second], 1)


def test_what_was_written_while_the_server_is_away_outlives_every_page(
    who: Visitor, product: Product, gate: Gate, visit: Visit
) -> None:  # issue 5: persistent outbox
    gate.allow("ERR_CONNECTION_REFUSED|WebSocket connection|503|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE")
    who.page.close()
    first, second = Tab(who), Tab(who)
    first.say("服务器还在")
    settled(second.page, "服务器还在")
    product.stop()
    for tab, text in ((first, "服务器走了一"), (second, "服务器走了二"), (first, "服务器走了三")):
        tab.say(text)
        expect(lines(tab.page, text)).to_have_attribute("data-state", "sending")
    expect(lines(first.page, "服务器走了二")).to_have_attribute("data-state", "sending")
    first.page.close()
    second.page.close()
    product.start()
    later = Tab(who)
    for text in ("服务器走了一", "服务器走了二", "服务器走了三"):
        settled(later.page, text)
    shown = [text.strip() for text in later.page.locator("[data-bubble]:not([data-fr=bot]) .bubble").all_inner_texts()]
    assert shown[-3:] == ["服务器走了一", "服务器走了二", "服务器走了三"]
