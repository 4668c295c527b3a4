"""Notices on devices in real Chromium: switched on, told once while away, shown as one notice, pressed, and gone with
the sign-out; what a browser that blocks them is told. The push service is the trial's simulator.
"""

from __future__ import annotations

import json
import time
from typing import Any

from playwright.sync_api import Page, expect

from tests.web.conftest import Gate, Product, Visit, Visitor
from tests.web.desk import CHAT, SECOND, ask, bar, begin, choose, open_desk
from tests.web.people import COFFEE
from tests.web.people import ask as call

SEEN = """async () => {
  const registration = await navigator.serviceWorker.getRegistration('/shop/')
  return (await registration.getNotifications()).map((one) => [one.tag, one.title, one.body])
}"""
# A press on the notice, as the browser would tell its worker of it.
PRESS = """async () => {
  const [notification] = await registration.getNotifications()
  dispatchEvent(new NotificationEvent('notificationclick', { notification }))
}"""


def arrived(product: Product, c: str) -> list[dict[str, Any]]:
    """What the simulator could open for the buyer of that conversation."""
    items = call("GET", f"http://127.0.0.1:{product.sandbox_port}/phone/api/notices")["items"]
    return [one["body"] for one in items if (one["body"]["c"], one["body"]["side"]) == (c, "buyer")]


def told(product: Product, c: str) -> dict[str, Any]:
    """The one push for that conversation, once it is there."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if found := arrived(product, c):
            assert len(found) == 1
            return found[0]
        time.sleep(0.2)
    raise AssertionError("nothing was pushed")


def deliver(page: Page, base: str, data: str) -> None:
    """As the browser's push service does; twice, as it may."""
    cdp = page.context.new_cdp_session(page)
    known: list[str] = []
    cdp.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda said: known.extend(
            one["registrationId"] for one in said["registrations"] if one["scopeURL"] == f"{base}/shop/"
        ),
    )
    cdp.send("ServiceWorker.enable")
    until = time.monotonic() + 10
    while not known and time.monotonic() < until:
        page.wait_for_timeout(50)
    for _ in range(2):
        cdp.send("ServiceWorker.deliverPushMessage", {"origin": base, "registrationId": known[-1], "data": data})


def allow(visitor: Visitor) -> None:
    visitor.context.grant_permissions(["notifications"], origin=visitor.base)


def test_a_buyer_who_left_is_told_once_and_led_back(visit: Visit, product: Product) -> None:  # req I5
    begin(product)
    agent = open_desk(visit)
    buyer = visit(CHAT, signed_in=SECOND)
    allow(buyer)
    ask(buyer, "有货了请告诉我")
    bar(buyer, "human")
    choose(agent.page, "有货了请告诉我")
    c = agent.page.url.partition("c=")[2]
    buyer.go("/shop/me")
    switch = buyer.page.get_by_test_id("push")
    expect(switch).to_have_attribute("data-state", "off")
    switch.get_by_test_id("push-on").click()
    expect(switch).to_have_attribute("data-state", "on")
    switch.scroll_into_view_if_needed()
    buyer.shot("push-on-phone")
    buyer.page.goto("about:blank")
    for text in ("到货了", "给您留了一件"):
        agent.page.get_by_test_id("composer").fill(text)
        agent.page.keyboard.press("Enter")
    one = told(product, c)
    assert one == {"c": c, "side": "buyer", "shop_id": COFFEE, "shop": "豆芽咖啡", "n": one["n"]}  # none of the words
    phone = visit("/phone/alerts")
    expect(phone.page.locator("[data-alert][data-side=buyer]").first).to_contain_text("未读消息")
    phone.shot("push-sandbox-phone")

    buyer.go("/shop/")
    deliver(buyer.page, product.base, json.dumps(one))
    buyer.page.wait_for_function(f"({SEEN})().then((all) => all.length > 0)")
    assert buyer.page.evaluate(SEEN) == [[f"buyer:{c}", "豆芽咖啡", f"您有 {one['n']} 条未读消息"]]
    (worker,) = (one for one in buyer.context.service_workers if one.url.endswith("/push-worker.js"))
    worker.evaluate(PRESS)
    expect(buyer.page).to_have_url(f"{product.base}{CHAT}")
    expect(buyer.page.locator("[data-bubble]").filter(has_text="给您留了一件")).to_be_visible()
    assert buyer.page.evaluate(SEEN) == []
    assert len(arrived(product, c)) == 1

    buyer.go("/shop/me")
    expect(switch).to_have_attribute("data-state", "on")
    with buyer.page.expect_response(
        lambda answer: answer.request.method == "DELETE" and "/push/" in answer.url
    ) as gone:
        buyer.page.get_by_role("button", name="退出登录").click()
        buyer.page.locator(".van-dialog__confirm").click()
    assert gone.value.status == 204
    expect(buyer.page.get_by_test_id("push")).to_have_count(0)
    assert buyer.page.evaluate("localStorage.getItem('octshop.push.buyer')") is None


