"""The till and what has no end yet: a request that never arrived, a page that was closed, a sale that was wrong."""

from __future__ import annotations

import json
import secrets

import pytest
from playwright.sync_api import Page, Route, expect

from octshop_rt.commerce.bill.store import BILLS
from octshop_rt.core.mongo import Database
from octshop_rt.demo.people import PASSWORD
from tests.web.conftest import Gate, Product, Size, Visit, Visitor
from tests.web.crowd import with_database
from tests.web.people import CASHIER, COFFEE, OWNER, Wallet, ask, gun
from tests.web.test_pos import CHARGES, OTHER_TILL, amount, at_the_till, taken


@pytest.fixture
def wallet(product: Product) -> Wallet:
    """The customer's."""
    return Wallet(product)


def come_back(cashier: Visitor, till: str) -> Page:
    """To the same till on another device, whatever is open there."""
    page = cashier.page
    page.locator(f"[data-shop={COFFEE}]").click()
    page.locator(f"[data-till={till}]").click()
    expect(page.get_by_test_id("amount")).to_be_visible()
    return page


def lose_requests(page: Page) -> list[Route]:
    """They never reach the server."""
    lost: list[Route] = []

    def lose(route: Route) -> None:
        lost.append(route)
        route.abort("connectionreset")

    page.route(CHARGES, lose)
    return lost


@pytest.mark.parametrize(("size", "scanned"), [("phone", True), ("desk", False)])
def test_a_request_that_never_arrived_is_not_charged_by_query_reload_or_reverse(  # finding 3
    visit: Visit, gate: Gate, wallet: Wallet, size: Size, scanned: bool
) -> None:
    gate.allow(r"^failed: POST .*/charges")
    gate.allow(r"ERR_CONNECTION")
    cashier = visit("/pos/", signed_in=CASHIER, audience="staff", size=size)
    page = at_the_till(cashier)
    before = taken(page)
    lost = lose_requests(page)
    code = wallet.payment_code()
    if not scanned:
        page.get_by_test_id("method-qr").click()
    amount(page, "128")
    if scanned:
        gun(page, code)
    else:
        page.get_by_test_id("collect").click()
    unknown = page.get_by_test_id("panel-unknown")
    expect(unknown).to_be_visible()
    page.get_by_test_id("query").click()
    expect(page.get_by_test_id("trouble")).to_contain_text("没有收到这笔收款")
    assert code not in json.dumps(page.evaluate("({...sessionStorage, ...localStorage})"))
    page.unroute(CHARGES)  # from here on a charge would get through
    page.reload()
    expect(unknown).to_be_visible()
    expect(page.get_by_test_id("trouble")).to_contain_text("没有收到这笔收款")
    cashier.shot(f"pos-absent-{size}")
    page.get_by_test_id("query").click()
    expect(page.get_by_test_id("trouble")).to_be_visible()
    assert taken(page) == before
    page.get_by_test_id("reverse").click()
    expect(page.get_by_test_id("panel-refused")).to_contain_text("已经作废")
    cashier.shot(f"pos-called-off-{size}")
    # At last the first request arrives.
    (first,) = lost
    headers = {"X-CSRF-Token": first.request.headers["x-csrf-token"], "Origin": cashier.base}
    late = page.context.request.post(
        first.request.url, data=first.request.post_data or "", headers=headers | {"Content-Type": "application/json"}
    )
    assert (late.status, late.json()["code"]) == (409, "payment.request_forbidden")
    assert taken(page) == before
    # The customer's code was never used: it pays for the next try.
    page.get_by_test_id("again").click()
    if scanned:
        expect(page.get_by_test_id("amount")).to_have_text("¥128")
        gun(page, code)
    else:
        page.get_by_test_id("collect").click()
        wallet.scan(page.get_by_test_id("qr").get_attribute("data-text") or "")
    expect(page.get_by_test_id("panel-paid")).to_be_visible()
    page.get_by_test_id("next").click()
    assert taken(page) == before + 1


