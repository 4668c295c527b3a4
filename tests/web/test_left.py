"""Who leaves a device leaves none of what they typed there."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from octshop_rt.demo.people import PASSWORD
from tests.web.conftest import Gate, Product, Visit, Visitor
from tests.web.desk import CHAT, FIRST, OTHER, SECOND, ask, begin, choose, open_desk

HERE = "[localStorage, sessionStorage].flatMap(store => Object.entries(store).map(([key, value]) => key + ' ' + value))"
QUEUE = """who => new Promise(done => {
  const asked = indexedDB.open('octshop-im')
  asked.onsuccess = () => {
    const store = asked.result.transaction('unsent', 'readwrite').objectStore('unsent')
    if (who) store.put({ m: 'left-behind', uid: who, c: 'C', k: 'text', b: { text: '还没发出去的' }, ts: 1 })
    const all = store.getAll()
    all.onsuccess = () => { asked.result.close(); done(all.result.map(one => one.m)) }
  }
})"""


def said_here(page: Page) -> str:
    """Everything the two stores of this origin hold."""
    return "\n".join(page.evaluate(HERE))


def sign_out(buyer: Visitor) -> None:
    """On the page about oneself."""
    buyer.go("/shop/me")
    buyer.page.get_by_role("button", name="退出登录").click()
    buyer.page.get_by_role("dialog").get_by_role("button", name="退出登录").click()
    expect(buyer.page.get_by_text("未登录")).to_be_visible()


def queue_is_empty(page: Page) -> None:
    """The database answers when it likes."""
    for _ in range(100):
        if not page.evaluate(QUEUE, ""):
            break
        page.wait_for_timeout(50)
    assert page.evaluate(QUEUE, "") == []


def come_as(page: Page, phone: str) -> None:
    """As the sign-in page does, without leaving the page that was open."""
    login = """async body => (await fetch('/api/v1/buyer/login', { method: 'POST', body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json' } })).status"""
    device = {"id": "playwright-device", "name": "Playwright"}
    assert page.evaluate(login, {"phone": phone, "password": PASSWORD, "device": device}) == 200
    page.evaluate("localStorage.setItem('octshop.signed_in.buyer', '1')")


def test_who_signs_out_leaves_no_words_behind(visit: Visit, product: Product, gate: Gate) -> None:  # req I4, I9
    gate.allow(r"refused: 401 [A-Z]+ .*/api/v1/buyer/")  # the session that ends
    gate.allow("ERR_INTERNET_DISCONNECTED|WebSocket is closed before")  # no network, and a page left while it connects
    begin(product, online=())
    buyer = visit(CHAT, signed_in=FIRST)
    page = buyer.page
    for old in ("octshop.draft.S1", "octshop.leave.S1", "octshop.rating.draft"):
        page.evaluate("key => localStorage.setItem(key, '早先的字')", old)
    page.reload()
    expect(page.locator("textarea")).to_be_visible()
    assert "早先的字" not in said_here(page)  # keys of earlier versions
    page.locator("textarea").fill("只有我看得到")
    page.get_by_test_id("case-leave").click()
    page.get_by_test_id("leave-text").fill("也只有我看得到")
    me = page.evaluate("localStorage.getItem('octshop.typed.who')")
    assert page.evaluate(QUEUE, me) == ["left-behind"]
    assert said_here(page).count("只有我看得到") == 2

    # A session that merely ends takes nothing from the person who comes back ...
    page.context.clear_cookies()
    page.reload()
    expect(page.locator("textarea")).to_have_value("")
    come_as(page, FIRST)
    page.reload()
    expect(page.locator("textarea")).to_have_value("只有我看得到")
    # ... nor does a sign-out of which the server has not heard ...
    buyer.go("/shop/me")
    out = page.get_by_role("button", name="退出登录")
    expect(out).to_be_visible()
    page.context.set_offline(True)
    out.click()
    expect(page.get_by_role("dialog")).to_contain_text("还有 3 条没发出去")
    page.get_by_role("dialog").get_by_role("button", name="退出登录").click()
    expect(page.get_by_text("还没有退出")).to_be_visible()
    expect(page.get_by_text("未登录")).to_have_count(0)
    assert said_here(page).count("只有我看得到") == 2
    page.context.set_offline(False)
    # ... signing out does.
    page.evaluate("sessionStorage.setItem('octshop.looked', '看得到的店')")
    sign_out(buyer)
    assert "看得到" not in said_here(page)
    assert me not in said_here(page).replace(f"octshop.last.buyer {me}", "")
    queue_is_empty(page)

    # Nor does the next person find the words of one whose session ended.
    come_as(page, FIRST)
    buyer.go(CHAT)
    page.locator("textarea").fill("第一位的话")
    page.context.clear_cookies()
    come_as(page, SECOND)
    page.reload()
    expect(page.locator("textarea")).to_have_value("")
    assert "第一位的话" not in said_here(page)


def test_an_agents_words_leave_with_them(visit: Visit, product: Product, gate: Gate) -> None:  # req I5
    gate.allow(r"refused: 401 [A-Z]+ .*/api/v1/")  # what was on its way while they signed out
    gate.allow("ERR_INTERNET_DISCONNECTED|WebSocket is closed before")
    begin(product, online=())  # in the queue any agent may write to them
    ask(visit(CHAT, signed_in=FIRST), "两位客服都看得到")
    agent = open_desk(visit)
    page, second = agent.page, agent.context.new_page()
    second.goto(f"{agent.base}/agent/")
    second.get_by_test_id("filter-all").click()
    choose(second, "两位客服都看得到")
    second.get_by_test_id("composer").fill("半句话")
    kept = """() => {
      localStorage.setItem('octshop.agent.settings', '半句设置'); sessionStorage.setItem('octshop.check.K', '{}') }"""
    page.evaluate(kept)
    me = page.evaluate("localStorage.getItem('octshop.last.staff')")
    assert page.evaluate(QUEUE, me) == ["left-behind"]
    page.reload()
    expect(page.get_by_test_id("connection")).to_have_attribute("data-phase", "online")

    # While the server has not heard of it nobody has left: what would be lost is said, and stays.
    page.context.set_offline(True)
    page.get_by_test_id("sign-out").click()
    asked = page.get_by_test_id("signing-out")
    expect(asked).to_contain_text("还有 2 条没发出去")
    asked.get_by_test_id("sign-out-go").click()
    expect(asked.get_by_role("alert")).to_contain_text("还没有退出")
    assert "半句话" in said_here(page)
    assert page.evaluate(QUEUE, "") == ["left-behind"]
    page.context.set_offline(False)
    asked.get_by_test_id("sign-out-go").click()

    # Every tab hears that they have left, and none holds their words for the next one.
    for tab in (page, second):
        expect(tab.get_by_test_id("signin-password")).to_be_visible()
    left = said_here(page)
    assert "半句" not in left
    assert "octshop.check" not in left
    queue_is_empty(page)
    second.get_by_test_id("signin-phone").fill(OTHER)
    second.get_by_test_id("signin-password").fill(PASSWORD)
    second.keyboard.press("Enter")
    second.get_by_test_id("filter-all").click()
    choose(second, "两位客服都看得到")
    expect(second.get_by_test_id("composer")).to_have_value("")
    second.get_by_test_id("composer").fill("第二位的话")
    assert "半句" not in said_here(second)
