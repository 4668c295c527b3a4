"""Coupons on a real MongoDB: held with the order, spent with the payment, back when it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from octshop_rt.commerce.catalog.model import Fulfilment, Sku
from octshop_rt.commerce.marketing import store
from octshop_rt.commerce.marketing.model import (
    Coupon,
    CouponState,
    CouponUnusable,
    Terms,
)
from octshop_rt.commerce.marketing.rules import came_back, standing
from octshop_rt.commerce.order.model import Checkedout, PriceChanged, State, WantedLine
from octshop_rt.commerce.order.service import GRACE_MS
from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.clock import DAY, MINUTE
from octshop_rt.core.errors import Busy, DomainError, NotFound, RequestConflict, UnknownOutcome
from octshop_rt.core.fsck import examine
from tests.commerce.conftest import MARKETING_CHECKS, Mall
from tests.commerce.coupon_kit import Bought, bought, claimed, offered, refunded, row_of, state

REQUEST = "request-id-0000000001"
HALF_HOUR = 30 * MINUTE + GRACE_MS


class TestCheckout:
    async def test_the_best_is_picked_and_the_rest_say_why_not(self, mall: Mall) -> None:
        # req 16.3
        shop, buyer = await mall.open_shop(), mall.buyer()
        cup, _ = await mall.put_on_sale(shop)
        beans, _ = await mall.put_on_sale(shop, title="咖啡豆", price_fen=8800)
        rows = [
            await offered(mall, shop, title="五元"),
            await offered(mall, shop, title="九折", terms=Terms(off_bp=1000)),
            await offered(mall, shop, title="满百", terms=Terms(value_fen=2000, min_spend_fen=10_000)),
            await offered(mall, shop, title="豆子", terms=Terms(value_fen=300), product_ids=(beans.product_id,)),
        ]
        coupons = [await claimed(mall, buyer, row) for row in rows]
        lines = [WantedLine(sku_id=cup.id, quantity=3)]
        priced = await mall.orders.quote_for(buyer, lines, Fulfilment.IN_STORE, None)
        assert [one.coupon.id for one in priced.picked] == [coupons[1].id]  # 5970 * 10 % > 500
        assert priced.quote.payable_fen == 5970 - 597
        told = {one.coupon.title: (one.off_fen, one.why, one.short_fen) for one in priced.judged}
        assert told == {
            "五元": (500, None, 0),
            "九折": (597, None, 0),
            "满百": (0, "min_spend", 4030),
            "豆子": (0, "other_goods", 0),
        }
        none = await mall.orders.quote_for(buyer, lines, Fulfilment.IN_STORE, [])
        assert none.quote.payable_fen == 5970
        with pytest.raises(CouponUnusable):
            await mall.orders.quote_for(buyer, lines, Fulfilment.IN_STORE, [coupons[0].id, coupons[1].id])
        with pytest.raises(NotFound):
            await mall.orders.quote_for(mall.buyer(), lines, Fulfilment.IN_STORE, [coupons[0].id])

    async def test_it_lies_on_its_lines_and_the_order_keeps_it(self, mall: Mall) -> None:
        # req M3, M4, B1, 16.3, 16.9
        shop, flowers, buyer = await mall.open_shop(), await mall.open_shop("拾光花店"), mall.buyer()
        cup, large = await mall.put_on_sale(shop)
        beans, _ = await mall.put_on_sale(shop, title="咖啡豆", price_fen=8800)
        roses, _ = await mall.put_on_sale(flowers, price_fen=9900)
        coupon = await claimed(mall, buyer, await offered(mall, shop, product_ids=(cup.product_id,)))
        basket = [(cup, 1), (large, 2), (beans, 1), (roses, 1)]
        due_fen = 1990 + 2 * 2290 + 8800 + 9900 - 500
        made = await mall.buy(buyer, basket, coupon_ids=[coupon.id], expected_payable_fen=due_fen)
        assert made.group.payable_fen == sum(order.payable_fen for order in made.orders) == due_fen
        order = next(order for order in made.orders if order.shop_id == shop.id)
        assert next(one for one in made.orders if one is not order).coupon is None
        assert order.coupon is not None
        assert (order.coupon.id, order.coupon.off_fen, order.discount_fen) == (coupon.id, 500, 500)
        shares = {line.sku_id: line.discount_fen for line in order.lines}
        assert shares == {cup.id: 151, large.id: 349, beans.id: 0}  # 500 * 1990 / 6570 = 151.4
        assert all(one.platform_fen == 0 for line in order.lines for one in line.allocations)
        assert await state(mall, coupon) == ("held", order.id)
        await mall.assert_clean()

    async def test_agreed_is_the_very_quote(self, mall: Mall) -> None:
        # req 16.3: a coupon is part of the quote, so the same sum by another coupon is not agreed
        shop, buyer = await mall.open_shop(), mall.buyer()
        cup, _ = await mall.put_on_sale(shop)
        one, same = [await claimed(mall, buyer, await offered(mall, shop)) for _ in range(2)]
        lines = [WantedLine(sku_id=cup.id, quantity=1)]
        priced = await mall.orders.quote_for(buyer, lines, Fulfilment.IN_STORE, [one.id])
        agreed: dict[str, Any] = {"quote_hash": priced.quote.quote_hash, "expected_payable_fen": 1490}
        with pytest.raises(PriceChanged):
            await mall.buy(buyer, [(cup, 1)], coupon_ids=[same.id], **agreed)
        with pytest.raises(PriceChanged):
            await mall.buy(buyer, [(cup, 1)], coupon_ids=[one.id])  # the list price was agreed
        made = await mall.buy(buyer, [(cup, 1)], coupon_ids=[one.id], request_id=REQUEST, **agreed)
        again = await mall.buy(buyer, [(cup, 1)], coupon_ids=[one.id], request_id=REQUEST, **agreed)
        assert again == made
        with pytest.raises(RequestConflict):
            await mall.buy(buyer, [(cup, 1)], coupon_ids=[same.id], request_id=REQUEST, **agreed)

    async def test_two_checkouts_with_one_coupon_make_one_order(self, mall: Mall) -> None:
        # req 16.3: however many pages press at once
        shop, buyer = await mall.open_shop(), mall.buyer()
        skus = [(await mall.put_on_sale(shop, title=f"{n} 号"))[0] for n in range(6)]
        coupon = await claimed(mall, buyer, await offered(mall, shop))

        async def press(number: int) -> Checkedout | DomainError:
            request_id = mall.ids.new("Z")
            while True:
                try:
                    return await mall.buy(
                        buyer, [(skus[number], 1)], coupon_ids=[coupon.id], expected_payable_fen=1490,
                        request_id=request_id,
                    )  # fmt: skip
                except (Busy, UnknownOutcome):
                    continue
                except DomainError as refusal:
                    return refusal

        answers = await asyncio.gather(*(press(number) for number in range(6)))
        (made,) = [one for one in answers if isinstance(one, Checkedout)]
        assert {one.data["why"] for one in answers if isinstance(one, CouponUnusable)} == {"held"}
        assert await state(mall, coupon) == ("held", made.orders[0].id)
        stocks = [await mall.stock(sku) for sku in skus]
        assert stocks.count((9, 1, 0)) == 1
        assert stocks.count((10, 0, 0)) == 5
        await mall.assert_clean()

    async def test_an_end_between_quote_and_transaction_is_seen(self, mall: Mall) -> None:
        # req 16.3: what is held is looked at once more where it is held
        buyer = mall.buyer()
        coupon = await claimed(mall, buyer, await offered(mall, await mall.open_shop()))
        mall.clock.advance(9 * DAY)
        with pytest.raises(CouponUnusable) as refusal:
            await mall.db.transact(lambda tx: mall.coupons.hold(tx, buyer.person_id, "O", coupon.id))
        assert refusal.value.data["why"] == "expired"
        assert await state(mall, coupon) == ("unused", None)


class TestLife:
    async def test_spent_when_paid(self, mall: Mall) -> None:
        made = await bought(mall)
        await mall.tell(mall.succeeded(made.order))
        assert await state(mall, made.coupon) == ("used", made.order.id)
        await mall.assert_clean()

    async def test_back_when_cancelled_or_out_of_time_and_usable_again(self, mall: Mall) -> None:
        # req 5.4, 16.6, X9
        made = await bought(mall)
        await mall.orders.cancel(made.buyer, made.order.id, "")
        assert await state(mall, made.coupon) == ("unused", None)
        cup = made.order.lines[0].sku_id
        lines = [WantedLine(sku_id=cup, quantity=1)]
        second = await mall.orders.checkout(
            made.buyer, request_id=REQUEST, lines=lines, fulfilment=Fulfilment.IN_STORE, memo="",
            expected_payable_fen=1490, coupon_ids=[made.coupon.id],
        )  # fmt: skip
        assert await state(mall, made.coupon) == ("held", second.orders[0].id)
        mall.clock.advance(HALF_HOUR)
        await mall.tell()
        assert (await mall.one(second.orders[0])).state is State.CLOSED
        assert await state(mall, made.coupon) == ("unused", None)
        await mall.assert_clean()

    async def test_back_when_wholly_refunded_not_before(self, mall: Mall) -> None:
        # req 12.8, 16.6, X9, X10
        made = await bought(mall)
        await mall.tell(mall.succeeded(made.order))
        await mall.tell(refunded(mall, made.order, whole=False))
        assert await state(mall, made.coupon) == ("used", made.order.id)
        mall.clock.advance(9 * DAY)
        whole = refunded(mall, made.order, whole=True)
        await mall.tell(whole)
        await mall.tell(whole)  # told twice, back once
        assert await state(mall, made.coupon) == ("unused", None)
        row = await row_of(mall, made.coupon)
        assert [step.after for step in row.history] == ["unused", "held", "used", "unused"]
        assert (came_back(row), standing(row, mall.clock.now())) == (True, "expired")

    async def test_paid_late_it_is_taken_again_even_past_its_end(self, mall: Mall) -> None:
        # req 5.4, X6: it was good when the buyer chose it and began to pay
        made = await bought(mall)
        mall.clock.advance(9 * DAY)
        await mall.tell()
        assert (await row_of(mall, made.coupon)).valid_until < mall.clock.now()
        await mall.tell(mall.succeeded(made.order))
        assert (await mall.one(made.order)).state is State.TO_USE
        assert await state(mall, made.coupon) == ("used", made.order.id)
        assert await mall.refunds() == []
        await mall.assert_clean()

    async def test_paid_late_with_its_coupon_used_elsewhere_the_money_goes_back(self, mall: Mall) -> None:
        # req 5.4, X6: one coupon does not pay twice
        made = await bought(mall)
        mall.clock.advance(HALF_HOUR)
        await mall.tell()
        lines = [WantedLine(sku_id=made.order.lines[0].sku_id, quantity=1)]
        second = await mall.orders.checkout(
            made.buyer, request_id=REQUEST, lines=lines, fulfilment=Fulfilment.IN_STORE, memo="",
            expected_payable_fen=1490, coupon_ids=[made.coupon.id],
        )  # fmt: skip
        await mall.tell(mall.succeeded(made.order))
        assert (await mall.one(made.order)).state is State.CLOSED
        (refund,) = await mall.refunds()
        assert (refund["amount_fen"], refund["reason"]) == (1490, "closed and its coupon used meanwhile")
        assert await state(mall, made.coupon) == ("held", second.orders[0].id)
        await mall.assert_clean()

    async def test_close_against_pay_against_the_next_checkout(self, mall: Mall) -> None:
        # req 5.4, 16.3: whoever is first, the coupon is on one order at most and on the paid one
        made = [await bought(mall) for _ in range(8)]
        mall.clock.advance(HALF_HOUR)

        async def again(one: Bought) -> None:
            lines = [WantedLine(sku_id=one.order.lines[0].sku_id, quantity=1)]
            for _ in range(20):
                try:
                    await mall.orders.checkout(
                        one.buyer, request_id=f"again-{one.order.id}", lines=lines, fulfilment=Fulfilment.IN_STORE,
                        memo="", expected_payable_fen=1490, coupon_ids=[one.coupon.id],
                    )  # fmt: skip
                except (Busy, UnknownOutcome, CouponUnusable):
                    await asyncio.sleep(0.01)
                else:
                    return

        for one in made:
            await mall.write(mall.succeeded(one.order))
        await asyncio.gather(mall.settle(), *(again(one) for one in made))
        await mall.settle()
        back = {body["subject"].removeprefix("order:") for body in await mall.refunds()}
        for one in made:
            order, (now, on) = await mall.one(one.order), await state(mall, one.coupon)
            if order.state is State.TO_USE:
                assert (now, on) == ("used", order.id)
            else:
                assert order.id in back
                assert on != order.id
        await mall.assert_clean()


async def test_a_checkout_pressed_again_and_again_is_one_order_with_its_coupon(mall: Mall) -> None:
    # req B7, 16.4: what the first press has taken, the coupon and the last piece, is no refusal to the second
    shop = await mall.open_shop()
    for _ in range(4):
        cup, _ = await mall.put_on_sale(shop, stock=1)
        buyer, request_id = mall.buyer(), mall.ids.new("Z")
        coupon = await claimed(mall, buyer, await offered(mall, shop))

        async def press(
            ms: int, cup: Sku = cup, buyer: Buyer = buyer, request_id: str = request_id, coupon: Coupon = coupon
        ) -> str:
            await asyncio.sleep(ms / 1_000)
            while True:
                try:
                    made = await mall.buy(
                        buyer, [(cup, 1)], request_id=request_id, coupon_ids=[coupon.id], expected_payable_fen=1490
                    )
                except (Busy, UnknownOutcome):
                    continue
                except DomainError as refusal:
                    return refusal.code
                return made.group.id

        answers = await asyncio.gather(*(press(ms) for ms in range(0, 60, 3)))
        assert len(set(answers)) == 1
        assert (await state(mall, coupon))[0] == "held"
    await mall.assert_clean()


async def test_fsck_names_what_is_planted(mall: Mall) -> None:
    made, other = await bought(mall), await bought(mall)
    await mall.assert_clean()
    await store.COUPONS.update(mall.db, {"_id": made.coupon.id}, {"$set": {"state": CouponState.USED}})
    await store.COUPONS.update(mall.db, {"_id": other.coupon.id}, {"$set": {"nth": 7}})
    await store.CAMPAIGNS.update(mall.db, {"_id": other.coupon.campaign_id}, {"$set": {"claimed": 11}})
    report = await examine(mall.db, MARKETING_CHECKS)
    assert {(one.check, one.object_id) for one in report.findings} == {
        ("F130", other.coupon.campaign_id), ("F131", other.coupon.id), ("F132", made.coupon.id),
    }  # fmt: skip
    with pytest.raises(AssertionError, match="F133"):
        await mall.assert_clean()
