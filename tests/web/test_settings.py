"""The settings of the desk as a shop's people use them, and what buyers then meet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import Product, Size, Visit, Visitor
from tests.web.desk import CHAT, FIRST, OTHER, SECOND, ask, attend, bar, begin, open_desk, seats, token
from tests.web.people import AGENT, COFFEE, LATTE, OWNER, BuyerByWire
from tests.web.people import ask as call

LATTE_ID = "G000000DEM00000000000000001"


def settings(
    visit: Visit, part: str = "", *, phone: str = OWNER, size: Size = "desk", lang: str = "zh-CN", dark: bool = False
) -> Visitor:
    """A part of the coffee shop's settings."""
    who = visit(
        f"/agent/settings/{part}?shop={COFFEE}", size=size, lang=lang, dark=dark, signed_in=phone, audience="staff"
    )
    expect(who.page.get_by_test_id("settings")).to_be_visible()
    return who


def part(page: Page, name: str) -> None:
    """Another part, by the menu."""
    page.get_by_test_id(f"part-{name}").click()
    expect(page.get_by_test_id(f"part-{name}")).to_have_attribute("aria-current", "page")


def save(page: Page) -> None:
    """The server has said yes."""
    page.get_by_test_id("save").click()
    expect(page.locator("form[data-state=saved]")).to_be_visible()


def choose(page: Page, field: Locator, option: str) -> None:
    """One of a list that opens."""
    field.click()
    page.get_by_role("option", name=option).locator("visible=true").click()


@pytest.fixture
def owner_wire(product: Product) -> Iterator[Any]:
    """Asks the coffee shop's desk as its owner; what a test has set there is taken back after it."""
    secret = token(product, OWNER)

    def desk(method: str, path: str, body: object = None) -> Any:
        return call(method, f"{product.base}/api/v1/shop/{COFFEE}/desk/{path}", body, secret)

    yield desk
    names = ("strategy", "cap", "response_timeout_s", "drop_grace_s", "idle_end_s", "hours", "holidays", "rules",
             "serve_online")  # fmt: skip
    desk("PUT", "settings", dict.fromkeys(names))


def test_values_are_set_kept_and_taken_back(visit: Visit, product: Product, owner_wire: Any) -> None:  # req I4
    owner = settings(visit, "service")
    page = owner.page
    field = page.get_by_test_id("response_timeout_s").get_by_role("textbox")
    expect(field).to_have_value("3")
    page.get_by_test_id("strategy-manual").click()
    # Wrong words are named when the field is left, and the cursor goes there.
    field.fill("三")
    field.blur()
    expect(page.locator("[data-field=response_timeout_s] [role=alert]")).to_be_visible()
    owner.shot("settings-service-wrong-desk")
    page.get_by_test_id("save").click()
    expect(field).to_be_focused()
    field.fill("5")
    page.get_by_test_id("cap").get_by_role("spinbutton").fill("8")
    # Nobody leaves without being asked, and a reload loses nothing.
    page.get_by_test_id("rail-messages").click()
    expect(page.get_by_test_id("leaving")).to_be_visible()
    owner.shot("settings-leaving-desk")
    page.get_by_test_id("leave-stay").click()
    # Nor to another shop.
    choose(page, page.get_by_test_id("settings-shop"), "巷口面馆")
    page.get_by_test_id("leave-stay").click()
    expect(page).to_have_url(re.compile(COFFEE))
    page.reload()
    expect(page.get_by_test_id("restored")).to_be_visible()
    expect(field).to_have_value("5")
    save(page)
    owner.shot("settings-service-desk")
    holds = owner_wire("GET", "settings")
    assert (holds["strategy"], holds["cap"], holds["response_timeout_s"]) == ("manual", 8, 300)
    page.reload()
    expect(field).to_have_value("5")
    expect(page.get_by_test_id("strategy-manual").get_by_role("radio")).to_be_checked()
    # Back to what lies beneath; a colleague's change of something else meanwhile stays.
    owner_wire("PUT", "settings", {"idle_end_s": 600})
    page.get_by_test_id("unset-response_timeout_s").click()
    expect(field).to_have_value("3")
    page.get_by_test_id("unset-strategy").click()
    save(page)
    layers = owner_wire("GET", "settings/layers")
    assert layers["own"] == {"cap": 8, "idle_end_s": 600}
    assert layers["holds"]["response_timeout_s"] == 180
    # The other shop has values of its own.
    choose(page, page.get_by_test_id("settings-shop"), "巷口面馆")
    expect(page.get_by_test_id("cap").get_by_role("spinbutton")).to_have_value("5")
    # Both languages, nothing left behind.
    page.get_by_test_id("language").click()
    expect(page.get_by_role("heading", name="Serving customers")).to_be_visible()
    assert not re.search(r"[\u4e00-\u9fff]", page.get_by_test_id("settings-part").inner_text())
    # A phone: the menu is a page, a part has the way back.
    phone = settings(visit, size="phone", lang="en", dark=True)
    phone.shot("settings-menu-phone-en-dark")
    phone.page.get_by_test_id("part-service").click()
    expect(phone.page.get_by_test_id("service")).to_be_visible()
    expect(phone.page.get_by_test_id("part-service")).to_be_hidden()
    phone.shot("settings-service-phone-en-dark")
    phone.page.get_by_test_id("settings-back").click()
    expect(phone.page.get_by_test_id("part-hours")).to_be_visible()


