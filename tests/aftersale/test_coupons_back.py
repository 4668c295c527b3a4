"""Orders bought with a coupon, asked back: each piece gives its share back, the whole order its coupon."""

from __future__ import annotations

from octshop_rt import app as product
from octshop_rt.commerce.catalog.model import Fulfilment, Sku
from octshop_rt.commerce.marketing.model import CampaignText, Coupon, Tab, Terms
from octshop_rt.commerce.order.model import AftersaleState, FulfilmentState, Order, State, WantedLine
from octshop_rt.commerce.order.store import ORDERS
from octshop_rt.core.clock import DAY
from octshop_rt.core.fsck import examine
from tests.aftersale.town import MANAGER, Town


async def with_coupon(town: Town, off_fen: int, *wanted: tuple[Sku, int]) -> Order:
    """Bought and paid with a coupon of so much."""
    marketing, now = town.app.commerce.marketing, town.clock.now()
    text = CampaignText(
        title="立减", words="", terms=Terms(value_fen=off_fen), total=1, per_buyer=1, claim_from=now,
        claim_until=now + DAY, valid_days=7,
    )  # fmt: skip
    campaign = await marketing.add(MANAGER, town.request_id(), text)
    coupon = await marketing.claim(town.buyer, campaign.id, town.request_id())
    (order,) = (
        await town.app.commerce.orders.checkout(
            town.buyer,
            request_id=town.request_id(),
            lines=[WantedLine(sku_id=sku.id, quantity=count) for sku, count in wanted],
            fulfilment=Fulfilment.IN_STORE,
            memo="",
            expected_payable_fen=sum(sku.price_fen * count for sku, count in wanted) - off_fen,
            coupon_ids=[coupon.id],
        )
    ).orders
    await town.pay(order, town.buyer)
    await town.settle(3)
    return await town.order(order)


async def coupons(town: Town, tab: Tab) -> list[Coupon]:
    rows, _ = await town.app.commerce.marketing.coupons_of(town.buyer, tab=tab, cursor=None)
    return rows


async def test_piece_by_piece_each_gives_its_share_and_the_last_the_coupon(town: Town) -> None:
    # req X10, X11, M3, 12.8, 16.6: three times one of three, to the fen, in any sum the coupon does not divide
    cups = await town.goods(price_fen=1990)
    beans = await town.goods(price_fen=3333, title="咖啡豆")
    order = await with_coupon(town, 1000, (cups, 2), (beans, 1))
    by_title = {line.title: line for line in order.lines}
    cup, bean = by_title["拿铁"], by_title["咖啡豆"]
    assert order.payable_fen == 2 * 1990 + 3333 - 1000 == cup.payable_fen + bean.payable_fen
    given_fen = 0
    for line_id in (cup.id, bean.id, cup.id):
        (before,) = await coupons(town, "used")
        assert before.order_id == order.id
        case = await town.ask(order, **{line_id: 1})
        await town.cases.agree(MANAGER, case.id)
        await town.settle()
        given_fen += case.amount_fen
    assert given_fen == order.payable_fen == town.given_back_fen()
    assert (await town.order(order)).aftersale_state is AftersaleState.REFUNDED
    assert await coupons(town, "used") == []
    (back,) = await coupons(town, "usable")
    assert back.order_id is None
    await town.sound()


async def test_what_was_used_keeps_the_coupon_used(town: Town) -> None:
    # req O4, 12.8: a card of five uses for 100 with 10 off; one use, four fifths back, no coupon
    card = await town.goods(price_fen=10_000, uses_each=5, title="5 次卡")
    order = await with_coupon(town, 1000, (card, 1))
    await town.use(order)
    case = await town.ask(order, **{order.lines[0].id: 4})
    await town.cases.agree(MANAGER, case.id)
    await town.settle()
    assert case.amount_fen == 7200 == town.given_back_fen()
    assert [row.order_id for row in await coupons(town, "used")] == [order.id]
    await town.sound()


async def test_a_use_worth_nothing_keeps_the_coupon_used_too(town: Town) -> None:
    # req O4, 12.8: a card of three uses for one fen; the first is worth nothing, and is had all the same
    card = await town.goods(price_fen=11, uses_each=3, title="3 次卡")
    order = await with_coupon(town, 10, (card, 1))
    assert (await town.use(order)).amount_fen == 0
    case = await town.ask(order)
    await town.cases.agree(MANAGER, case.id)
    await town.settle()
    after = await town.order(order)
    assert after.refunded_fen == after.payable_fen == 1 == town.given_back_fen()
    assert (after.aftersale_state, after.fulfilment_state) == (AftersaleState.PARTLY_REFUNDED, FulfilmentState.USED)
    (kept,) = await coupons(town, "used")
    await town.sound()

    # What the money alone would have said, fsck sees: the axis as such, and the coupon in hand again.
    (told,) = [event for event in await town.events("OrderRefunded") if event["order_id"] == order.id]
    assert told["whole"] is False
    checks = [check for check in product.CHECKS if check.id in {"F15", "F133"}]
    await ORDERS.update(town.db, {"_id": order.id}, {"$set": {"aftersale_state": AftersaleState.REFUNDED}})
    assert [(one.check, one.object_id) for one in (await examine(town.db, checks)).findings] == [("F15", order.id)]
    on_orders = town.app.commerce.coupons
    await town.db.transact(
        lambda tx: on_orders.give_back(tx, town.buyer.person_id, order.id, at=kept.claimed_at, by="x", reason="x")
    )
    assert {one.check for one in (await examine(town.db, checks)).findings} == {"F15", "F133"}


async def test_a_line_that_cost_nothing_and_stays_usable_is_not_given_back(town: Town) -> None:  # req 12.8
    gift = await town.goods(price_fen=0, title="赠饮")
    cup = await town.goods()
    order = await town.bought((cup, 1), (gift, 1))
    line = next(one for one in order.lines if one.payable_fen)
    case = await town.ask(order, **{line.id: 1})
    await town.cases.agree(MANAGER, case.id)
    await town.settle()
    after = await town.order(order)
    assert (after.aftersale_state, after.state) == (AftersaleState.PARTLY_REFUNDED, State.TO_USE)
    await town.use(order, line=order.lines.index(next(one for one in order.lines if not one.payable_fen)))
    await town.settle()
    assert (await town.order(order)).state is State.DONE
    await town.sound()
