"""Checkout and the life of an order on a real MongoDB: snapshots, refusals, deadlines, payments, use."""

from __future__ import annotations

import pytest

from octshop_rt.commerce.catalog.model import Listing, NotOnSale
from octshop_rt.commerce.inventory.model import OutOfStock
from octshop_rt.commerce.order.model import (
    NotCancellable,
    NothingToPay,
    NotPayable,
    OwnShop,
    PriceChanged,
    State,
    TooManyUnpaid,
)
from octshop_rt.commerce.order.rules import scope_of, subject_of
from octshop_rt.commerce.order.service import GRACE_MS
from octshop_rt.commerce.order.views import view
from octshop_rt.commerce.shop.model import Certification, NotCertified, ShopClosed
from octshop_rt.commerce.shop.policy import PLATFORM_SCOPE, PolicyPatch
from octshop_rt.core.clock import DAY, MINUTE, SECOND
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.events import OrderUnpaid, VoucherUsed
from tests.commerce.conftest import Mall

REQUEST = "request-id-0000000001"


class TestCheckout:
    async def test_one_order_per_shop_in_one_group_with_snapshots(self, mall: Mall) -> None:
        # req B1, M3, M4, 1.2, 17.1
        coffee, flowers = await mall.open_shop("豆芽咖啡"), await mall.open_shop("拾光花店")
        (cup, large), (roses, _) = await mall.put_on_sale(coffee), await mall.put_on_sale(flowers, price_fen=9900)
        buyer = mall.buyer()
        made = await mall.buy(buyer, [(cup, 2), (roses, 1), (large, 1)], request_id=REQUEST, memo="少冰")
        again = await mall.buy(buyer, [(large, 1), (roses, 1), (cup, 2)], request_id=REQUEST, memo="少冰")
        assert again == made
        assert [order.shop_id for order in made.orders] == [coffee.id, flowers.id] or [
            order.shop_id for order in made.orders
        ] == [flowers.id, coffee.id]
        assert made.group.payable_fen == 2 * 1990 + 2290 + 9900 == sum(order.payable_fen for order in made.orders)
        order = next(order for order in made.orders if order.shop_id == coffee.id)
        assert order.pay_until == mall.clock.now() + 1_800 * SECOND
        assert order.freight_fen == 0
        assert order.policy.unpaid_timeout_s == 1_800
        assert {line.title for line in order.lines} == {"拿铁"}
        assert await mall.stock(cup) == (8, 2, 0)
        await mall.assert_clean()

    async def test_policy_binds_when_the_order_is_made(self, mall: Mall) -> None:
        shop = await mall.open_shop()
        cup, _ = await mall.put_on_sale(shop)
        await mall.shops.set_policy(PLATFORM_SCOPE, PolicyPatch(unpaid_timeout_s=600, voucher_valid_days=30), "admin")
        await mall.shops.set_policy(shop.id, PolicyPatch(unpaid_timeout_s=900), "owner")
        (order,) = (await mall.buy(mall.buyer(), [(cup, 1)])).orders
        await mall.shops.set_policy(shop.id, PolicyPatch(unpaid_timeout_s=60), "owner")
        assert order.pay_until == mall.clock.now() + 900 * SECOND
        assert order.lines[0].valid_days == 30
        assert order.policy.versions == (1, 1)

    async def test_the_same_request_gives_the_same_order_for_ever(self, mall: Mall) -> None:
        # req B7, 17.1: also when the price has changed and the goods are gone meanwhile
        cup, large = await mall.put_on_sale(await mall.open_shop(), stock=1)
        buyer = mall.buyer()
        first = await mall.buy(buyer, [(cup, 1)], request_id=REQUEST)
        mall.clock.advance(DAY)
        await mall.catalog.move(first.orders[0].lines[0].product_id, Listing.UNLISTED)
        assert await mall.buy(buyer, [(cup, 1)], request_id=REQUEST) == first
        with pytest.raises(RequestConflict):
            await mall.buy(buyer, [(large, 1)], request_id=REQUEST)
        with pytest.raises(RequestConflict):
            await mall.buy(buyer, [(cup, 1)], request_id=REQUEST, memo="other")

    async def test_two_buyers_may_use_the_same_request_id(self, mall: Mall) -> None:
        cup, _ = await mall.put_on_sale(await mall.open_shop())
        made = [await mall.buy(mall.buyer(), [(cup, 1)], request_id=REQUEST) for _ in range(2)]
        assert made[0].group.id != made[1].group.id

    async def test_refusals_change_nothing(self, mall: Mall) -> None:
        # req E4, 1.7, 17.16, 19.5, B6; OR3: the client's figure is compared, never used
        shop = await mall.open_shop()
        cup, large = await mall.put_on_sale(shop, stock=3)
        uncertified = await mall.open_shop("新店", certified=False)
        massage, _ = await mall.put_on_sale(uncertified)
        buyer, clerk = mall.buyer(), mall.buyer()
        mall.staff[clerk.person_id] = frozenset({shop.id})
        with pytest.raises(PriceChanged) as changed:
            await mall.buy(buyer, [(cup, 1)], expected_payable_fen=1)
        assert changed.value.data["payable_fen"] == 1990
        with pytest.raises(OutOfStock) as gone:
            await mall.buy(buyer, [(cup, 1), (large, 4)])
        assert gone.value.data["left"] == 3
        with pytest.raises(NotCertified):
            await mall.buy(buyer, [(massage, 1)])
        with pytest.raises(OwnShop):
            await mall.buy(clerk, [(cup, 1)])
        await mall.shops.certify(shop.id, Certification.SUSPENDED)
        with pytest.raises(NotCertified):
            await mall.buy(buyer, [(cup, 1)])
        await mall.shops.certify(shop.id, Certification.CERTIFIED)
        await mall.shops.set_open(shop.id, is_open=False)
        with pytest.raises(ShopClosed):
            await mall.buy(buyer, [(cup, 1)])
        await mall.shops.set_open(shop.id, is_open=True)
        await mall.catalog.retire(cup.id)
        with pytest.raises(NotOnSale):
            await mall.buy(buyer, [(cup, 1)])
        assert await mall.stock(cup) == (3, 0, 0)
        assert (await mall.orders.of_buyer(buyer, states=(), cursor=None))[0] == []

    async def test_out_of_stock_inside_the_transaction_takes_nothing_from_the_others(self, mall: Mall) -> None:
        # the glance before passes, the reservation itself refuses
        cup, large = await mall.put_on_sale(await mall.open_shop(), stock=5)
        await mall.inventory.adjust(large.id, -5)

        async def blind(wants: object) -> None:
            return None

        mall.inventory.glance = blind
        with pytest.raises(OutOfStock):
            await mall.buy(mall.buyer(), [(cup, 1), (large, 1)])
        assert await mall.stock(cup) == (5, 0, 0)
        await mall.assert_clean()

    async def test_nobody_locks_up_the_stock_with_unpaid_orders(self, mall: Mall) -> None:
        cup, _ = await mall.put_on_sale(await mall.open_shop(), stock=100)
        await mall.shops.set_policy(PLATFORM_SCOPE, PolicyPatch(unpaid_orders_max=2), "admin")
        buyer = mall.buyer()
        for _ in range(2):
            await mall.buy(buyer, [(cup, 1)])
        with pytest.raises(TooManyUnpaid):
            await mall.buy(buyer, [(cup, 1)])

    async def test_what_costs_nothing_is_paid_at_once(self, mall: Mall) -> None:
        # req M8
        sample, _ = await mall.put_on_sale(await mall.open_shop(), price_fen=0)
        buyer = mall.buyer()
        (order,) = (await mall.buy(buyer, [(sample, 1)])).orders
        assert (order.payment_state, order.state) == ("paid", "to_use")
        assert len(await mall.written("OrderPaid")) == 1
        with pytest.raises(NothingToPay):
            await mall.orders.payable(buyer, [order.id])
        await mall.dispatcher.drain()
        assert await mall.stock(sample) == (9, 0, 1)
        await mall.assert_clean()