def test_a_shop_that_is_closed_lets_buyers_leave_a_message(  # req I4
    visit: Visit, product: Product, owner_wire: Any
) -> None:
    begin(product, online=())
    owner = settings(visit, "hours")
    page = owner.page
    preview = page.get_by_test_id("hours-preview")
    expect(preview).to_have_attribute("data-open", "true")
    page.get_by_test_id("hours-spans").click()
    page.get_by_test_id("span-start").fill("18")
    page.get_by_test_id("span-end").fill("9")
    page.get_by_test_id("span-end").blur()
    expect(page.get_by_test_id("span").get_by_role("alert")).to_be_visible()
    page.get_by_test_id("span-start").fill("9")
    page.get_by_test_id("span-end").fill("1830")
    page.get_by_test_id("span-end").blur()
    expect(page.get_by_test_id("span-start")).to_have_value("09:00")
    expect(page.get_by_test_id("span-end")).to_have_value("18:30")
    expect(preview).to_contain_text("09:00–18:30")
    # Today and the two days after it are holidays.
    today = preview.locator("li").first
    day = page.evaluate("new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Shanghai' }).format(Date.now())")
    last = page.evaluate(
        "new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Shanghai' }).format(Date.now() + 172800000)"
    )
    page.get_by_test_id("holiday-from").fill(day)
    page.get_by_test_id("holiday-to").fill(last)
    page.get_by_test_id("holiday-add").click()
    expect(page.get_by_test_id("holiday")).to_have_count(3)
    expect(preview).to_have_attribute("data-open", "false")
    expect(preview.locator("li.unlike")).to_have_count(3)
    expect(today).to_contain_text("休息")
    owner.shot("settings-hours-desk")
    save(page)
    buyer = visit(CHAT, signed_in=FIRST)
    ask(buyer, "现在有人吗")
    wire = BuyerByWire.sign_in(product, FIRST)
    case = next(one for one in wire("GET", "/buyer/cases")["items"] if one["shop_id"] == COFFEE)
    assert (case["open_now"], case["after_hours"], case["state"]) == (False, True, "queued")
    phone = settings(visit, "hours", size="phone", lang="en")
    expect(phone.page.get_by_test_id("holiday")).to_have_count(3)
    phone.shot("settings-hours-phone-en")
    # Who is online is given nobody by night, until the shop wants to serve whenever somebody is.
    seats(product, 江晚=0)
    attend(product, OTHER, "online")
    buyer.page.reload()
    expect(bar(buyer, "queued")).to_contain_text("现在是休息时间")
    agent = open_desk(visit, phone=OTHER)
    agent.page.get_by_test_id("filter-queued").click()
    hint = agent.page.get_by_test_id("queue-hint")
    expect(hint).to_contain_text("不自动分配")
    agent.shot("agent-queue-resting-desk")
    row = page.locator("[data-field=serve_online]")
    expect(row).to_have_attribute("data-own", "false")
    page.get_by_test_id("serve-online").click()
    expect(row).to_have_attribute("data-own", "true")
    owner.shot("settings-hours-online-desk")
    save(page)
    assert owner_wire("GET", "settings/layers")["own"]["serve_online"] is True
    attend(product, OTHER, "online")
    seats(product, 江晚=5)
    bar(buyer, "human")
    agent.page.reload()
    agent.page.get_by_test_id("filter-queued").click()
    expect(hint).to_be_hidden()
    page.get_by_test_id("unset-hours").click()
    page.get_by_test_id("unset-holidays").click()
    page.get_by_test_id("unset-serve_online").click()
    save(page)
    assert not {"hours", "holidays", "serve_online"} & set(owner_wire("GET", "settings/layers")["own"])
    expect(preview).to_have_attribute("data-open", "true")


