"""A model of coupons beside orders: any walk of claims, checkouts, payments, ends and refunds leaves both agreeing."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine, Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from octshop_rt.commerce.marketing.model import ClaimRefused, Coupon, CouponUnusable
from octshop_rt.commerce.order.model import NotCancellable, Order
from octshop_rt.commerce.shop.policy import PLATFORM_SCOPE, PolicyPatch
from octshop_rt.core import mongo
from octshop_rt.core.clock import DAY, HOUR, TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from tests.commerce.conftest import Mall
from tests.commerce.coupon_kit import offered, refunded, row_of

TOTAL, PER_BUYER = 6, 2
seen: Counter[str] = Counter()


class Known:
    """What the model knows of an order: its state, and the coupon it was made with."""

    def __init__(self, order: Order, coupon: Coupon) -> None:
        self.order = order
        self.coupon = coupon
        self.state = "unpaid"
        self.cancelled = False
        self.whole = False


class CouponMachine(RuleBasedStateMachine):
    """Each rule is one thing that happens; `on` says on which order each coupon must be, and how."""

    runner: ClassVar[asyncio.Runner]
    db: ClassVar[Database]
    coupons = Bundle("coupons")
    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.run(self.db.wipe(mongo.declared))
        self.mall = Mall(self.db, TestClock())
        self.buyers = [self.mall.buyer() for _ in range(4)]
        self.had = [0] * len(self.buyers)
        self.on: dict[str, tuple[str, str | None]] = {}
        self.rows: dict[str, Coupon] = {}
        self.known: list[Known] = []
        self.refunds = 0
        self.run(self._open())

    async def _open(self) -> None:
        await self.mall.shops.set_policy(PLATFORM_SCOPE, PolicyPatch(unpaid_orders_max=1000), "admin")
        shop = await self.mall.open_shop()
        self.sku = (await self.mall.put_on_sale(shop, stock=1000))[0]
        self.campaign = await offered(self.mall, shop, total=TOTAL, per_buyer=PER_BUYER, valid_days=1)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def _over(self, coupon: Coupon) -> bool:
        return self.mall.clock.now() > coupon.valid_until

    @rule(target=coupons, who=st.integers(0, 3))
    def claim(self, who: int) -> Any:
        work = self.mall.marketing.claim(self.buyers[who], self.campaign.id, self.mall.ids.new("Z"))
        why = "enough" if self.had[who] >= PER_BUYER else "gone" if len(self.rows) >= TOTAL else ""
        if why:
            with pytest.raises(ClaimRefused) as refusal:
                self.run(work)
            assert refusal.value.data["why"] == why
            seen[why] += 1
            return multiple()
        coupon: Coupon = self.run(work)
        self.had[who] += 1
        self.rows[coupon.id] = coupon
        self.on[coupon.id] = ("unused", None)
        return coupon

    @rule(target=orders, coupon=coupons)
    def buy(self, coupon: Coupon) -> Any:
        buyer = next(one for one in self.buyers if one.person_id == coupon.buyer_id)
        work = self.mall.buy(buyer, [(self.sku, 1)], coupon_ids=[coupon.id], expected_payable_fen=1490)
        state, _ = self.on[coupon.id]
        why = state if state != "unused" else "expired" if self._over(coupon) else ""
        if why:
            with pytest.raises(CouponUnusable) as refusal:
                self.run(work)
            assert refusal.value.data["why"] == why
            seen[f"refused: {why}"] += 1
            return multiple()
        known = Known(self.run(work).orders[0], coupon)
        self.known.append(known)
        self.on[coupon.id] = ("held", known.order.id)
        return known

    @rule(known=orders, twice=st.booleans())
    def pay(self, known: Known, twice: bool) -> None:
        event = self.mall.succeeded(known.order)
        self.run(self.mall.tell(event, event) if twice else self.mall.tell(event))
        free = self.on[known.coupon.id] == ("unused", None)
        if known.state == "unpaid" or (known.state == "closed" and not known.cancelled and free):
            seen[f"{known.state} to paid{' past its end' if self._over(known.coupon) else ''}"] += 1
            known.state = "paid"
            self.on[known.coupon.id] = ("used", known.order.id)
        else:
            self.refunds += 2 if twice else 1
            seen[f"given back while {known.state}"] += 1

    @rule(known=orders)
    def cancel(self, known: Known) -> None:
        buyer = next(one for one in self.buyers if one.person_id == known.order.buyer_id)
        work = self.mall.orders.cancel(buyer, known.order.id, "")
        if known.state == "paid":
            with pytest.raises(NotCancellable):
                self.run(work)
            return
        self.run(work)
        if known.state == "unpaid":
            known.state, known.cancelled = "closed", True
            self.on[known.coupon.id] = ("unused", None)
            seen["cancelled"] += 1

    @rule(known=orders, whole=st.booleans(), twice=st.booleans())
    def refund(self, known: Known, whole: bool, twice: bool) -> None:
        if known.state != "paid" or known.whole:
            return
        event = refunded(self.mall, known.order, whole=whole)
        self.run(self.mall.tell(event, event) if twice else self.mall.tell(event))
        if whole:
            known.whole = True
            self.on[known.coupon.id] = ("unused", None)
        seen["refunded whole" if whole else "refunded in part"] += 1

    @rule(long=st.booleans())
    def wait(self, long: bool) -> None:
        self.mall.clock.advance(2 * DAY if long else HOUR)
        self.run(self.mall.dispatcher.drain())
        for known in self.known:
            if known.state == "unpaid":
                known.state = "closed"
                self.on[known.coupon.id] = ("unused", None)
                seen["ran out of time"] += 1

    @invariant()
    def coupons_are_as_modelled(self) -> None:
        for coupon_id, wanted in self.on.items():
            row = self.run(row_of(self.mall, self.rows[coupon_id]))
            assert (row.state, row.order_id) == wanted

    def teardown(self) -> None:
        self.run(self.mall.dispatcher.drain())  # stock follows an order's end a moment later
        for known in self.known:
            assert self.run(self.mall.one(known.order)).payment_state == known.state
        assert len(self.run(self.mall.refunds())) == self.refunds
        if not any(known.whole for known in self.known):  # a whole refund is told by after-sale, which is not here
            self.run(self.mall.assert_clean())


@pytest.fixture(scope="module", autouse=True)
def ground(mongo_uri: str) -> Iterator[None]:
    """One database and one event loop for every run of the machine."""
    with asyncio.Runner() as runner:
        db = Database.connect(MongoSettings(uri=mongo_uri, prefix=f"t{os.getpid()}q"))
        runner.run(db.create_indexes(mongo.declared))
        CouponMachine.runner, CouponMachine.db = runner, db
        yield
        runner.run(db.drop())
        runner.run(db.close())


def test_a_walk_through_every_corner_of_the_model() -> None:
    # req 5.4, 12.8, 16.1, 16.2, 16.3, 16.6, X9
    seen.clear()
    walk = CouponMachine()
    first, second, third = walk.claim(0), walk.claim(0), walk.claim(1)
    walk.claim(0)
    given_up, paid = walk.buy(first), walk.buy(second)
    walk.buy(first)
    walk.cancel(given_up)
    walk.pay(given_up, twice=True)
    walk.pay(paid, twice=True)
    walk.buy(second)
    walk.cancel(paid)
    walk.refund(paid, whole=False, twice=False)
    walk.coupons_are_as_modelled()
    late = walk.buy(third)
    walk.wait(long=False)
    other = walk.buy(third)
    walk.pay(late, twice=False)
    walk.coupons_are_as_modelled()
    walk.wait(long=True)
    walk.buy(third)
    walk.pay(late, twice=False)
    walk.pay(other, twice=False)
    walk.pay(late, twice=False)
    for who in (1, 2, 2):
        walk.claim(who)
    walk.claim(3)
    again = walk.buy(list(walk.rows.values())[-1])
    walk.pay(again, twice=False)
    walk.refund(paid, whole=True, twice=True)
    walk.coupons_are_as_modelled()
    walk.teardown()
    assert seen.keys() == {
        "enough", "gone", "refused: held", "refused: used", "refused: expired", "cancelled", "ran out of time",
        "unpaid to paid", "closed to paid past its end", "given back while closed", "given back while paid",
        "refunded in part", "refunded whole",
    }  # fmt: skip


def test_coupons_follow_the_model() -> None:
    # req 5.4, 12.8, 16.1, 16.2, 16.3, 16.6
    seen.clear()
    run_state_machine_as_test(
        CouponMachine,
        settings=settings(
            max_examples=20,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
    assert seen
