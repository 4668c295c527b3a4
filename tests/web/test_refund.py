"""A refund on both sides' pages: asked on the order, shown in the chat, agreed or refused at the desk, paid back."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.web.conftest import Product, Visit
from tests.web.desk import FIRST, SECOND, begin, choose, open_desk, token
from tests.web.people import CARD_OF_TEN, OWNER, BuyerByWire, ask


def test_asked_talked_about_agreed_and_paid_back(visit: Visit, product: Product) -> None:  # req 2.3.4, I1, I6, O4
    begin(product)
    voucher = BuyerByWire.sign_in(product, SECOND).buy(CARD_OF_TEN)
    buyer = visit(f"/shop/orders/{voucher['order_id']}", signed_in=SECOND)
    page = buyer.page
    page.get_by_test_id("ask-refund").click()
    expect(page.get_by_test_id("sum")).to_contain_text("138.00")
    expect(page.get_by_test_id("ask")).to_be_disabled()
    # Three of ten uses: the sum is the server's.
    stepper = page.locator(".van-stepper__input")
    stepper.fill("3")
    stepper.blur()
    expect(page.get_by_test_id("sum")).to_contain_text("41.40")
    page.locator("[data-reason=no_time]").click()
    page.get_by_role("textbox").fill("出差了，剩下的去不了")
    buyer.shot("refund-form-phone")
    page.get_by_test_id("ask").click()
    expect(page.locator("[data-state=asked]").first).to_be_visible()
    expect(page.get_by_test_id("story")).to_contain_text("买家申请退款")
    buyer.shot("refund-asked-phone")

    # What was asked back cannot be shown to a clerk; the rest can.
    buyer.go(f"/shop/vouchers/{voucher['id']}")
    expect(page.locator("dl")).to_contain_text("冻结中")
    page.go_back()

    # "Ask customer service" brings the case along.
    page.get_by_test_id("ask-service").click()
    card = page.locator("[data-card]")
    expect(card).to_contain_text(CARD_OF_TEN)
    card.get_by_role("button", name="发送退款").click()
    sent = page.get_by_test_id("card-aftersale")
    expect(sent).to_contain_text("待商家处理")
    buyer.shot("refund-chat-phone")

    # An agent sees the case beside the conversation and may not answer it.
    agent = open_desk(visit)
    desk = agent.page
    choose(desk, "阿澄")
    desk.get_by_test_id("show-context").click()
    seen = desk.get_by_test_id("refund").filter(has_text="出差了")
    expect(seen).to_have_attribute("data-state", "asked")
    expect(seen.get_by_test_id("not-mine")).to_be_visible()
    expect(seen.get_by_test_id("agree")).to_have_count(0)
    agent.shot("refund-agent-desk")

    # The owner finds it in the list of what waits, and agrees.
    owner = open_desk(visit, phone=OWNER)
    owner.page.get_by_test_id("rail-refunds").click()
    owner.page.get_by_test_id("refund-row").filter(has_text=CARD_OF_TEN).first.click()
    owner.shot("refund-list-desk")
    owner.page.get_by_test_id("agree").click()
    expect(owner.page.get_by_text("41.40").first).to_be_visible()
    owner.page.get_by_test_id("answer").click()
    expect(owner.page.get_by_test_id("refund")).to_have_attribute("data-state", "refunded")
    owner.shot("refund-done-desk")

    # The buyer's card leads back to the case, which has gone on by itself.
    sent.click()
    expect(page.locator("[data-state=refunded]").first).to_be_visible()
    expect(page.get_by_test_id("story").locator("li.newest")).to_contain_text("退款成功")
    buyer.shot("refund-refunded-phone")
    buyer.go(f"/shop/orders/{voucher['order_id']}")
    expect(page.get_by_test_id("order-cases")).to_contain_text("退款成功")
    expect(page.get_by_test_id("refunded")).to_contain_text("41.40")
    buyer.shot("order-partly-refunded-phone")


def test_withdrawn_on_the_phone_and_refused_at_the_desk(visit: Visit, product: Product) -> None:  # req 2.3.4, 12.9
    begin(product)
    wire = BuyerByWire.sign_in(product, FIRST)
    voucher = wire.buy(CARD_OF_TEN)
    buyer = visit(f"/shop/orders/{voucher['order_id']}/refund", lang="en", signed_in=FIRST)
    page = buyer.page
    page.locator("[data-reason=changed_mind]").click()
    page.get_by_test_id("ask").click()
    expect(page.locator("[data-state=asked]").first).to_contain_text("Waiting for the shop")
    page.get_by_test_id("withdraw").click()
    page.get_by_role("dialog").get_by_role("button", name="Withdraw request").click()
    expect(page.locator("[data-state=withdrawn]").first).to_be_visible()
    assert wire.left(voucher) == 10

    buyer.go(f"/shop/orders/{voucher['order_id']}/refund")
    page.locator("[data-reason=other]").click()
    page.get_by_test_id("ask").click()
    expect(page.locator("[data-state=asked]").first).to_be_visible()
    assert wire.left(voucher) == 0

    owner = open_desk(visit, size="phone", lang="en", phone=OWNER)
    owner.go("/agent/refunds")
    owner.page.get_by_test_id("refund-row").filter(has_text=CARD_OF_TEN).first.click()
    owner.page.get_by_test_id("refuse").click()
    expect(owner.page.get_by_test_id("answer")).to_be_disabled()
    owner.page.get_by_role("textbox").fill("Booked for today already")
    owner.shot("refund-refuse-phone")
    owner.page.get_by_test_id("answer").click()
    expect(owner.page.get_by_test_id("refund")).to_have_attribute("data-state", "refused")
    expect(page.locator("[data-state=refused]").first).to_be_visible()
    expect(page.get_by_test_id("story")).to_contain_text("Booked for today already")
    buyer.shot("refund-refused-phone")
    assert wire.left(voucher) == 10


def test_an_agent_shows_the_buyer_a_case(visit: Visit, product: Product) -> None:  # req I6
    begin(product)
    wire = BuyerByWire.sign_in(product, FIRST)
    voucher = wire.buy(CARD_OF_TEN)
    wish = {"request_id": f"refund-{voucher['id']}", "order_id": voucher["order_id"], "reason": "other"}
    case = wire("POST", "/buyer/aftersales", wish | {"expected_fen": 13_800})
    buyer = visit(f"/shop/chat/{voucher['shop_id']}?aftersale={case['id']}", signed_in=FIRST)
    page = buyer.page
    # From the picker, as any other thing.
    page.get_by_test_id("more-open").click()
    page.get_by_test_id("more-aftersale").click()
    page.get_by_test_id("pick").first.click()
    expect(page.get_by_test_id("card-aftersale")).to_have_count(1)
    agent = open_desk(visit)
    choose(agent.page, "小满")
    seen = agent.page.locator(f"[data-refund='{case['id']}']")
    seen.get_by_test_id("send-refund").click()
    expect(agent.page.get_by_test_id("card-aftersale")).to_have_count(2)
    expect(page.get_by_test_id("card-aftersale")).to_have_count(2)
    shop = f"{product.base}/api/v1/shop/{voucher['shop_id']}"
    ask("POST", f"{shop}/aftersales/{case['id']}/refuse", {"reason": "已预约"}, token(product, OWNER))
