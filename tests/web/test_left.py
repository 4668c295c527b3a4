"""Who leaves a device leaves none of what they typed there."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from octshop_rt.demo.people import PASSWORD
from tests.web.conftest import Gate, Product, Visit, Visitor
from tests.web.desk import CHAT, FIRST, SECOND, begin, open_desk

HERE = "Object.keys({...localStorage, ...sessionStorage}).map(key => key + ' ' + (localStorage[key] ?? ''))"
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


def come_as(page: Page, phone: str) -> None:
    """As the sign-in page does, without leaving the page that was open."""
    login = """async body => (await fetch('/api/v1/buyer/login', { method: 'POST', body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json' } })).status"""
    device = {"id": "playwright-device", "name": "Playwright"}
    assert page.evaluate(login, {"phone": phone, "password": PASSWORD, "device": device}) == 200
    page.evaluate("localStorage.setItem('octshop.signed_in.buyer', '1')")


def test_who_signs_out_leaves_no_words_behind(visit: Visit, product: Product, gate: Gate) -> None:  # req I4, I9
    gate.allow(r"refused: 401 [A-Z]+ .*/api/v1/buyer/")  # the session that ends
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
    # ... signing out does.
    sign_out(buyer)
    assert "看得到" not in said_here(page)
    assert me not in said_here(page).replace(f"octshop.last.buyer {me}", "")
    for _ in range(100):  # the database answers when it likes
        if not page.evaluate(QUEUE, ""):
            break
        page.wait_for_timeout(50)
    assert page.evaluate(QUEUE, "") == []

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
    gate.allow(r"refused: 401 GET .*/desk")  # what was on its way while they signed out
    begin(product)
    agent = open_desk(visit)
    page = agent.page
    kept = """() => {
      localStorage.setItem('octshop.agent.drafts', JSON.stringify({ C: { text: '半句话', at: Date.now() } }))
      localStorage.setItem('octshop.agent.settings', '半句设置'); sessionStorage.setItem('octshop.check.K', '{}') }"""
    page.evaluate(kept)
    page.reload()
    expect(page.get_by_test_id("connection")).to_have_attribute("data-phase", "online")
    page.get_by_test_id("sign-out").click()
    expect(page.get_by_test_id("sign-out")).to_have_count(0)
    left = said_here(page)
    assert "半句" not in left
    assert "octshop.check" not in left