def test_a_rule_sends_buyers_to_its_group(visit: Visit, product: Product, owner_wire: Any) -> None:  # req I4
    begin(product, online=(AGENT, OTHER))
    owner = settings(visit, "people")
    page = owner.page
    page.get_by_test_id("group-new").fill("咖啡豆")
    page.get_by_test_id("group-add").click()
    group = page.get_by_test_id("group").filter(has_text="咖啡豆")
    expect(group).to_contain_text("0 人")
    row = page.get_by_test_id("agent").filter(has_text="江晚")
    row.get_by_role("button").first.click()
    row.get_by_test_id("agent-group").filter(has_text="咖啡豆").click()
    row.get_by_test_id("agent-skills").get_by_role("textbox").fill("英语")
    row.get_by_test_id("agent-skills").get_by_role("textbox").press("Enter")
    save(page)
    expect(group).to_contain_text("1 人")
    owner.shot("settings-people-desk")
    part(page, "rules")
    page.get_by_test_id("rule-add").click()
    rule = page.get_by_test_id("rule").first
    choose(page, rule.get_by_test_id("rule-page"), "商品页")
    choose(page, rule.get_by_test_id("rule-product"), LATTE)
    # It asks for nothing yet.
    page.get_by_test_id("save").click()
    expect(rule.get_by_role("alert")).to_be_visible()
    choose(page, rule.get_by_test_id("rule-group"), "咖啡豆")
    page.get_by_test_id("rule-add").click()
    second = page.get_by_test_id("rule").nth(1)
    choose(page, second.get_by_test_id("rule-priority"), "优先 3")
    # By keyboard to the top; then the other one can never be reached, and the page says so.
    second.get_by_test_id("move-up").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("rule").first).to_contain_text("所有顾客")
    expect(page.get_by_test_id("rule").nth(1)).to_contain_text("不会用到")
    owner.shot("settings-rules-desk")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("rule").first).to_contain_text(LATTE)
    save(page)
    rules = owner_wire("GET", "settings")["rules"]
    assert [(one["page"], one["thing_id"], one["priority"]) for one in rules] == [
        ("product", LATTE_ID, 0),
        (None, None, 3),
    ]
    open_desk(visit)
    theirs = open_desk(visit, phone=OTHER)
    buyer = visit(f"{CHAT}?product={LATTE_ID}", signed_in=SECOND)
    ask(buyer, "这支豆子酸吗")
    expect(theirs.page.get_by_test_id("conversation").filter(has_text="这支豆子酸吗")).to_be_visible()
    case = owner_wire("GET", "cases?state=human")["items"][0]
    assert (case["agent"]["name"], case["group"]["name"]) == ("江晚", "咖啡豆")
    phone = settings(visit, "rules", size="phone", lang="en", dark=True)
    phone.page.get_by_test_id("rule-open").first.click()
    expect(phone.page.get_by_test_id("rule-product")).to_contain_text(LATTE)
    phone.shot("settings-rules-phone-en-dark")
    part(page, "people")
    group.get_by_test_id("group-close").click()
    expect(page.get_by_test_id("group-sure")).to_contain_text("1 条分流规则")
    page.get_by_test_id("group-go").click()
    expect(group).to_have_count(0)