class TestPaying:
    async def test_a_payment_of_two_orders_makes_both_stand_and_tells_vouchers_all(self, mall: Mall) -> None:
        a, b = await mall.open_shop("甲"), await mall.open_shop("乙")
        (cup, _), (card, _) = await mall.put_on_sale(a), await mall.put_on_sale(b, price_fen=10_000, uses_each=5)
        buyer = mall.buyer()
        made = await mall.buy(buyer, [(cup, 2), (card, 1)])
        payable = await mall.orders.payable(buyer, [order.id for order in made.orders])
        assert sum(part.amount_fen for part in payable.parts) == made.group.payable_fen
        assert {part.pending for part in payable.parts} == {"voucher_unredeemed"}
        assert payable.until == made.orders[0].pay_until
        await mall.tell(mall.succeeded(*made.orders))
        orders, _ = await mall.orders.of_buyer(buyer, states=(), cursor=None)
        assert {(order.payment_state, order.fulfilment_state, order.state) for order in orders} == {
            ("paid", "to_use", "to_use")
        }
        told = {event["shop_name"]: event for event in await mall.written("OrderPaid")}
        assert told["甲"]["lines"][0]["quantity"] == 2
        assert told["乙"]["lines"][0] | {"uses_each": 5, "paid_fen": 10_000} == told["乙"]["lines"][0]
        assert told["乙"]["buyer_masked"] == "138****0001"
        assert await mall.stock(cup) == (8, 0, 2)
        await mall.assert_clean()

    async def test_told_twice_is_paid_once_and_a_second_payment_goes_back(self, mall: Mall) -> None:
        # req M6
        cup, _ = await mall.put_on_sale(await mall.open_shop())
        (order,) = (await mall.buy(mall.buyer(), [(cup, 1)])).orders
        first, second = mall.succeeded(order), mall.succeeded(order)
        await mall.tell(first, first)
        await mall.tell(second)
        assert [refund["payment_id"] for refund in await mall.refunds()] == [second.payment_id]
        assert len(await mall.written("OrderPaid")) == 1
        assert await mall.stock(cup) == (9, 0, 1)
        await mall.assert_clean()

    async def test_a_wrong_amount_pays_nothing_and_goes_back(self, mall: Mall) -> None:
        # req M6: underpayment is not fulfilled
        cup, _ = await mall.put_on_sale(await mall.open_shop())
        buyer = mall.buyer()
        (order,) = (await mall.buy(buyer, [(cup, 1)])).orders
        await mall.tell(mall.succeeded(order, amount_fen=1))
        assert (await mall.orders.of(buyer, order.id)).payment_state == "unpaid"
        assert [refund["amount_fen"] for refund in await mall.refunds()] == [1]
        await mall.assert_clean()

    async def test_others_orders_and_ended_ones_cannot_be_paid(self, mall: Mall) -> None:
        cup, _ = await mall.put_on_sale(await mall.open_shop())
        buyer = mall.buyer()
        (order,) = (await mall.buy(buyer, [(cup, 1)])).orders
        with pytest.raises(NotFound):
            await mall.orders.payable(mall.buyer(), [order.id])
        mall.clock.advance(30 * MINUTE)
        with pytest.raises(NotPayable) as refused:
            await mall.orders.payable(buyer, [order.id])
        assert "待付款" in refused.value.text("zh-CN")


