"""Service as buyers see it: the place in the queue moves, colleagues pass them on, they leave messages and rate."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.web.conftest import Product, Visit, Visitor
from tests.web.desk import (
    CHAT,
    FIRST,
    OTHER,
    SECOND,
    ask,
    attend,
    bar,
    begin,
    choose,
    hears,
    manage,
    open_desk,
    png,
    seats,
)
from tests.web.people import AGENT


@pytest.fixture
def one_each(product: Product) -> Iterator[None]:
    """Each of the two agents serves one buyer at a time."""
    begin(product)
    seats(product, 林可=1, 江晚=1)
    yield
    seats(product, 林可=5, 江晚=5)
    begin(product)


def end(agent: Visitor) -> None:
    """The agent ends the case that is open in front."""
    agent.page.keyboard.press("Alt+e")
    agent.page.get_by_test_id("topic-order").click()
    agent.page.get_by_test_id("end-go").click()


def says(agent: Visitor, text: str) -> None:
    """The agent answers in the conversation that is open in front."""
    agent.page.get_by_test_id("composer").fill(text)
    agent.page.keyboard.press("Enter")


def test_two_agents_serve_three_buyers_who_see_their_place_move(
    visit: Visit, product: Product, one_each: None
) -> None:  # req I4, I8
    agent = open_desk(visit)
    first, second = visit(CHAT, signed_in=FIRST), visit(CHAT, signed_in=SECOND, size="desk", lang="en")
    third = visit(CHAT, size="phone", dark=True)
    ask(first, "我先来的")
    bar(first, "human")
    expect(bar(first, "human")).to_contain_text("林可 正在为您服务")
    ask(second, "I am second")
    expect(bar(second, "queued")).to_have_attribute("data-ahead", "0")
    expect(bar(second, "queued")).to_contain_text("You are next")
    ask(third, "我是访客，第三个")
    expect(bar(third, "queued")).to_have_attribute("data-ahead", "1")
    expect(third.page.get_by_test_id("eta")).to_contain_text("预计")
    third.shot("service-queue-phone-dark")
    # In a rush places change each second: whoever listens is told theirs now and then. Time stands still from here on.
    fourth = visit(CHAT)
    ask(fourth, "我是第四个")
    expect(bar(fourth, "queued")).to_have_attribute("data-ahead", "2")
    told = fourth.page.get_by_test_id("case-told")
    expect(told).to_contain_text("前面还有 2 位")
    fourth.page.clock.install()
    fourth.page.reload()
    expect(bar(fourth, "queued")).to_have_attribute("data-ahead", "2")
    expect(told).to_contain_text("前面还有 2 位")
    fourth.page.clock.pause_at(fourth.page.evaluate("Date.now() / 1000") + 1)
    second.shot("service-next-desk-en")
    choose(agent.page, "我先来的")
    says(agent, "您的问题解决了")
    hears(first, "您的问题解决了")
    end(agent)
    # A place has become free: the next is served, the one behind moves up, both without a word of theirs.
    expect(bar(second, "human")).to_contain_text("林可 is with you")
    expect(bar(third, "queued")).to_have_attribute("data-ahead", "0")
    expect(bar(third, "queued")).to_contain_text("下一位就是您")
    expect(bar(fourth, "queued")).to_have_attribute("data-ahead", "1")
    expect(told).to_contain_text("前面还有 2 位")
    fourth.page.clock.run_for(30_000)
    expect(told).to_contain_text("前面还有 1 位")
    fourth.page.clock.resume()
    fourth.page.get_by_test_id("case-quit").click()
    fourth.page.get_by_test_id("case-sure").click()
    bar(fourth, "ended")
    # Whoever is tired of waiting leaves, and begins again when they like. The question has the focus first.
    third.page.get_by_test_id("case-quit").click()
    expect(third.page.get_by_test_id("case-stay")).to_be_focused()
    third.page.keyboard.press("Enter")
    expect(third.page.get_by_test_id("case-quit")).to_be_focused()
    third.page.keyboard.press("Enter")
    third.shot("service-sure-phone-dark")
    third.page.get_by_test_id("case-sure").click()
    bar(third, "ended").get_by_test_id("case-again").click()
    third.page.get_by_test_id("case-person").click()
    expect(bar(third, "queued")).to_have_attribute("data-ahead", "0")
    # A colleague comes: she serves the third, then takes the second over as well.
    attend(product, OTHER, "online")
    colleague = open_desk(visit, phone=OTHER)
    expect(bar(third, "human")).to_contain_text("江晚 正在为您服务")
    seats(product, 江晚=2)
    choose(agent.page, "I am second")
    agent.page.keyboard.press("Alt+t")
    agent.page.get_by_test_id("transfer").get_by_test_id("aim-agent").filter(has_text="江晚").click()
    agent.page.get_by_test_id("transfer-go").click()
    expect(bar(second, "human")).to_contain_text("江晚 is with you")
    expect(second.page.get_by_test_id("note").filter(has_text="Passed on to 江晚")).to_be_visible()
    choose(colleague.page, "I am second")
    says(colleague, "Hello, I take over")
    hears(second, "I take over")
    rated_and_changed(first)


def test_a_late_answer_about_the_case_before_does_not_hide_the_new_one(
    visit: Visit, product: Product
) -> None:  # req I4, I8
    begin(product, online=())
    buyer = visit(CHAT, size="phone")
    page = buyer.page
    ask(buyer, "我等不及了")
    bar(buyer, "queued")
    page.get_by_test_id("case-quit").click()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(re.compile(r"/buyer/cases/[^/]+$"), hold)
    page.get_by_test_id("case-sure").click()
    bar(buyer, "ended")
    page.wait_for_timeout(1_000)  # word of the end has come, and the page has asked what is true
    assert held
    page.get_by_test_id("case-again").click()
    bar(buyer, "new")
    for one in held:
        with page.expect_response(one.request.url):
            one.continue_()
    page.wait_for_timeout(200)
    bar(buyer, "new")


def rated_and_changed(buyer: Visitor) -> None:
    """The buyer whose case has ended is asked once, rates, and thinks again."""
    bar(buyer, "ended")
    page = buyer.page
    card = page.get_by_test_id("rating")
    expect(card).to_contain_text("林可 的服务怎么样？")
    buyer.shot("service-rating-ask-phone")
    page.get_by_test_id("rating-later").click()
    page.reload()
    expect(page.get_by_test_id("rating-open")).to_be_visible()
    expect(card).to_have_count(0)  # asked once
    page.get_by_test_id("rating-open").click()
    page.get_by_test_id("star-5").click()
    page.get_by_test_id("rating-solved").click()
    page.get_by_test_id("rating-tag").filter(has_text="耐心细致").click()
    page.get_by_test_id("rating-text").fill("写了一半的评价")
    page.reload()
    page.get_by_test_id("rating-open").click()
    expect(page.get_by_test_id("rating-text")).to_have_value("写了一半的评价")
    buyer.shot("service-rating-phone")
    page.get_by_test_id("rating-send").click()
    expect(card).to_have_attribute("data-state", "given")
    expect(card).to_contain_text("已解决 · 耐心细致")
    page.get_by_test_id("rating-change").click()
    page.get_by_test_id("star-4").click()
    page.get_by_test_id("rating-send").click()
    expect(card.locator("[data-stars]")).to_have_attribute("data-stars", "4")
    page.reload()
    expect(card.locator("[data-stars]")).to_have_attribute("data-stars", "4")
    buyer.shot("service-rated-phone")


def test_what_is_left_while_nobody_is_there_is_taken_answered_and_noticed(
    visit: Visit, product: Product
) -> None:  # req I4, I9
    begin(product, online=())
    buyer = visit("/shop/p/G000000DEM00000000000000001")  # a visitor who looks at a product first
    page = buyer.page
    page.get_by_role("button", name="客服").first.click()
    expect(page.get_by_test_id("case-bar")).to_contain_text("客服暂时不在")
    day = {"days": [1, 2, 3, 4, 5, 6, 7], "start": 0, "end": 1}
    manage(product, "PUT", "settings", {"hours": [day]})
    page.reload()
    expect(page.get_by_test_id("case-bar")).to_contain_text(re.compile(r"现在是休息时间，.*00:00 开始服务"))
    page.get_by_test_id("case-leave").click()
    page.get_by_test_id("leave-send").click()
    expect(page.get_by_test_id("leave-text")).to_be_focused()
    page.get_by_test_id("leave-text").fill("周末能预约十个人的位置吗？")
    page.get_by_test_id("leave-contact").fill("打电话")
    page.get_by_test_id("leave-send").click()
    expect(page.get_by_text("请填写正确的手机号")).to_be_visible()
    buyer.shot("service-leave-phone")
    page.reload()
    page.get_by_test_id("case-leave").click()
    expect(page.get_by_test_id("leave-text")).to_have_value("周末能预约十个人的位置吗？")
    page.get_by_test_id("leave-contact").fill("13812345678")
    page.get_by_test_id("leave-send").click()
    card = page.get_by_test_id("left-card").last
    expect(card).to_have_attribute("data-state", "open")
    expect(card).to_contain_text("周末能预约十个人的位置吗？")
    manage(product, "PUT", "settings", {"hours": None})

    # The agent works through the messages; what comes meanwhile is told there as well.
    attend(product, AGENT, "online")
    agent = open_desk(visit)
    agent.page.get_by_test_id("rail-messages").click()
    left = agent.page.get_by_test_id("left-message").filter(has_text="周末能预约十个人")
    left.get_by_test_id("left-take").click()
    expect(card).to_have_attribute("data-state", "taken")
    expect(card).to_contain_text("林可 正在处理")
    buyer.shot("service-left-phone")
    ask(buyer, "还有，可以带宠物吗？")
    expect(agent.page).to_have_title(re.compile(r"^\(\d+\+?\)"))  # on this page, too
    expect(agent.page.locator("link[rel~=icon]")).to_have_attribute("href", re.compile("^data:image/svg"))
    agent.page.get_by_test_id("left-taken").click()
    left.get_by_role("button", name="打开会话").click()
    expect(agent.page.get_by_test_id("trail-page").first).to_contain_text("云南日晒拿铁")
    agent.shot("agent-trail-desk")

    # The buyer is on another page when the answer comes.
    page.get_by_role("link", name="进店").click()
    expect(agent.page.get_by_test_id("trail-page").first).to_contain_text("/shop/s/")
    says(agent, "可以的，十人位已为您留好")
    note = page.get_by_test_id("new-message")
    expect(note).to_contain_text("十人位已为您留好")
    expect(page).to_have_title(re.compile(r"^\(1\)"))
    buyer.shot("service-toast-phone")
    note.get_by_role("button").first.click()
    hears(buyer, "十人位已为您留好")
    agent.page.get_by_test_id("rail-messages").click()
    agent.page.get_by_test_id("left-taken").click()
    left.get_by_test_id("left-close").click()
    agent.page.get_by_test_id("left-close-go").click()
    expect(card).to_have_attribute("data-state", "closed")
    expect(card).not_to_contain_text("下方")  # it may have been dealt with by telephone
    send_picture(page)
    buyer.shot("service-answered-phone")
    agent.page.get_by_test_id("rail-desk").click()
    expect(agent.page.get_by_test_id("picture").last.locator("img")).to_be_visible()


def send_picture(page: Page) -> None:
    """A guest's picture: carried with a token, shown to the guest without a cookie."""
    page.get_by_test_id("more-open").click()
    page.get_by_test_id("file-album").set_input_files(
        {"name": "桌子.png", "mimeType": "image/png", "buffer": base64.b64decode(png())}
    )
    page.get_by_test_id("preview-send").click()
    picture = page.locator("[data-bubble][data-kind=image]").last
    expect(picture).to_have_attribute("data-state", re.compile("sent|read"))
    expect(picture.locator("img")).to_be_visible()
    picture.get_by_test_id("picture").click()
    expect(page.locator("dialog[open] img")).to_be_visible()
    page.keyboard.press("Escape")