def test_a_closed_page_leaves_its_charge_on_every_screen_of_the_till(  # finding 6
    visit: Visit, wallet: Wallet
) -> None:
    first = visit("/pos/", signed_in=CASHIER, audience="staff", size="desk")
    page = at_the_till(first, OTHER_TILL)
    amount(page, "1500")
    gun(page, wallet.payment_code())
    expect(page.get_by_test_id("panel-paying")).to_be_visible()
    first.context.close()

    second = visit("/pos/", signed_in=OWNER, audience="staff", size="tablet")
    page = come_back(second, OTHER_TILL)
    expect(page.get_by_test_id("panel-paying")).to_contain_text("1,500")
    expect(page.get_by_test_id("unfinished")).to_contain_text("没有结束的收款")
    offered = [
        one.get_attribute("data-testid") for one in page.get_by_test_id("panel-paying").get_by_role("button").all()
    ]
    assert offered == ["query", "reverse"]
    expect(page.get_by_test_id("collect")).to_be_disabled()
    second.shot("pos-found-paying-tablet")
    gun(page, wallet.payment_code())
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("panel-paying")).to_be_visible()
    wallet.answer_password("pay")
    expect(page.get_by_test_id("panel-paid")).to_be_visible(timeout=20_000)
    page.get_by_test_id("next").click()
    expect(page.get_by_test_id("panel-idle")).to_be_visible()
    expect(page.get_by_test_id("unfinished")).to_have_count(0)


def test_a_second_charge_is_refused_and_the_open_one_shown(  # issue 13
    visit: Visit, product: Product, gate: Gate, wallet: Wallet
) -> None:
    gate.allow(r"^failed: GET .*/takings|^refused: 409 POST .*/charges")
    gate.allow(r"ERR_CONNECTION")
    cashier = visit("/pos/", signed_in=CASHIER, audience="staff", size="phone")
    page = at_the_till(cashier, OTHER_TILL)
    # Another device charges at this till, and the news does not come here.
    page.route("**/takings", lambda route: route.abort("connectionreset"))
    device = {"id": secrets.token_hex(8), "name": "test"}
    who = {"phone": CASHIER, "password": PASSWORD, "device": device, "bearer": True}
    token = ask("POST", f"{product.base}/api/v1/staff/login", who)["token"]
    wish = {"request_id": secrets.token_hex(12), "amount_fen": 3600}
    theirs = ask("POST", f"{product.base}/api/v1/shop/{COFFEE}/tills/{OTHER_TILL}/charges", wish, token)
    code = wallet.payment_code()
    amount(page, "48")
    gun(page, code)
    refused = page.get_by_test_id("panel-refused")
    expect(refused).to_contain_text("还有一笔收款没有结果")
    expect(page.get_by_test_id("again")).to_have_count(0)
    cashier.shot("pos-till-held-phone")
    page.unroute("**/takings")
    page.get_by_test_id("next").click()
    expect(page.get_by_test_id("panel-waiting")).to_contain_text("36")
    expect(page.get_by_test_id("unfinished")).to_contain_text("没有结束的收款")
    expect(page.get_by_test_id("close-charge")).to_be_in_viewport(ratio=1)
    cashier.shot("pos-found-waiting-phone")
    wallet.scan(theirs["code_url"])
    expect(page.get_by_test_id("panel-paid")).to_be_visible()
    # The code of the refused one was never used.
    page.get_by_test_id("next").click()
    amount(page, "48")
    gun(page, code)
    expect(page.get_by_test_id("panel-paid")).to_contain_text("48")
    page.get_by_test_id("next").click()
    expect(page.get_by_test_id("panel-idle")).to_be_visible()


def long_ago(product: Product, till: str) -> None:
    """What was reversed at this till was reversed two minutes ago."""

    async def write(db: Database) -> None:
        await BILLS.update_many(
            db, {"till_id": till, "unwanted_at": {"$ne": None}}, {"$inc": {"unwanted_at": -120_000}}
        )

    with_database(product, write)


def test_a_manager_lets_the_till_go_on_while_the_channel_is_silent(  # issue 13
    visit: Visit, product: Product, gate: Gate, wallet: Wallet
) -> None:
    gate.allow(r"403 .*/aside")
    cashier = visit("/pos/", signed_in=CASHIER, audience="staff", size="desk")
    page = at_the_till(cashier, OTHER_TILL)
    wallet.switch(drop_answers=1_000, notice_lost=True)
    try:
        amount(page, "77")
        gun(page, wallet.payment_code())
        unknown = page.get_by_test_id("panel-unknown")
        expect(unknown).to_be_visible(timeout=20_000)
        page.get_by_test_id("reverse").click()
        expect(unknown).to_contain_text("正在撤销")
        expect(page.get_by_test_id("aside")).to_have_count(0)
        long_ago(product, OTHER_TILL)
        page.get_by_test_id("query").click()
        page.get_by_test_id("aside").click()
        cashier.shot("pos-aside-desk")
        page.get_by_test_id("aside-sure").click()
        expect(page.get_by_test_id("trouble")).to_contain_text("店长")
        owner = visit("/pos/", signed_in=OWNER, audience="staff", size="phone", lang="en")
        hers = come_back(owner, OTHER_TILL)
        hers.get_by_test_id("aside").click()
        owner.shot("pos-aside-phone-en")
        hers.get_by_test_id("aside-sure").click()
        expect(hers.get_by_test_id("panel-idle")).to_be_visible()
        # The cashier's screen hears of it; what has no outcome is still told.
        expect(page.get_by_test_id("panel-idle")).to_be_visible()
        page.get_by_test_id("open-takings").click()
        expect(page.get_by_test_id("aside-list")).to_contain_text("77.00")
        cashier.shot("pos-takings-aside-desk")
        page.keyboard.press("Escape")
    finally:
        wallet.switch(drop_answers=0, notice_lost=False)
    amount(page, "5")
    gun(page, wallet.payment_code())
    expect(page.get_by_test_id("panel-paid")).to_be_visible()
    page.get_by_test_id("next").click()
    expect(page.get_by_test_id("last-payments").locator("li").first).to_contain_text("5.00")