class TestClosing:
    async def test_the_due_event_closes_once_never_early_and_gives_stock_back_once(self, mall: Mall) -> None:
        # req 17.7, ST2
        cup, _ = await mall.put_on_sale(await mall.open_shop(), stock=3)
        buyer = mall.buyer()
        (order,) = (await mall.buy(buyer, [(cup, 2)])).orders
        mall.clock.advance(30 * MINUTE + GRACE_MS - 1)
        await mall.dispatcher.drain()
        assert await mall.stock(cup) == (1, 2, 0)
        mall.clock.advance(1)
        await mall.dispatcher.drain()
        await mall.tell(OrderUnpaid(order_id=order.id), OrderUnpaid(order_id=order.id))
        assert await mall.stock(cup) == (3, 0, 0)
        closed = await mall.orders.of(buyer, order.id)
        assert (closed.state, closed.close_reason) == ("closed", "timeout")
        assert view(closed, "zh-CN").label == "已关闭"
        assert view(closed, "en").timeline[-1].text == "Not paid in time, closed"
        assert len(await mall.written("OrderClosed")) == 1
        await mall.assert_clean()

    async def test_time_that_is_up_waits_for_money_that_is_on_its_way(self, mall: Mall) -> None:
        # paid in time; the event that tells the order is delivered after the one that closes it
        cup, _ = await mall.put_on_sale(await mall.open_shop(), stock=1)
        (order,) = (await mall.buy(mall.buyer(), [(cup, 1)])).orders
        mall.paid.add((subject_of(order.id), order.payable_fen))
        mall.clock.advance(30 * MINUTE + GRACE_MS)
        await mall.dispatcher.drain()
        assert (await mall.one(order)).payment_state == "unpaid"
        await mall.tell(mall.succeeded(order))
        await mall.settle()
        assert (await mall.one(order)).state == "to_use"
        assert [await mall.refunds(), await mall.written("OrderClosed")] == [[], []]
        await mall.assert_clean()

    async def test_time_that_is_up_does_not_wait_for_a_wrong_amount(self, mall: Mall) -> None:
        cup, _ = await mall.put_on_sale(await mall.open_shop())
        (order,) = (await mall.buy(mall.buyer(), [(cup, 1)])).orders
        mall.paid.add((subject_of(order.id), order.payable_fen - 1))
        mall.clock.advance(30 * MINUTE + GRACE_MS)
        await mall.dispatcher.drain()
        assert (await mall.one(order)).state == "closed"

    async def test_a_paid_order_is_never_closed(self, mall: Mall) -> None:
        cup, _ = await mall.put_on_sale(await mall.open_shop())
        buyer = mall.buyer()
        (order,) = (await mall.buy(buyer, [(cup, 1)])).orders
        await mall.tell(mall.succeeded(order))
        mall.clock.advance(DAY)
        await mall.dispatcher.drain()
        assert (await mall.orders.of(buyer, order.id)).state == "to_use"
        assert await mall.troubled() == []
        with pytest.raises(NotCancellable):
            await mall.orders.cancel(buyer, order.id, "")

    async def test_late_money_takes_the_goods_again_if_they_are_there(self, mall: Mall) -> None:
        # req X6, OR5
        cup, _ = await mall.put_on_sale(await mall.open_shop(), stock=1)
        buyer = mall.buyer()
        (order,) = (await mall.buy(buyer, [(cup, 1)])).orders
        mall.clock.advance(DAY)
        await mall.dispatcher.drain()
        await mall.tell(mall.succeeded(order))
        stands = await mall.orders.of(buyer, order.id)
        assert (stands.state, stands.closed_at, stands.close_reason) == ("to_use", None, None)
        assert await mall.stock(cup) == (0, 0, 1)
        assert await mall.refunds() == []
        await mall.assert_clean()

    async def test_late_money_finds_its_goods_before_they_are_given_back(self, mall: Mall) -> None:
        # req OR5: the order is closed, the event that frees its last cup has not been delivered yet
        cup, _ = await mall.put_on_sale(await mall.open_shop(), stock=1)
        buyer = mall.buyer()
        (order,) = (await mall.buy(buyer, [(cup, 1)])).orders
        due = OrderUnpaid(order_id=order.id)
        await mall.db.transact(lambda tx: mall.handlers.on_order_unpaid(tx, due))
        assert await mall.stock(cup) == (0, 1, 0)
        paid = mall.succeeded(order)
        await mall.db.transact(lambda tx: mall.handlers.on_payment_succeeded(tx, paid))
        assert (await mall.one(order)).state == "to_use"
        await mall.dispatcher.drain()  # OrderClosed and OrderPaid, late
        assert await mall.stock(cup) == (0, 0, 1)
        assert await mall.refunds() == []
        await mall.assert_clean()

    async def test_late_money_goes_back_when_the_goods_are_gone(self, mall: Mall) -> None:
        # req X6, OR5, M6
        cup, _ = await mall.put_on_sale(await mall.open_shop(), stock=1)
        buyer = mall.buyer()
        (order,) = (await mall.buy(buyer, [(cup, 1)])).orders
        mall.clock.advance(DAY)
        await mall.dispatcher.drain()
        await mall.buy(mall.buyer(), [(cup, 1)])
        await mall.tell(mall.succeeded(order))
        assert (await mall.orders.of(buyer, order.id)).state == "closed"
        assert [refund["amount_fen"] for refund in await mall.refunds()] == [1990]
        await mall.assert_clean()

    async def test_late_money_for_a_cancelled_order_goes_back(self, mall: Mall) -> None:
        # req X7
        cup, _ = await mall.put_on_sale(await mall.open_shop())
        buyer = mall.buyer()
        (order,) = (await mall.buy(buyer, [(cup, 1)])).orders
        cancelled = await mall.orders.cancel(buyer, order.id, "不想要了")
        await mall.dispatcher.drain()
        assert await mall.stock(cup) == (10, 0, 0)
        assert await mall.orders.cancel(buyer, order.id, "again") == cancelled
        assert view(cancelled, "zh-CN").label == "已取消"
        await mall.tell(mall.succeeded(order))
        assert len(await mall.refunds()) == 1
        assert await mall.stock(cup) == (10, 0, 0)
        await mall.assert_clean()

    async def test_strangers_cannot_cancel(self, mall: Mall) -> None:
        cup, _ = await mall.put_on_sale(await mall.open_shop())
        (order,) = (await mall.buy(mall.buyer(), [(cup, 1)])).orders
        with pytest.raises(NotFound):
            await mall.orders.cancel(mall.buyer(), order.id, "")


