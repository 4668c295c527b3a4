"""The platform's people at the desk: an administrator sets what holds for all shops, the official service serves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from octshop_rt.demo.people import PASSWORD
from tests.web.conftest import Gate, Product, Size, Visit, Visitor
from tests.web.desk import FIRST, SECOND, ask, attend_at, begin, bubbles, choose, end_all_at, hears, manage, open_desk
from tests.web.people import COFFEE
from tests.web.people import ask as call
from tests.web.test_settings import part, save, settings

ADMIN, OFFICIAL_AGENT, OFFICIAL_MANAGER = "13700000001", "13900000009", "13900000010"
OFFICIAL = "platform"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def admin_wire(product: Product) -> Iterator[Any]:
    """Asks as the administrator; what a test has set there and at the coffee shop is taken back after it."""
    device = {"id": "platform-test", "name": "test"}
    body = {"phone": ADMIN, "password": PASSWORD, "device": device, "bearer": True}
    token = call("POST", f"{product.base}/api/v1/platform/login", body)["token"]

    def wire(method: str, path: str, body: object = None) -> Any:
        return call(method, f"{product.base}/api/v1/platform/{path}", body, token)

    yield wire
    names = ("strategy", "cap", "idle_end_s", "hours", "rules")
    wire("PUT", "desk/settings", dict.fromkeys(names))
    manage(product, "PUT", "settings", dict.fromkeys(names))
    for word in wire("GET", "guard")["words"]:
        wire("DELETE", f"guard/words/{word['id']}")


def platform(visit: Visit, path: str = "", *, size: Size = "desk", lang: str = "zh-CN", dark: bool = False) -> Visitor:
    """An administrator, signed in."""
    who = visit(f"/agent/platform{path}", size=size, lang=lang, dark=dark, signed_in=ADMIN, audience="platform")
    expect(who.page.get_by_test_id("settings")).to_be_visible()
    return who


def cap(page: Page) -> Any:
    """The number of buyers at a time."""
    return page.get_by_test_id("cap").get_by_role("spinbutton")


def test_an_administrator_signs_in_at_the_desk_s_page_and_sees_the_platform_s_settings(
    visit: Visit, gate: Gate, admin_wire: Any
) -> None:  # req I4
    gate.allow(r"refused: 401 POST .*/platform/login")
    gate.allow(r"refused: 401 POST .*/staff/login")
    who = visit("/agent/", size="desk")
    page = who.page
    # No shop's staff: behind the agents' door there is nobody of that name.
    page.get_by_test_id("signin-phone").fill(ADMIN)
    page.get_by_test_id("signin-password").fill(PASSWORD)
    page.get_by_test_id("signin-submit").click()
    expect(page.get_by_test_id("signin-fault")).to_contain_text("手机号、密码或验证码不正确")
    who.shot("platform-door-desk")
    page.get_by_test_id("to-platform").click()
    expect(page.get_by_role("heading", name="平台设置")).to_be_visible()
    expect(page.get_by_test_id("signin-by-code")).to_have_count(0)
    page.get_by_test_id("signin-phone").fill(ADMIN)
    page.get_by_test_id("signin-password").fill("not-the-password")
    page.get_by_test_id("signin-submit").click()
    expect(page.get_by_test_id("signin-fault")).to_contain_text("不正确")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("button", name="中文")).to_be_visible()
    page.get_by_test_id("signin-submit").click()
    expect(page.get_by_test_id("signin-fault")).to_contain_text("is not right")
    page.get_by_test_id("signin-password").fill(PASSWORD)
    page.get_by_test_id("signin-submit").click()
    expect(page.get_by_test_id("about-platform")).to_contain_text("Defaults for all shops")
    expect(page).to_have_title("Platform settings")
    expect(page.get_by_test_id("settings").get_by_role("link")).to_have_count(6)  # five parts, and the agents' desk
    for name in ("hours", "rules", "words", "limits", "service"):
        part(page, name)
        expect(page.get_by_test_id("about-platform")).to_be_visible()
        assert not CHINESE.search(page.get_by_test_id("settings-part").inner_text())
        who.shot(f"platform-{name}-desk-en")
    assert admin_wire("GET", "desk/settings/layers")["own"] == {}
    # Out again; the desk of the agents has never been open here.
    page.get_by_test_id("sign-out").click()
    expect(page.get_by_test_id("signin")).to_be_visible()
    page.get_by_test_id("to-staff").click()
    expect(page.get_by_test_id("to-platform")).to_be_visible()


def test_what_the_platform_sets_holds_at_shops_that_have_set_nothing_and_says_so(
    visit: Visit, product: Product, admin_wire: Any
) -> None:  # req I4
    manage(product, "PUT", "settings", {"idle_end_s": 600})
    admin = platform(visit, "/service")
    page = admin.page
    expect(page.get_by_test_id("admin-name")).to_have_text("平台管理员")
    # What is typed and not saved survives a reload, here too.
    cap(page).fill("7")
    cap(page).blur()
    page.reload()
    expect(page.get_by_test_id("restored")).to_be_visible()
    save(page)
    assert admin_wire("GET", "desk/settings/layers")["own"] == {"cap": 7}
    page.get_by_test_id("own-shops").click()
    expect(page.get_by_test_id("own-shop")).to_contain_text("顾客沉默结束")
    admin.shot("platform-service-own-desk")
    # Hours, with what they would mean by the desk's own rules.
    part(page, "hours")
    expect(page.get_by_test_id("hours-preview")).to_have_attribute("data-open", "true")
    page.get_by_test_id("hours-spans").click()
    row = page.get_by_test_id("span")
    row.get_by_test_id("span-start").fill("09:00")
    row.get_by_test_id("span-end").fill("21:00")
    expect(page.get_by_test_id("hours-preview")).to_contain_text("09:00–21:00")
    save(page)
    expect(page.get_by_test_id("own-none")).to_be_visible()
    admin.shot("platform-hours-desk")
    # The shop: the platform's value where it has none, its own where it has.
    owner = settings(visit, "service")
    expect(cap(owner.page)).to_have_value("7")
    inherited = owner.page.locator("[data-field=cap] .beneath")
    expect(inherited).to_have_text("来自平台设置")
    expect(owner.page.locator("[data-field=strategy] .beneath")).to_have_text("使用默认值")
    expect(owner.page.get_by_test_id("about-platform")).to_have_count(0)
    cap(owner.page).fill("9")
    cap(owner.page).blur()
    expect(inherited).to_contain_text("平台设置是 7 位")
    owner.shot("shop-service-over-platform-desk")
    owner.page.get_by_test_id("unset-cap").click()
    expect(cap(owner.page)).to_have_value("7")
    part(owner.page, "hours")
    expect(owner.page.get_by_test_id("hours-from")).to_have_text("来自平台设置")
    expect(owner.page.get_by_test_id("span-start")).to_have_value("09:00")
    # Taken back: the product's default again, everywhere.
    part(page, "service")
    page.get_by_test_id("unset-cap").click()
    save(page)
    owner.page.reload()
    part(owner.page, "service")
    expect(cap(owner.page)).to_have_value("5")
    expect(inherited).to_have_text("使用默认值")


def test_words_of_the_platform_are_tried_out_and_stand_above_every_shop(
    visit: Visit, admin_wire: Any
) -> None:  # req I4
    admin = platform(visit, size="phone", lang="en", dark=True)
    page = admin.page
    admin.shot("platform-menu-phone-en-dark")
    page.get_by_test_id("part-words").click()
    expect(page.get_by_test_id("about-platform")).to_contain_text("none can switch these off")
    page.get_by_test_id("words-text").fill("刷单")
    page.get_by_test_id("level-refuse").click()
    page.get_by_test_id("words-add").click()
    expect(page.get_by_test_id("guard-word")).to_have_count(1)
    page.get_by_test_id("try-guard-text").fill("帮我刷单")
    page.get_by_test_id("try-guard-go").click()
    expect(page.get_by_test_id("tried-guard")).to_have_attribute("data-verdict", "refuse")
    admin.shot("platform-words-phone-en-dark")
    page.get_by_test_id("settings-back").click()
    page.get_by_test_id("part-limits").click()
    page.get_by_test_id("limits").get_by_test_id("links-staff").click()
    page.get_by_role("option", name="Flag").locator("visible=true").click()
    expect(page.get_by_test_id("burst")).to_have_count(0)  # a flood is each shop's own affair
    save(page)
    assert admin_wire("GET", "guard")["staff"]["links"] == "flag"
    owner = settings(visit, "words")
    expect(owner.page.get_by_test_id("guard-above")).to_contain_text("1")
    expect(owner.page.get_by_test_id("guard-above")).to_contain_text("网址")


def test_the_official_service_serves_and_has_a_manager(visit: Visit, product: Product) -> None:  # req I2, I4
    attend_at(product, OFFICIAL, OFFICIAL_AGENT, "online")
    buyer = visit(f"/shop/chat/{OFFICIAL}", size="phone", signed_in=SECOND)
    ask(buyer, "平台客服在吗")
    agent = open_desk(visit, phone=OFFICIAL_AGENT)
    choose(agent.page, "平台客服在吗")
    accept = agent.page.get_by_test_id("accept-open")
    if accept.is_visible():
        accept.click()
    field = agent.page.get_by_test_id("composer")
    field.fill("您好，平台客服为您服务")
    field.press("Enter")
    hears(buyer, "您好，平台客服为您服务")
    expect(bubbles(agent.page, "平台客服在吗")).to_be_visible()
    agent.shot("official-agent-desk")
    buyer.shot("official-buyer-phone")
    boss = visit("/agent/board", size="desk", signed_in=OFFICIAL_MANAGER, audience="staff")
    expect(boss.page.get_by_test_id("board")).to_contain_text("苏禾")
    boss.shot("official-board-desk")
    boss.page.get_by_test_id("rail-settings").click()
    expect(boss.page.get_by_test_id("part-people")).to_be_visible()
    end_all_at(product, OFFICIAL, OFFICIAL_MANAGER)


def test_the_coffee_shop_s_owner_is_no_administrator(visit: Visit) -> None:  # req I4
    owner = visit(f"/agent/platform/service?shop={COFFEE}", size="phone", signed_in="13900000001", audience="staff")
    expect(owner.page.get_by_test_id("signin")).to_be_visible()
    owner.shot("platform-signin-phone")


def test_a_case_that_was_passed_on_shows_where_it_comes_from_and_what_was_said_there(
    visit: Visit, product: Product
) -> None:  # req I9
    begin(product)
    attend_at(product, OFFICIAL, OFFICIAL_AGENT, "online")
    buyer = visit(f"/shop/chat/{COFFEE}", size="phone", signed_in=FIRST)
    ask(buyer, "扣了我两次钱")
    shop = open_desk(visit)
    choose(shop.page, "扣了我两次钱")
    reply(shop, "我请平台核实")
    hears(buyer, "我请平台核实")
    expect(shop.page.get_by_test_id("origin")).to_have_count(0)
    pass_on(shop, "platform", "支付记录两笔")
    official = open_desk(visit, phone=OFFICIAL_AGENT)
    row = official.page.get_by_test_id("conversation").first
    expect(row).to_be_visible()
    row.click()
    expect(official.page.get_by_test_id("buyer-panel")).to_contain_text("来自 豆芽咖啡 的会话")
    expect(official.page.get_by_test_id("origin")).to_contain_text("林可 接待")
    official.page.get_by_test_id("origin-open").click()
    log = official.page.get_by_test_id("origin-log")
    expect(log.get_by_test_id("message").filter(has_text="扣了我两次钱")).to_be_visible()
    expect(log.get_by_test_id("message").filter(has_text="我请平台核实")).to_contain_text("林可")
    # For reading: what the staff wrote for each other stays there, and nothing can be written.
    expect(log).not_to_contain_text("支付记录两笔")
    expect(log.locator("textarea")).to_have_count(0)
    official.shot("origin-log-desk")
    official.page.keyboard.press("Escape")
    # Given back: now the shop reads what the platform said.
    if official.page.get_by_test_id("accept-open").is_visible():
        official.page.get_by_test_id("accept-open").click()
    reply(official, "已核实，多扣的会退回")
    pass_on(official, "shop", "请退一笔")
    shop.page.get_by_test_id("language").click()
    # Another shop's buyers may wait at the same agent's desk.
    shop.page.get_by_test_id("conversation").filter(has_text="豆芽咖啡").first.click()
    expect(shop.page.get_by_test_id("buyer-panel")).to_contain_text("Comes from")
    shop.page.get_by_test_id("origin-open").click()
    expect(shop.page.get_by_test_id("origin-log")).to_contain_text("已核实，多扣的会退回")
    shop.shot("origin-log-back-desk-en")
    shop.page.keyboard.press("Escape")
    # On a phone, too.
    small = open_desk(visit, size="phone")
    small.page.get_by_test_id("conversation").filter(has_text="豆芽咖啡").first.click()
    small.page.get_by_test_id("toggle-side").click()
    expect(small.page.get_by_test_id("origin")).to_be_visible()
    small.shot("origin-phone")
    begin(product)
    end_all_at(product, OFFICIAL, OFFICIAL_MANAGER)


def reply(staff: Visitor, text: str) -> None:
    """In the conversation that is open."""
    field = staff.page.get_by_test_id("composer")
    field.fill(text)
    field.press("Enter")
    expect(bubbles(staff.page, text)).to_be_visible()


def pass_on(staff: Visitor, aim: str, note: str) -> None:
    """To the platform, or back to the shop."""
    expect(staff.page.get_by_test_id("open-end")).to_be_visible()  # the case is theirs
    staff.page.get_by_test_id("open-transfer").click()
    staff.page.get_by_test_id(f"aim-{aim}").click()
    staff.page.get_by_test_id("transfer-note").fill(note)
    staff.page.get_by_test_id("transfer-go").click()
    expect(staff.page.get_by_test_id("transfer")).to_be_hidden()