def test_nothing_is_collected_before_the_till_is_known_to_be_free(visit: Visit, gate: Gate, wallet: Wallet) -> None:
    gate.allow(r"^failed: GET .*/takings")
    gate.allow(r"ERR_CONNECTION")
    cashier = visit("/pos/", signed_in=CASHIER, audience="staff", size="desk")
    page = cashier.page
    page.route("**/takings", lambda route: route.abort("connectionreset"))
    come_back(cashier, OTHER_TILL)
    expect(page.get_by_test_id("panel-checking")).to_contain_text("暂时不能收款")
    gun(page, wallet.payment_code())
    expect(page.get_by_test_id("key-1")).to_be_disabled()
    cashier.shot("pos-checking-desk")
    page.unroute("**/takings")
    page.get_by_test_id("checking-retry").click()
    expect(page.get_by_test_id("panel-idle")).to_be_visible()


@pytest.mark.parametrize(("size", "lang"), [("desk", "zh-CN"), ("phone", "en"), ("tablet", "zh-CN")])
def test_a_wrong_sale_goes_back_from_the_list(  # finding 7
    visit: Visit, wallet: Wallet, size: Size, lang: str
) -> None:
    cashier = visit("/pos/", signed_in=CASHIER, audience="staff", size=size, lang=lang)
    page = at_the_till(cashier)
    before = taken(page)
    amount(page, "12.5")
    gun(page, wallet.payment_code())
    expect(page.get_by_test_id("panel-paid")).to_be_visible()
    page.get_by_test_id("next").click()
    row = page.get_by_test_id("last-payments").locator("li").first
    expect(row).to_contain_text("12.50")
    row.scroll_into_view_if_needed()
    cashier.shot(f"pos-last-{size}-{lang}")
    button = row.get_by_test_id("give-back-open")
    box = button.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 44
    button.click()
    sheet = page.get_by_test_id("give-back")
    expect(sheet).to_be_visible()
    cashier.shot(f"pos-give-back-{size}-{lang}")
    page.keyboard.press("Enter")  # does not give money away
    expect(sheet).to_be_hidden()
    assert taken(page) == before + 1
    button.click()
    page.get_by_test_id("give-back-confirm").click()
    expect(sheet).to_contain_text("已退回" if lang == "zh-CN" else "Returned")
    cashier.shot(f"pos-given-back-{size}-{lang}")
    page.get_by_test_id("give-back-close").click()
    expect(row).to_have_attribute("data-state", "reversed")
    expect(row.get_by_test_id("give-back-open")).to_have_count(0)
    assert taken(page) == before


def test_a_sale_that_is_not_yours_has_no_button_and_the_owner_has_one(visit: Visit, wallet: Wallet) -> None:
    owner = visit("/pos/", signed_in=OWNER, audience="staff", size="desk")
    page = at_the_till(owner)
    amount(page, "9")
    gun(page, wallet.payment_code())
    expect(page.get_by_test_id("panel-paid")).to_be_visible()
    page.get_by_test_id("next").click()
    first = page.get_by_test_id("last-payments").locator("li").first
    expect(first.get_by_test_id("give-back-open")).to_be_visible()
    cashier = at_the_till(visit("/pos/", signed_in=CASHIER, audience="staff", size="desk"))
    theirs = cashier.get_by_test_id("last-payments").locator("li").first
    expect(theirs).to_contain_text("9.00")
    expect(theirs.get_by_test_id("give-back-open")).to_have_count(0)