class TestUse:
    async def test_uses_are_counted_until_the_order_is_done(self, mall: Mall) -> None:
        # req 2.3.3, O2 (progress)
        card, _ = await mall.put_on_sale(await mall.open_shop(), uses_each=2)
        buyer = mall.buyer()
        (order,) = (await mall.buy(buyer, [(card, 2)])).orders
        await mall.tell(mall.succeeded(order))
        states = []
        for left in (3, 2, 1, 0):
            await mall.tell(
                VoucherUsed(
                    redemption_id=mall.ids.new("X"),
                    voucher_id=mall.ids.new("V"),
                    order_id=order.id,
                    line_id=order.lines[0].id,
                    buyer_id=buyer.person_id,
                    scope=scope_of(order),
                    uses=1,
                    uses_left=left,
                    amount_fen=1,
                    used_at=mall.clock.advance(1),
                    clerk_id="U-clerk",
                )
            )
            states.append((await mall.orders.of(buyer, order.id)).state)
        assert states == ["partly_used", "partly_used", "partly_used", "done"]
        done = await mall.orders.of(buyer, order.id)
        assert done.lines[0].uses_done == done.lines[0].uses_total == 4
        assert [step.text for step in view(done, "zh-CN").timeline] == ["提交订单", "付款成功", "部分核销", "核销完成"]
        await mall.assert_clean()


class TestLists:
    async def test_pages_of_a_buyer_by_state(self, mall: Mall) -> None:
        cup, _ = await mall.put_on_sale(await mall.open_shop(), stock=100)
        await mall.shops.set_policy(PLATFORM_SCOPE, PolicyPatch(unpaid_orders_max=100), "admin")
        buyer = mall.buyer()
        made = []
        for _ in range(23):
            mall.clock.advance(1)
            made.append((await mall.buy(buyer, [(cup, 1)])).orders[0])
        await mall.tell(mall.succeeded(made[0]))
        first, cursor = await mall.orders.of_buyer(buyer, states=(), cursor=None)
        rest, end = await mall.orders.of_buyer(buyer, states=(), cursor=cursor)
        assert [order.id for order in first + rest] == [order.id for order in reversed(made)]
        assert end is None
        paid, _ = await mall.orders.of_buyer(buyer, states=(State.TO_USE,), cursor=None)
        assert [order.id for order in paid] == [made[0].id]