def test_labels_the_widget_and_what_is_kept(visit: Visit, product: Product, owner_wire: Any) -> None:  # req I9, I12
    owner = settings(visit, "labels")
    page = owner.page
    card = page.get_by_test_id("labels-case")
    card.get_by_test_id("label-add").click()
    card.get_by_test_id("label-name").fill("漏发")
    card.get_by_role("radio", name="紫").check(force=True)
    card.get_by_test_id("label-save").click()
    label = card.get_by_test_id("label").filter(has_text="漏发")
    expect(label).to_be_visible()
    owner.shot("settings-labels-desk")
    label.get_by_test_id("label-edit").click()
    card.get_by_test_id("label-name").fill("少发")
    card.get_by_test_id("label-save").click()
    renamed = card.get_by_test_id("label").filter(has_text="少发")
    expect(renamed).to_be_visible()
    made = next(one for one in owner_wire("GET", "labels")["items"] if one["name"] == "少发")
    assert made["colour"] == "purple"
    renamed.get_by_test_id("label-remove").click()
    page.get_by_test_id("label-go").click()
    expect(renamed).to_have_count(0)

    part(page, "widget")
    kept = owner_wire("GET", "widget")
    sites = page.get_by_test_id("widget-sites").get_by_role("textbox")
    sites.fill("https://www.beans.example/contact?x=1")
    sites.press("Enter")
    expect(page.get_by_test_id("widget-sites")).to_contain_text("https://www.beans.example")
    if not kept["on"]:
        page.get_by_test_id("widget-on").click()
    save(page)
    assert "https://www.beans.example" in owner_wire("GET", "widget")["sites"]
    tag = f'<script async src="{product.base}/widget.js" data-shop="{COFFEE}"></script>'
    expect(page.get_by_test_id("widget-tag")).to_contain_text(tag)
    if kept["signed"]:
        page.get_by_test_id("secret-make").click()
        page.get_by_test_id("secret-go").click()
    else:
        page.get_by_test_id("secret-make").click()
    secret = page.get_by_test_id("secret").locator("code").inner_text()
    owner.shot("settings-widget-secret-desk")
    page.get_by_test_id("secret-kept").click()
    # The sample on the page is what the server takes.
    page.locator("summary").click()
    sample = page.locator("details code").last.inner_text().replace('SECRET = "…"', f'SECRET = "{secret}"')
    scope: dict[str, Any] = {}
    exec(sample, scope)  # our own words, as a shop's programmer would run them
    wish = {
        "shop_id": COFFEE,
        "entry": scope["entry"]("member-7", "阿梨"),
        "device_id": "website-1",
        "device_name": "网站",
    }
    assert call("POST", f"{product.base}/api/v1/buyer/entry", wish)["nickname"] == "阿梨"
    owner.shot("settings-widget-desk")
    owner_wire("PUT", "widget", {"on": kept["on"], "sites": kept["sites"]})

    part(page, "retention")
    before = owner_wire("GET", "retention")["days"]
    page.get_by_test_id("keep-days").click()
    days = page.get_by_test_id("keep-number")
    days.fill("3")
    page.get_by_test_id("save").click()
    expect(days).to_be_focused()
    days.fill("90")
    page.get_by_test_id("save").click()
    expect(page.get_by_test_id("keep-sure")).to_be_visible()
    owner.shot("settings-retention-sure-desk")
    page.get_by_test_id("keep-go").click()
    expect(page.locator("form[data-state=saved]")).to_be_visible()
    assert owner_wire("GET", "retention")["days"] == 90
    owner_wire("PUT", "retention", {"days": before})


def test_who_only_answers_is_told_what_is_not_theirs(visit: Visit, product: Product) -> None:
    agent = settings(visit, "hours", phone=AGENT)
    expect(agent.page.get_by_test_id("settings-no-right")).to_be_visible()
    expect(agent.page.get_by_test_id("part-hours")).to_have_count(0)
    agent.shot("settings-no-right-desk")
    agent.go("/agent/settings")
    expect(agent.page.get_by_test_id("settings")).to_be_visible()
    for name in ("service", "rules", "people", "widget", "retention"):
        expect(agent.page.get_by_test_id(f"part-{name}")).to_have_count(0)
