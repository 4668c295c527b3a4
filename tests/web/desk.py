"""What tests of the agent's desk do again and again."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import Size, Visit, Visitor
from tests.web.people import AGENT, COFFEE

FIRST, SECOND = "13800000001", "13800000002"
CHAT = f"/shop/chat/{COFFEE}"


def ask(buyer: Visitor, text: str) -> None:
    """The buyer writes in the shop's own chat page."""
    buyer.page.locator("textarea").fill(text)
    # It can be pressed once the conversation is open.
    buyer.page.locator("button[type=submit]").click()
    expect(buyer.page.locator("[data-bubble]:not([data-fr=bot])").last).to_contain_text(text)


def bubbles(page: Page, text: str) -> Locator:
    """The lines of the log with this text."""
    return page.get_by_test_id("message").filter(has_text=text)


def open_desk(
    visit: Visit, *, size: Size = "desk", lang: str = "zh-CN", dark: bool = False, phone: str = AGENT
) -> Visitor:
    """Signed in and connected."""
    agent = visit("/agent/", size=size, lang=lang, dark=dark, signed_in=phone, audience="staff")
    expect(agent.page.get_by_test_id("connection")).to_have_attribute("data-phase", "online")
    return agent


def choose(page: Page, text: str) -> None:
    """Opens the conversation whose row says this."""
    page.get_by_test_id("conversation").filter(has_text=text).click()
    expect(page.get_by_test_id("chat")).to_be_visible()
