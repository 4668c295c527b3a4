"""A buyer's orders: buy, look, cancel."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.commerce.api.buyer_goods import QUOTE_REFUSALS, WantedLines
from octshop_rt.commerce.api.buyer_shops import Cursor
from octshop_rt.commerce.catalog.model import Fulfilment
from octshop_rt.commerce.inventory.model import OutOfStock
from octshop_rt.commerce.marketing.model import CouponUnusable
from octshop_rt.commerce.order.model import CouponIds, NotCancellable, OwnShop, PriceChanged, State, TooManyUnpaid
from octshop_rt.commerce.order.service import OrderService
from octshop_rt.commerce.order.views import OrderView, view
from octshop_rt.core.auth.model import BUYER, Buyer
from octshop_rt.core.clock import MINUTE
from octshop_rt.core.errors import RequestConflict
from octshop_rt.core.http.routes import Call, Limit, Route
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.core.money import Fen

Memo = Annotated[str, Meta(max_length=200)]
Reason = Annotated[str, Meta(max_length=100)]
QuoteHash = Annotated[str, Meta(min_length=32, max_length=32, pattern=r"^[0-9a-f]+$(?!\n)")]
Tab = Literal["unpaid", "to_use", "done", "closed"]

CHECKOUTS = Limit(name="order.checkout", burst=30, per_ms=MINUTE)
TABS: dict[Tab, tuple[State, ...]] = {
    "unpaid": (State.UNPAID,),
    "to_use": (State.TO_USE, State.PARTLY_USED, State.AFTERSALE),
    "done": (State.DONE, State.EXPIRED),
    "closed": (State.CLOSED, State.REFUNDED),
}


class Checkout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Buy these lines with exactly these coupons for exactly `expected_payable_fen`; with `quote_hash`: as quoted."""

    request_id: RequestId
    lines: WantedLines
    fulfilment: Fulfilment
    memo: Memo = ""
    expected_payable_fen: Fen
    coupon_ids: CouponIds = ()
    quote_hash: QuoteHash | None = None


class CheckoutAnswer(Struct, frozen=True, kw_only=True):
    """One order per shop, paid together."""

    group_id: Id
    orders: list[OrderView]
    payable_fen: Fen


class Cancel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why, if the buyer cares to say."""

    request_id: RequestId
    reason: Reason = ""


class OrdersQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`state` is a tab of the page; none: all."""

    state: Tab | None = None
    cursor: Cursor | None = None


class Orders(Struct, frozen=True, kw_only=True):
    """One page of orders, newest first."""

    items: list[OrderView]
    next: str | None


class BuyerOrders:
    """For signed-in buyers, their own orders only."""

    def __init__(self, orders: OrderService) -> None:
        self._orders = orders

    def routes(self) -> list[Route]:
        """Below /buyer/orders."""
        return [
            Route(
                "POST",
                "/buyer/orders",
                self.checkout,
                permission=BUYER,
                body=Checkout,
                answer=CheckoutAnswer,
                status=201,
                errors=(
                    *QUOTE_REFUSALS,
                    PriceChanged,
                    OutOfStock,
                    OwnShop,
                    TooManyUnpaid,
                    CouponUnusable,
                    RequestConflict,
                ),
                summary="Buy: one order per shop, stock set aside until paid",
                limit=CHECKOUTS,
            ),
            Route(
                "GET",
                "/buyer/orders",
                self.orders,
                permission=BUYER,
                query=OrdersQuery,
                answer=Orders,
                summary="Own orders, newest first",
            ),
            Route(
                "GET",
                "/buyer/orders/{order_id}",
                self.order,
                permission=BUYER,
                answer=OrderView,
                summary="One of one's own orders",
            ),
            Route(
                "POST",
                "/buyer/orders/{order_id}/cancel",
                self.cancel,
                permission=BUYER,
                body=Cancel,
                answer=OrderView,
                errors=(NotCancellable,),
                summary="Cancel an unpaid order; its stock is free again",
            ),
        ]

    async def checkout(self, call: Call[Buyer], body: Checkout) -> CheckoutAnswer:
        made = await self._orders.checkout(
            call.who,
            request_id=body.request_id,
            lines=body.lines,
            fulfilment=body.fulfilment,
            memo=body.memo,
            expected_payable_fen=body.expected_payable_fen,
            coupon_ids=body.coupon_ids,
            quote_hash=body.quote_hash,
        )
        return CheckoutAnswer(
            group_id=made.group.id,
            orders=[view(order, call.lang) for order in made.orders],
            payable_fen=made.group.payable_fen,
        )

    async def orders(self, call: Call[Buyer]) -> Orders:
        asked: OrdersQuery = call.query
        states = () if asked.state is None else TABS[asked.state]
        rows, following = await self._orders.of_buyer(call.who, states=states, cursor=asked.cursor)
        return Orders(items=[view(order, call.lang) for order in rows], next=following)

    async def order(self, call: Call[Buyer]) -> OrderView:
        return view(await self._orders.of(call.who, call.path["order_id"]), call.lang)

    async def cancel(self, call: Call[Buyer], body: Cancel) -> OrderView:
        return view(await self._orders.cancel(call.who, call.path["order_id"], body.reason), call.lang)
