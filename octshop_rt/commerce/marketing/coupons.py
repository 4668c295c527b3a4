"""What orders do with coupons: judge them beside a basket, hold, spend, give back, take again for late money."""

from __future__ import annotations

from collections.abc import Sequence

from octshop_rt.commerce.marketing import rules, store
from octshop_rt.commerce.marketing.model import Coupon, CouponOff, CouponState, Item, Judged, Step
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.errors import Busy, NotFound
from octshop_rt.core.mongo import Database, Transaction
from octshop_rt.events import OrderRefunded

MOST_IN_HAND = 200  # coupons that one checkout speaks of
SYSTEM = "system"


class Coupons:
    """Coupons beside orders. Every step runs in the transaction of the order's own step, so that the two agree."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def beside(
        self, buyer_id: str, items: Sequence[Item], coupon_ids: Sequence[str] | None
    ) -> tuple[list[Judged], list[Judged]]:
        """All coupons that a checkout of `items` may speak of, judged, and those it takes.

        `coupon_ids` None takes the best of each shop (16.3); otherwise exactly these. CouponUnusable if one of them
        cannot be used, NotFound if one is not this buyer's.
        """
        now = self._clock.now()
        shop_ids = sorted({item.shop_id for item in items})
        rows = {row.id: row for row in await store.in_hand(self._db, buyer_id, shop_ids, now, MOST_IN_HAND)}
        asked = [one for one in coupon_ids or () if one not in rows]
        further = await store.by_ids(self._db, buyer_id, asked) if asked else []
        if len(further) != len(set(asked)):
            raise NotFound
        judged = [rules.judge(row, items, now) for row in (*rows.values(), *further)]
        if coupon_ids is None:
            return judged, rules.best(judged)
        return judged, rules.chosen(judged, coupon_ids, shop_ids)

    async def hold(self, tx: Transaction, buyer_id: str, order_id: str, coupon_id: str) -> None:
        """Set a coupon aside for an unpaid order. CouponUnusable, which the caller's transaction must not survive."""
        now = self._clock.now()
        rows = await store.by_ids(tx, buyer_id, [coupon_id])
        if not rows:
            raise NotFound
        stands = rules.standing(rows[0], now)
        if stands != "usable":
            raise rules.unusable(stands, coupon_id)
        await self._step(tx, rows[0], CouponState.HELD, by=buyer_id, reason="checkout", order_id=order_id, at=now)

    async def spend(self, tx: Transaction, buyer_id: str, order_id: str, *, at: Millis, by: str) -> None:
        """The order that holds it is paid."""
        row = await store.of_order(tx, buyer_id, order_id)
        assert row is not None, "an unpaid order holds its coupon"
        await self._step(tx, row, CouponState.USED, by=by, reason="paid", order_id=order_id, at=at)

    async def give_back(
        self, tx: Transaction, buyer_id: str, order_id: str, *, at: Millis, by: str, reason: str
    ) -> None:
        """The order has ended unpaid or was wholly refunded: the coupon is unused again, and keeps its own end.

        Nothing to do when it is back already.
        """
        row = await store.of_order(tx, buyer_id, order_id)
        if row is not None:
            await self._step(tx, row, CouponState.UNUSED, by=by, reason=reason, order_id=None, at=at)

    async def on_order_refunded(self, tx: Transaction, event: OrderRefunded) -> None:
        """The whole order was refunded: its coupon is in hand again until its own end (12.8, 16.6).

        A part alone returns nothing: what was discounted is deducted from the refund, not restored (X10).
        """
        if event.whole:
            await self.give_back(
                tx, event.buyer_id, event.order_id, at=event.refunded_at, by=SYSTEM,
                reason=f"refunded: {event.aftersale_id}",
            )  # fmt: skip

    async def can_take_again(self, tx: Transaction, buyer_id: str, coupon_id: str) -> bool:
        """Whether a closed order's coupon is still unused.

        Its end does not matter here: the buyer chose it, and began to pay, while it was good.
        """
        rows = await store.by_ids(tx, buyer_id, [coupon_id])
        return bool(rows) and rows[0].state is CouponState.UNUSED

    async def take_again(self, tx: Transaction, buyer_id: str, order_id: str, coupon_id: str, *, at: Millis) -> None:
        """A closed order was paid after all: hold the coupon for it again. The caller has seen that it can be had."""
        (row,) = await store.by_ids(tx, buyer_id, [coupon_id])
        await self._step(tx, row, CouponState.HELD, by=SYSTEM, reason="paid late", order_id=order_id, at=at)

    async def _step(
        self,
        tx: Transaction,
        row: Coupon,
        after: CouponState,
        *,
        by: str,
        reason: str,
        order_id: str | None,
        at: Millis,
    ) -> None:
        step = Step(at=at, by=by, before=row.state, after=after, reason=reason)
        if not await store.move(tx, row, step, order_id):
            raise Busy


def taken(picked: Sequence[Judged]) -> dict[str, CouponOff]:
    """By shop, what each order keeps of its coupon."""
    return {one.coupon.shop_id: rules.kept(one) for one in picked}
