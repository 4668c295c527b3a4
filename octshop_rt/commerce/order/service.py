"""Use cases of orders for people: quote, checkout, cancel, look, and what a payment may be opened for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from octshop_rt.commerce.catalog.model import Fulfilment
from octshop_rt.commerce.catalog.service import CatalogService
from octshop_rt.commerce.inventory.service import InventoryService
from octshop_rt.commerce.marketing.coupons import Coupons, taken
from octshop_rt.commerce.order import rules, store, views
from octshop_rt.commerce.order.closing import close, settle_free
from octshop_rt.commerce.order.model import (
    Checkedout,
    NotCancellable,
    NothingToPay,
    NotPayable,
    Order,
    OrderGroup,
    OwnShop,
    Payable,
    PaymentState,
    PriceChanged,
    State,
    TooManyUnpaid,
    WantedLine,
)
from octshop_rt.commerce.pricing.model import Quote
from octshop_rt.commerce.shop.service import ShopService
from octshop_rt.core.auth.model import Buyer, ShopStaff
from octshop_rt.core.clock import MINUTE, Clock
from octshop_rt.core.errors import DomainError, NotFound, RequestConflict
from octshop_rt.core.ids import Ids
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import OrderUnpaid

PAGE = 20
# The order's own end comes after its payments': each of those asks the channel before it closes, so money that is on
# its way is found first. What is still in doubt then is put right when it arrives (handlers.py).
GRACE_MS = 2 * MINUTE


class OrderService:
    """Orders of buyers. `works_at(person)` names the shops a person works for; `masked(person)` hides a phone."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        ids: Ids,
        outbox: Outbox,
        catalog: CatalogService,
        inventory: InventoryService,
        shops: ShopService,
        coupons: Coupons,
        *,
        works_at: Callable[[str], Awaitable[frozenset[str]]],
        masked: Callable[[str], Awaitable[str]],
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._outbox = outbox
        self._catalog = catalog
        self._inventory = inventory
        self._shops = shops
        self._coupons = coupons
        self._works_at = works_at
        self._masked = masked

    async def quote(self, lines: Sequence[WantedLine], fulfilment: Fulfilment) -> tuple[Quote, rules.Basket]:
        """Price lines without promising stock. NotFound, NotOnSale, CannotFulfil, NotCertified, ShopClosed refuse."""
        basket = await self._basket(lines, fulfilment)
        return rules.price(basket), basket

    async def quote_for(
        self, buyer: Buyer, lines: Sequence[WantedLine], fulfilment: Fulfilment, coupon_ids: Sequence[str] | None
    ) -> rules.Priced:
        """The same with this buyer's coupons: exactly these, or (None) the best one of each shop (16.3).

        CouponUnusable besides.
        """
        basket = await self._basket(lines, fulfilment)
        judged, picked = await self._coupons.beside(buyer.person_id, rules.items(basket), coupon_ids)
        return rules.Priced(basket=basket, quote=rules.price(basket, picked), picked=picked, judged=judged)

    async def checkout(
        self,
        buyer: Buyer,
        *,
        request_id: str,
        lines: Sequence[WantedLine],
        fulfilment: Fulfilment,
        memo: str,
        expected_payable_fen: Fen,
        coupon_ids: Sequence[str] = (),
        quote_hash: str | None = None,
    ) -> Checkedout:
        """Make one unpaid order per shop, set the stock aside and hold the coupons: all of it or nothing.

        The same request again gives the same orders; another one under the same id is RequestConflict. `quote_hash`
        holds the buyer's agreement to the very quote, coupons and shares included. Besides the refusals of
        `quote_for`: PriceChanged, OutOfStock, OwnShop, TooManyUnpaid.
        """
        print_ = rules.fingerprint(lines, fulfilment, memo, expected_payable_fen, coupon_ids)
        if (before := await self._before(buyer, request_id, print_)) is not None:
            return before
        try:
            priced = await self.quote_for(buyer, lines, fulfilment, coupon_ids)
            _as_agreed(priced.quote, expected_payable_fen, quote_hash)
            orders, group = await self._draft(buyer, priced, memo, request_id, print_)
            await self._make(buyer, priced.basket, orders, group)
        except (DuplicateKey, DomainError):
            # The same request may have been faster, and hold the coupon or the last piece: its answer is the answer.
            if (made := await self._before(buyer, request_id, print_)) is not None:
                return made
            raise
        if all(order.payable_fen for order in orders):
            return Checkedout(group=group, orders=orders)
        made = await self._before(buyer, request_id, print_)
        assert made is not None, "a committed checkout has its group"
        return made

    async def cancel(self, buyer: Buyer, order_id: str, reason: str) -> Order:
        """Close an unpaid order; its stock is back a moment later. Cancelling it again gives the same answer."""
        await self.of(buyer, order_id)
        now = self._clock.now()

        async def work(tx: Transaction) -> None:
            fresh = await store.one(tx, order_id)
            if fresh is None:
                raise NotFound
            if fresh.payment_state is PaymentState.CLOSED:
                return
            if fresh.payment_state is not PaymentState.UNPAID:
                raise NotCancellable(**views.label_data(fresh))
            step = close(fresh, at=now, by=buyer.person_id, close_reason="buyer", words=reason)
            await step.run(tx, self._coupons, self._outbox)

        await self._db.transact(work)
        return await self.of(buyer, order_id)

    async def of(self, buyer: Buyer, order_id: str) -> Order:
        """An order of this buyer; NotFound otherwise."""
        found = await store.by_ids(self._db, buyer.person_id, [order_id])
        if not found:
            raise NotFound
        return found[0]

    async def bought(self, buyer_id: str, order_id: str) -> Order | None:
        """An order of this buyer, for those who ask on somebody's behalf and judge the rest themselves."""
        found = await store.by_ids(self._db, buyer_id, [order_id])
        return found[0] if found else None

    async def of_buyer(
        self, buyer: Buyer, *, states: Sequence[State], cursor: str | None
    ) -> tuple[list[Order], str | None]:
        """A page of a buyer's orders, newest first, and the next cursor."""
        rows = await store.of_buyer(self._db, buyer.person_id, states, cursor, PAGE + 1)
        return _page(rows)

    async def of_shop(
        self, staff: ShopStaff, *, buyer_id: str | None, cursor: str | None
    ) -> tuple[list[Order], str | None]:
        """A page of the shop's orders, newest first, of one buyer if asked so."""
        rows = await store.of_shop(self._db, staff.shop_id, buyer_id, cursor, PAGE + 1)
        return _page(rows)

    async def count_of(self, staff: ShopStaff, buyer_id: str) -> int:
        """How many orders a buyer has made at the shop."""
        return await self.made_at(staff.shop_id, buyer_id)

    async def made_at(self, shop_id: str, buyer_id: str) -> int:
        """The same, for the house itself: how good a customer the buyer is."""
        return await store.count_of_buyer_at_shop(self._db, shop_id, buyer_id)

    async def payable(self, buyer: Buyer, order_ids: Sequence[str]) -> Payable:
        """What one payment for these orders is made of.

        NotFound if any is not this buyer's, NotPayable if any is closed or out of time, NothingToPay if they cost
        nothing. A paid one passes: the payment domain tells a repeated wish from a second payment.
        """
        orders = await store.by_ids(self._db, buyer.person_id, order_ids)
        if not orders or len(orders) != len(set(order_ids)):
            raise NotFound
        now = self._clock.now()
        for order in orders:
            late = order.payment_state is PaymentState.UNPAID and now >= order.pay_until
            if late or order.payment_state is PaymentState.CLOSED:
                raise NotPayable(**views.label_data(order))
        parts = rules.parts_of(orders)
        if not parts:
            raise NothingToPay
        return Payable(
            parts=parts,
            until=min(order.pay_until for order in orders),
            description=rules.description_of(orders),
        )

    async def _basket(self, lines: Sequence[WantedLine], fulfilment: Fulfilment) -> rules.Basket:
        wanted = rules.merge(lines)
        offers = await self._catalog.offers([want.sku_id for want in wanted])
        shops = await self._shops.shops({offer.product.shop_id for offer in offers.values()})
        basket = rules.Basket(wanted=wanted, fulfilment=fulfilment, offers=offers, shops=shops)
        rules.check(basket)
        return basket

    async def _draft(
        self, buyer: Buyer, priced: rules.Priced, memo: str, request_id: str, print_: str
    ) -> tuple[tuple[Order, ...], OrderGroup]:
        quoted, basket = priced.quote, priced.basket
        parts = [part.part for part in quoted.parts]
        own_shops, masked, unpaid = await asyncio.gather(
            self._works_at(buyer.person_id),
            self._masked(buyer.person_id),
            store.count_unpaid(self._db, buyer.person_id),
        )
        policies = {shop_id: await self._shops.policy(shop_id) for shop_id in parts}
        if not own_shops.isdisjoint(parts):
            raise OwnShop
        if unpaid + len(parts) > min(policy.unpaid_orders_max for policy in policies.values()):
            raise TooManyUnpaid(count=unpaid)
        birth = rules.Birth(
            group_id=self._ids.new("Z"),
            order_ids={shop_id: self._ids.new("O") for shop_id in parts},
            line_ids={want.sku_id: self._ids.new("L") for want in basket.wanted},
            buyer_id=buyer.person_id,
            buyer_masked=masked,
            memo=memo,
            now=self._clock.now(),
            policies=policies,
            coupons=taken(priced.picked),
        )
        orders = rules.draft(basket, quoted, birth)
        group = OrderGroup(
            id=birth.group_id,
            buyer_id=buyer.person_id,
            request_id=request_id,
            fingerprint=print_,
            order_ids=tuple(order.id for order in orders),
            payable_fen=quoted.payable_fen,
            created_at=birth.now,
        )
        return orders, group

    async def _make(self, buyer: Buyer, basket: rules.Basket, orders: Sequence[Order], group: OrderGroup) -> None:
        """All of a checkout or nothing. DuplicateKey if the same request was faster."""
        await self._inventory.glance(basket.wanted)

        async def work(tx: Transaction) -> None:
            await store.add_group(tx, group)
            for order in orders:
                await self._inventory.reserve(tx, order.id, rules.wants_of(order))
                if order.coupon is not None:
                    await self._coupons.hold(tx, buyer.person_id, order.id, order.coupon.id)
            await store.add_orders(tx, orders)
            for order in orders:
                if order.payable_fen == 0:
                    await settle_free(tx, order, self._inventory, self._coupons, self._outbox)
                else:
                    due_at = order.pay_until + GRACE_MS
                    await self._outbox.write(tx, OrderUnpaid(order_id=order.id), due_at=due_at)

        async with self._inventory.in_turn(basket.wanted):
            await self._db.transact(work)

    async def _before(self, buyer: Buyer, request_id: str, print_: str) -> Checkedout | None:
        group = await store.group_by_request(self._db, buyer.person_id, request_id)
        if group is None:
            return None
        if group.fingerprint != print_:
            raise RequestConflict
        orders = {order.id: order for order in await store.by_ids(self._db, buyer.person_id, group.order_ids)}
        return Checkedout(group=group, orders=tuple(orders[order_id] for order_id in group.order_ids))


def _as_agreed(quoted: Quote, expected_fen: Fen, quote_hash: str | None) -> None:
    if quoted.payable_fen != expected_fen or quote_hash not in {None, quoted.quote_hash}:
        raise PriceChanged(payable_fen=quoted.payable_fen, expected_fen=expected_fen)


def _page(rows: list[Order]) -> tuple[list[Order], str | None]:
    return rows[:PAGE], rows[PAGE - 1].id if len(rows) > PAGE else None
