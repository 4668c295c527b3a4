"""A small mall: one certified shop with goods in stock, buyers, and a dispatcher that delivers orders' events."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import pytest

from octshop_rt.commerce.catalog.model import Fulfilment, Listing, Picture, Product, Sku, Spec, VoucherTerms
from octshop_rt.commerce.catalog.service import CatalogService
from octshop_rt.commerce.inventory.checks import CHECKS as STOCK_CHECKS
from octshop_rt.commerce.inventory.model import Stock
from octshop_rt.commerce.inventory.service import InventoryService
from octshop_rt.commerce.marketing.checks import CHECKS as MARKETING_CHECKS
from octshop_rt.commerce.marketing.coupons import Coupons
from octshop_rt.commerce.marketing.service import Marketing
from octshop_rt.commerce.order.checks import CHECKS as ORDER_CHECKS
from octshop_rt.commerce.order.handlers import OrderHandlers
from octshop_rt.commerce.order.model import Checkedout, Order, WantedLine
from octshop_rt.commerce.order.rules import scope_of, subject_of
from octshop_rt.commerce.order.service import OrderService
from octshop_rt.commerce.order.stock import OrderStock
from octshop_rt.commerce.shop.geo import point, to_gcj
from octshop_rt.commerce.shop.model import Certification, Merchant, Shop, ShopPicture
from octshop_rt.commerce.shop.service import ShopService
from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import TestClock
from octshop_rt.core.dispatcher import Dispatcher, Subscription
from octshop_rt.core.errors import Busy, UnknownOutcome
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction
from octshop_rt.core.outbox import ROWS, Event, Outbox
from octshop_rt.events import (
    OrderClosed,
    OrderPaid,
    OrderRefunded,
    OrderUnpaid,
    PaymentPart,
    PaymentSucceeded,
    RefundDue,
    VoucherUsed,
)


class Mall:
    """Services on one database and clock, with shortcuts that tests read like sentences."""

    def __init__(self, db: Database, clock: TestClock) -> None:
        self.db = db
        self.clock = clock
        self.ids = Ids(clock)
        self.outbox = Outbox(clock, self.ids)
        self.shops = ShopService(db, clock, self.ids)
        self.catalog = CatalogService(db)
        self.inventory = InventoryService(db)
        self.coupons = Coupons(db, clock)
        self.marketing = Marketing(db, clock, self.ids, self.catalog)
        self.staff: dict[str, frozenset[str]] = {}
        self.orders = OrderService(
            db,
            clock,
            self.ids,
            self.outbox,
            self.catalog,
            self.inventory,
            self.shops,
            self.coupons,
            works_at=self._works_at,
            masked=self._masked,
        )
        self.paid: set[tuple[str, int]] = set()
        self.handlers = OrderHandlers(clock, self.outbox, self.inventory, self.coupons, self._has_paid)
        self.order_stock = OrderStock(db, self.inventory)
        self.dispatcher = Dispatcher(
            db,
            clock,
            LocalBus(),
            [
                Subscription(event=OrderUnpaid, name="order.unpaid", run=self.handlers.on_order_unpaid),
                Subscription(event=PaymentSucceeded, name="order.paid", run=self.handlers.on_payment_succeeded),
                Subscription(event=OrderRefunded, name="marketing.back", run=self.coupons.on_order_refunded),
                Subscription(event=VoucherUsed, name="order.used", run=self.handlers.on_voucher_used),
                Subscription(event=OrderPaid, name="order.stock", run=self.order_stock.on_order_paid, kind="job"),
                Subscription(event=OrderClosed, name="order.stock", run=self.order_stock.on_order_closed, kind="job"),
            ],
            owner=self.ids.new("Z"),
        )

    async def _works_at(self, person_id: str) -> frozenset[str]:
        return self.staff.get(person_id, frozenset())

    async def _has_paid(self, tx: Transaction, subject: str, amount_fen: int) -> bool:
        return (subject, amount_fen) in self.paid

    async def _masked(self, person_id: str) -> str:
        return "138****0001"

    def buyer(self) -> Buyer:
        return Buyer(session_id=self.ids.new("N"), person_id=self.ids.new("U"), device_id="test")

    async def open_shop(self, name: str = "豆芽咖啡", *, certified: bool = True) -> Shop:
        merchant = Merchant(id=self.ids.new("M"), name="八爪鱼生活", self_run=False, created_at=self.clock.now())
        place = point(120.155, 30.274)
        shop = Shop(
            id=self.ids.new("S"),
            merchant_id=merchant.id,
            name=name,
            city="杭州",
            certification=Certification.CERTIFIED if certified else Certification.NONE,
            self_run=False,
            open=True,
            address="西湖区武林路 1 号",
            point=place,
            gcj=to_gcj(place),
            hours="09:00-21:00",
            phone="0571-88880000",
            notice="",
            score_tenths=48,
            picture=ShopPicture(seed=name, hue=20),
            created_at=self.clock.now(),
        )
        await self.shops.add(merchant, shop, [], [])
        return shop

    async def put_on_sale(
        self, shop: Shop, *, title: str = "拿铁", price_fen: int = 1990, stock: int = 10, uses_each: int = 1
    ) -> list[Sku]:
        product_id = self.ids.new("G")
        skus = [
            Sku(id=self.ids.new("K"), product_id=product_id, shop_id=shop.id, spec={"杯型": cup}, price_fen=fen)
            for cup, fen in (("中杯", price_fen), ("大杯", price_fen + 300))
        ]
        product = Product(
            id=product_id,
            shop_id=shop.id,
            merchant_id=shop.merchant_id,
            title=title,
            subtitle="",
            description="",
            tags=("咖啡",),
            picture=Picture(seed=title, hue=30),
            specs=(Spec(name="杯型", values=("中杯", "大杯")),),
            fulfilments=(Fulfilment.IN_STORE,),
            voucher=VoucherTerms(uses_each=uses_each),
            refundable=True,
            price_fen=price_fen,
            listing=Listing.LISTED,
            created_at=self.clock.now(),
        )
        await self.catalog.publish(product, skus)
        for sku in skus:
            await self.inventory.add(
                Stock(id=sku.id, product_id=product_id, shop_id=shop.id, total=stock, available=stock)
            )
        return skus

    async def buy(
        self,
        buyer: Buyer,
        wanted: Sequence[tuple[Sku, int]],
        *,
        request_id: str | None = None,
        expected_payable_fen: int | None = None,
        memo: str = "",
        coupon_ids: Sequence[str] = (),
        quote_hash: str | None = None,
    ) -> Checkedout:
        due_fen = sum(sku.price_fen * count for sku, count in wanted)
        return await self.orders.checkout(
            buyer,
            request_id=request_id or self.ids.new("Z"),
            lines=[WantedLine(sku_id=sku.id, quantity=count) for sku, count in wanted],
            fulfilment=Fulfilment.IN_STORE,
            memo=memo,
            expected_payable_fen=due_fen if expected_payable_fen is None else expected_payable_fen,
            coupon_ids=coupon_ids,
            quote_hash=quote_hash,
        )

    def succeeded(self, *orders: Order, amount_fen: int | None = None) -> PaymentSucceeded:
        """What the payment domain would say about these orders."""
        parts = tuple(
            PaymentPart(
                subject=subject_of(order.id),
                amount_fen=order.payable_fen if amount_fen is None else amount_fen,
                scope=scope_of(order),
            )
            for order in orders
        )
        return PaymentSucceeded(
            payment_id=self.ids.new("Y"),
            attempt_id=self.ids.new("A"),
            buyer_id=orders[0].buyer_id,
            channel="wechat",
            amount_fen=sum(part.amount_fen for part in parts),
            parts=parts,
            paid_at=self.clock.now(),
        )

    async def tell(self, *events: PaymentSucceeded | VoucherUsed | OrderUnpaid | OrderRefunded) -> None:
        """Write events as their domains would, and deliver all that is due."""
        for event in events:
            await self.write(event)
        await self.dispatcher.drain()

    async def write(self, event: Event) -> None:
        """Into the outbox once, however busy the machine is: its own id makes the retry safe."""
        event_id = self.ids.new("E")
        while True:
            try:
                await self.db.transact(lambda tx: self.outbox.write(tx, event, event_id=event_id))
            except DuplicateKey:
                return
            except (Busy, UnknownOutcome):
                continue
            return

    async def settle(self) -> None:
        """Deliver what was put back too; orders' own deadlines stay out of reach."""
        for _ in range(10):
            self.clock.advance(30_000)
            with contextlib.suppress(Busy, UnknownOutcome):  # a busy machine: the next round goes on
                await self.dispatcher.drain()

    async def one(self, order: Order) -> Order:
        who = Buyer(session_id="N", person_id=order.buyer_id, device_id="test")
        return await self.orders.of(who, order.id)

    async def stock(self, sku: Sku) -> tuple[int, int, int]:
        """available, reserved, sold."""
        row = (await self.inventory.of([sku.id]))[sku.id]
        return row.available, row.reserved, row.sold

    async def written(self, name: str) -> list[dict]:
        """Bodies of the outbox events of a type."""
        return [row.body for row in await ROWS.many(self.db, {}) if row.type == name]

    async def troubled(self) -> list[str]:
        """Errors of deliveries that had to be put back."""
        return [row.error for row in await ROWS.many(self.db, {"state": {"$in": ["waiting", "parked"]}}) if row.error]

    async def refunds(self) -> list[dict]:
        return await self.written(RefundDue.__name__)

    async def assert_clean(self) -> None:
        """Every invariant of orders and stock holds. F13 asks the wall clock, F14p asks for payments: both are tested
        apart, and by the flow tests."""
        here = [check for check in (*ORDER_CHECKS, *STOCK_CHECKS, *MARKETING_CHECKS) if check.id not in {"F13", "F14p"}]
        report = await examine(self.db, here)
        assert report.clean, report.findings


@pytest.fixture
def mall(db: Database, clock: TestClock) -> Mall:
    return Mall(db, clock)