def test_a_read_conversation_has_no_notice_left(visit: Visit, product: Product) -> None:  # req I5
    """Read in another window of the same device: the notice goes."""
    begin(product)
    agent = open_desk(visit)
    buyer = visit(CHAT, signed_in=SECOND, lang="en")
    allow(buyer)
    ask(buyer, "Do you ship?")
    choose(agent.page, "Do you ship?")
    c = agent.page.url.partition("c=")[2]
    buyer.go("/shop/me")
    buyer.page.get_by_test_id("push-on").click()
    expect(buyer.page.get_by_test_id("push")).to_have_attribute("data-state", "on")
    one = {"c": c, "side": "buyer", "shop_id": COFFEE, "shop": "豆芽咖啡", "n": 1}
    deliver(buyer.page, product.base, json.dumps(one))
    buyer.page.wait_for_function(f"({SEEN})().then((all) => all.length > 0)")
    assert buyer.page.evaluate(SEEN) == [[f"buyer:{c}", "豆芽咖啡", "1 unread message"]]
    buyer.go(CHAT)
    buyer.page.wait_for_function(f"({SEEN})().then((all) => all.length === 0)")


def test_a_guest_asks_for_the_words_and_keeps_their_notices_under_a_new_name(
    visit: Visit, product: Product, gate: Gate
) -> None:  # req I5
    gate.allow(r"refused: 401 ")
    begin(product)
    agent = open_desk(visit)
    buyer = visit(CHAT, lang="en")
    allow(buyer)
    ask(buyer, "我是访客")
    buyer.go("/shop/me")
    page = buyer.page
    page.get_by_test_id("push-on").click()
    expect(page.get_by_test_id("push-shows")).to_have_attribute("data-words", "false")  # nobody asked for words yet
    with page.expect_response(lambda answer: answer.request.method == "PUT" and "/push" in answer.url) as put:
        page.get_by_test_id("push-words").click()
    assert put.value.json()["preview"] is True
    expect(page.get_by_test_id("push-shows")).to_have_attribute("data-words", "true")
    page.get_by_test_id("push-shows").scroll_into_view_if_needed()
    buyer.shot("push-words-phone-en")
    # The guest they were is no more: the browser becomes another, who has what this one asked for.
    before = page.evaluate("localStorage.getItem('octshop.guest')").split(" ")[1]
    page.evaluate("id => localStorage.setItem('octshop.guest', `${'x'.repeat(43)} ${id}`)", before)
    buyer.go(CHAT)
    page.wait_for_function(
        "old => { const kept = JSON.parse(localStorage.getItem('octshop.push.buyer') ?? 'null');"
        " return kept && kept.person !== old && kept.preview }",
        arg=before,
    )
    ask(buyer, "换了名字还在吗")
    bar(buyer, "human")
    choose(agent.page, "换了名字还在吗")
    c = agent.page.url.partition("c=")[2]
    page.goto("about:blank")
    agent.page.get_by_test_id("composer").fill("在的，给您留着")
    agent.page.keyboard.press("Enter")
    assert told(product, c)["text"] == "在的，给您留着"


def test_an_agent_switches_it_on_beside_the_bell(visit: Visit, product: Product) -> None:  # req I5
    agent = open_desk(visit)
    allow(agent)
    agent.page.reload()
    expect(agent.page.get_by_test_id("push")).to_have_attribute("data-state", "off")
    agent.page.get_by_test_id("push").click()
    agent.page.get_by_test_id("push-on").click()
    expect(agent.page.get_by_test_id("push")).to_have_attribute("data-state", "on")
    agent.page.get_by_test_id("push-words").click()
    expect(agent.page.get_by_test_id("push-shows")).to_have_attribute("data-words", "true")
    agent.shot("push-on-desk")
    agent.page.reload()  # it stays on, and is said to the server again
    expect(agent.page.get_by_test_id("push")).to_have_attribute("data-state", "on")
    agent.page.get_by_test_id("push").click()
    expect(agent.page.get_by_test_id("push-shows")).to_have_attribute("data-words", "true")
    agent.page.get_by_test_id("push-only").click()
    expect(agent.page.get_by_test_id("push-shows")).to_have_attribute("data-words", "false")
    agent.page.get_by_test_id("push-off").click()
    expect(agent.page.get_by_test_id("push")).to_have_attribute("data-state", "off")


def test_a_browser_that_blocks_is_told_how_to_allow(visit: Visit) -> None:  # req I5
    """Chromium without a window asks nobody, and answers No."""
    buyer = visit("/shop/me", signed_in=SECOND)
    switch = buyer.page.get_by_test_id("push")
    expect(switch).to_have_attribute("data-state", "blocked")
    expect(switch).to_contain_text("把“通知”改为“允许”")
    expect(switch.get_by_test_id("push-on")).to_have_count(0)
    switch.scroll_into_view_if_needed()
    buyer.shot("push-blocked-phone")
    agent = open_desk(visit, size="phone", lang="en")
    agent.page.get_by_test_id("rail-more").click()
    agent.page.get_by_test_id("push").click()
    expect(agent.page.get_by_test_id("push-panel")).to_contain_text("allow notifications")
    agent.shot("push-blocked-desk-phone-en")
