"""The settings of the desk as a shop's people use them, and what buyers then meet."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.web.conftest import Product, Size, Visit, Visitor
from tests.web.people import AGENT, COFFEE, OWNER


def settings(
    visit: Visit, part: str = "", *, phone: str = OWNER, size: Size = "desk", lang: str = "zh-CN", dark: bool = False
) -> Visitor:
    """A part of the coffee shop's settings."""
    who = visit(
        f"/agent/settings/{part}?shop={COFFEE}", size=size, lang=lang, dark=dark, signed_in=phone, audience="staff"
    )
    expect(who.page.get_by_test_id("settings")).to_be_visible()
    return who


def save(page: Page) -> None:
    """The server has said yes."""
    page.get_by_test_id("save").click()
    expect(page.locator("form[data-state=saved]")).to_be_visible()


def test_shell(visit: Visit, product: Product) -> None:
    owner = settings(visit, "retention")
    page = owner.page
    expect(page.get_by_test_id("retention")).to_be_visible()
    owner.shot("settings-retention-desk")
    page.get_by_test_id("keep-days").click()
    page.get_by_test_id("keep-number").fill("3")
    page.get_by_test_id("keep-number").blur()
    page.get_by_test_id("save").click()
    owner.shot("settings-retention-wrong-desk")
    page.get_by_test_id("rail-messages").click()
    owner.shot("settings-leaving-desk")
    page.get_by_test_id("leave-stay").click()
    page.get_by_test_id("keep-number").fill("90")
    page.get_by_test_id("save").click()
    owner.shot("settings-retention-sure-desk")
    page.reload()
    expect(page.get_by_test_id("restored")).to_be_visible()
    agent = settings(visit, "", phone=AGENT, size="phone", dark=True)
    agent.shot("settings-agent-phone-dark")
    agent = settings(visit, "", phone=OWNER, size="phone", lang="en")
    agent.shot("settings-menu-phone-en")
    agent.page.get_by_test_id("part-retention").click()
    agent.shot("settings-retention-phone-en")
