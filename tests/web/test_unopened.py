"""Pages that cannot be fetched when they are opened: no network, or a newer build in their place."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect

from tests.web.conftest import Gate, Visit


def test_without_a_network_a_page_says_so_and_opens_when_it_is_back(visit: Visit, gate: Gate) -> None:
    gate.allow(r"INTERNET_DISCONNECTED|preload|dynamically imported|WebSocket")
    buyer = visit("/shop/", size="phone")
    page = buyer.page
    expect(page.locator("[data-tab=cart]")).to_be_visible()
    buyer.context.set_offline(True)
    page.locator("[data-tab=cart]").click()
    expect(page.get_by_test_id("unopened")).to_contain_text("没能打开")
    buyer.shot("unopened-phone")
    expect(page).to_have_url(re.compile(r"/shop/$"))
    page.get_by_test_id("unopened").get_by_role("button", name="重试").click()
    expect(page.get_by_test_id("unopened")).to_be_visible()
    buyer.context.set_offline(False)
    page.get_by_test_id("unopened").get_by_role("button", name="重试").click()
    expect(page).to_have_url(re.compile(r"/shop/cart$"))
    expect(page.get_by_test_id("unopened")).to_have_count(0)


def test_a_page_of_an_older_build_is_fetched_anew_once(visit: Visit, gate: Gate) -> None:
    gate.allow(r"preload|dynamically imported|^refused: 404 .*/Cart")
    buyer = visit("/shop/", size="phone", lang="en")
    page = buyer.page
    expect(page.locator("[data-tab=cart]")).to_be_visible()
    asked: list[str] = []

    def replaced(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=404, body="")

    page.route(re.compile(r"/assets/Cart-.*\.js$"), replaced)
    page.locator("[data-tab=cart]").click()
    # The server answers, but what it has now does not open either: told, and not tried for ever.
    expect(page.get_by_test_id("unopened")).to_contain_text("could not be opened")
    assert len(asked) <= 4
    page.unroute(re.compile(r"/assets/Cart-.*\.js$"), replaced)
    page.get_by_test_id("unopened").get_by_role("button", name="Retry").click()
    expect(page).to_have_url(re.compile(r"/shop/cart$"))
    expect(page.get_by_test_id("unopened")).to_have_count(0)
