"""Many at once: the last units, double submits, pay against expire against cancel; real transactions and conflicts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import pytest

from octshop_rt.commerce.catalog.model import Sku
from octshop_rt.commerce.inventory.model import OutOfStock
from octshop_rt.commerce.inventory.service import InventoryService
from octshop_rt.commerce.order.model import Checkedout, NotCancellable
from octshop_rt.commerce.order.rules import wants_of
from octshop_rt.core.clock import DAY
from octshop_rt.core.errors import Busy, DomainError, RequestConflict, UnknownOutcome
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from octshop_rt.events import OrderUnpaid
from tests.commerce.conftest import Mall


async def insist(node: Mall, wanted: Sequence[tuple[Sku, int]]) -> Checkedout | DomainError:
    """A client: busy and unknown are answered by the same request again, until it is yes or no."""
    buyer, request_id = node.buyer(), node.ids.new("Z")
    while True:
        try:
            return await node.buy(buyer, wanted, request_id=request_id)
        except (Busy, UnknownOutcome):
            continue
        except DomainError as refusal:
            return refusal


@pytest.mark.parametrize("units", [1, 7, 50])
async def test_two_hundred_buyers_for_the_last_units(mall: Mall, units: int) -> None:
    # req B6, ST1: exactly N orders, the others are told "sold out" and nothing else
    cup, _ = await mall.put_on_sale(await mall.open_shop(), stock=units)
    answers = await asyncio.gather(*(insist(mall, [(cup, 1)]) for _ in range(200)))
    made = [answer for answer in answers if isinstance(answer, Checkedout)]
    assert len(made) == units
    refused = [answer for answer in answers if not isinstance(answer, Checkedout)]
    assert {type(answer) for answer in refused} == {OutOfStock}
    assert await mall.stock(cup) == (0, units, 0)
    await mall.assert_clean()


async def test_two_nodes_sell_the_last_units_once(mall: Mall, mongo_uri: str, db: Database) -> None:
    # req ST1: the turnstile is one process's politeness; the conditional update is the judge
    shop = await mall.open_shop()
    cup, large = await mall.put_on_sale(shop, stock=5)
    other_db = Database.connect(MongoSettings(uri=mongo_uri, prefix=db._prefix))
    other = Mall(other_db, mall.clock)
    nodes = [mall, other]

    def wanted(number: int) -> list[tuple[Sku, int]]:
        return [(cup, 1), (large, 1)] if number % 2 else [(large, 1), (cup, 1)]

    answers = await asyncio.gather(*(insist(nodes[i % 2], wanted(i)) for i in range(60)))
    await other_db.close()
    assert sum(isinstance(answer, Checkedout) for answer in answers) == 5
    assert {type(answer) for answer in answers} == {Checkedout, OutOfStock}
    assert await mall.stock(cup) == (0, 5, 0)
    await mall.assert_clean()


async def test_a_submit_pressed_twenty_times_makes_one_order(mall: Mall) -> None:
    # req B7, OR1
    cup, large = await mall.put_on_sale(await mall.open_shop())
    buyer = mall.buyer()
    answers = await asyncio.gather(
        *(mall.buy(buyer, [(cup, 2), (large, 1)], request_id="request-id-0000000020") for _ in range(20))
    )
    assert len({answer.group.id for answer in answers}) == 1
    assert all(answer == answers[0] for answer in answers)
    assert await mall.stock(cup) == (8, 2, 0)
    await mall.assert_clean()


async def test_equal_ids_with_other_content_make_one_order_and_conflicts(mall: Mall) -> None:
    cup, _ = await mall.put_on_sale(await mall.open_shop(), stock=100)
    buyer = mall.buyer()
    answers = await asyncio.gather(
        *(mall.buy(buyer, [(cup, n + 1)], request_id="request-id-0000000021") for n in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Checkedout) for answer in answers) == 1
    assert sum(isinstance(answer, RequestConflict) for answer in answers) == 9
    await mall.assert_clean()


async def test_pay_against_expire(mall: Mall) -> None:
    # req X6, OR4, OR5: whoever is first, the money makes an order stand and the stock is right
    cup, _ = await mall.put_on_sale(await mall.open_shop(), stock=20)
    orders = [(await mall.buy(mall.buyer(), [(cup, 1)])).orders[0] for _ in range(20)]
    mall.clock.advance(DAY)
    for event in [mall.succeeded(order) for order in orders]:
        await mall.write(event)
    await mall.settle()
    rows = [(await mall.one(order)).payment_state for order in orders]
    assert rows == ["paid"] * 20
    assert await mall.stock(cup) == (0, 0, 20)
    assert await mall.refunds() == []
    await mall.assert_clean()


async def test_pay_against_expire_against_cancel_against_another_buyer(mall: Mall) -> None:
    # req X6, X7, 17.2: every ending is one of three, and each has its money where it belongs
    cup, _ = await mall.put_on_sale(await mall.open_shop(), stock=12)
    buyers = [mall.buyer() for _ in range(12)]
    orders = [(await mall.buy(buyer, [(cup, 1)])).orders[0] for buyer in buyers]
    events = [mall.succeeded(order) for order in orders]
    for order, event in zip(orders, events, strict=True):
        await mall.write(event)
        await mall.write(OrderUnpaid(order_id=order.id))

    async def cancel(i: int) -> None:
        with contextlib.suppress(NotCancellable, Busy, UnknownOutcome):
            await mall.orders.cancel(buyers[i], orders[i].id, "race")

    async def snatch() -> None:
        with contextlib.suppress(OutOfStock, Busy, UnknownOutcome):
            await mall.buy(mall.buyer(), [(cup, 1)])

    await asyncio.gather(mall.dispatcher.drain(), *(cancel(i) for i in range(12)), *(snatch() for _ in range(12)))
    await mall.settle()
    given_back = {refund["subject"] for refund in await mall.refunds()}
    for order in orders:
        now = await mall.one(order)
        assert (now.payment_state == "paid") != (f"order:{order.id}" in given_back), (now, given_back)
    available, reserved, sold = await mall.stock(cup)
    assert available + reserved + sold == 12
    await mall.assert_clean()


async def test_reservations_settle_once_whatever_is_repeated(mall: Mall) -> None:
    # req ST2
    cup, _ = await mall.put_on_sale(await mall.open_shop(), stock=5)
    (order,) = (await mall.buy(mall.buyer(), [(cup, 2)])).orders
    inventory: InventoryService = mall.inventory
    with pytest.raises(OutOfStock):  # an order that has an entry cannot take another
        await mall.db.transact(lambda tx: inventory.reserve(tx, order.id, wants_of(order)))
    answers = await asyncio.gather(
        *(inventory.release(order.id, wants_of(order)) for _ in range(6)),
        *(inventory.commit(order.id, wants_of(order)) for _ in range(6)),
    )
    assert sum(answers) == 1
    available, reserved, sold = await mall.stock(cup)
    assert (available + sold, reserved) == (5, 0)
    with pytest.raises(OutOfStock):
        await mall.inventory.adjust(cup.id, -6)
