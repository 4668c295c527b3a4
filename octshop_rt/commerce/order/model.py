"""Shapes of orders: the order with its lines and axes, the group of one checkout, and the refusals."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.commerce.catalog.model import Fulfilment, Picture
from octshop_rt.commerce.marketing.model import CouponOff
from octshop_rt.commerce.pricing.model import Allocation, Quantity, UnitFen
from octshop_rt.commerce.shop.policy import Policy
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.money import Fen
from octshop_rt.core.statemachine import Life
from octshop_rt.events import PaymentPart

MOST_LINES = 50
SYSTEM = "system"


class PaymentState(StrEnum):
    """Whether the money is there. A closed order may still be paid late and stand again."""

    UNPAID = "unpaid"
    PAID = "paid"
    CLOSED = "closed"


class FulfilmentState(StrEnum):
    """How much of it the buyer has had."""

    NONE = "none"
    TO_USE = "to_use"
    PARTLY_USED = "partly_used"
    USED = "used"
    EXPIRED = "expired"


class AftersaleState(StrEnum):
    """What has been asked back."""

    NONE = "none"
    OPEN = "open"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"


PAYMENT = Life(
    "order.payment",
    {
        PaymentState.UNPAID: {PaymentState.PAID, PaymentState.CLOSED},
        PaymentState.CLOSED: {PaymentState.PAID},
        PaymentState.PAID: set(),
    },
)
FULFILMENT = Life(
    "order.fulfilment",
    {
        FulfilmentState.NONE: {FulfilmentState.TO_USE},
        FulfilmentState.TO_USE: {FulfilmentState.PARTLY_USED, FulfilmentState.USED, FulfilmentState.EXPIRED},
        FulfilmentState.PARTLY_USED: {FulfilmentState.USED, FulfilmentState.EXPIRED},
        FulfilmentState.USED: set(),
        FulfilmentState.EXPIRED: set(),
    },
)
AFTERSALE = Life(
    "order.aftersale",
    {
        AftersaleState.NONE: {AftersaleState.OPEN},
        AftersaleState.OPEN: {AftersaleState.NONE, AftersaleState.PARTLY_REFUNDED, AftersaleState.REFUNDED},
        AftersaleState.PARTLY_REFUNDED: {AftersaleState.OPEN},
        AftersaleState.REFUNDED: set(),
    },
)


class State(StrEnum):
    """What a person sees: a projection of the three axes, kept beside them for lists."""

    UNPAID = "unpaid"
    TO_USE = "to_use"
    PARTLY_USED = "partly_used"
    DONE = "done"
    EXPIRED = "expired"
    CLOSED = "closed"
    AFTERSALE = "aftersale"
    REFUNDED = "refunded"


Axis = Literal["payment", "fulfilment", "aftersale"]
CloseReason = Literal["timeout", "buyer"]


class Transition(Struct, frozen=True, kw_only=True):
    """One step of one axis: when, by whom, from, to, why (2.3.2). The first row's `before` is empty."""

    at: Millis
    by: str
    axis: Axis
    before: str
    after: str
    reason: str


class OrderLine(Struct, frozen=True, kw_only=True):
    """One SKU of an order, as it was bought (M4). `payable_fen` is its allocated share of the price."""

    id: str
    sku_id: str
    product_id: str
    title: str
    spec: dict[str, str]
    picture: Picture
    quantity: Quantity
    unit_price_fen: UnitFen
    list_fen: Fen
    discount_fen: Fen
    payable_fen: Fen
    allocations: tuple[Allocation, ...]
    uses_each: int
    uses_done: int = 0
    uses_refunded: int = 0
    valid_days: int
    refundable: bool
    branch_ids: tuple[str, ...] = ()

    @property
    def uses_total(self) -> int:
        """Uses of all its pieces."""
        return self.quantity * self.uses_each


class Order(Struct, frozen=True, kw_only=True):
    """One shop's part of a checkout. Sum of its lines' payable_fen + freight_fen = payable_fen."""

    id: str
    group_id: str
    buyer_id: str
    buyer_masked: str
    merchant_id: str
    shop_id: str
    shop_name: str
    branch_id: str | None = None
    fulfilment: Fulfilment
    memo: str
    lines: tuple[OrderLine, ...]
    goods_fen: Fen
    discount_fen: Fen
    freight_fen: Fen
    freight_rule: str
    payable_fen: Fen
    coupon: CouponOff | None = None
    quote_hash: str
    policy: Policy
    payment_state: PaymentState
    fulfilment_state: FulfilmentState
    aftersale_state: AftersaleState
    state: State
    created_at: Millis
    pay_until: Millis
    paid_at: Millis | None = None
    payment_id: str | None = None
    closed_at: Millis | None = None
    close_reason: CloseReason | None = None
    refunded_fen: Fen = 0  # what after-sale cases have given back
    history: tuple[Transition, ...]


class OrderGroup(Struct, frozen=True, kw_only=True):
    """One checkout: the orders it made, one per shop, and the request that made it, for ever.

    `fingerprint` tells the same request again from another one under the same id.
    """

    id: str
    buyer_id: str
    request_id: str
    fingerprint: str
    order_ids: tuple[str, ...]
    payable_fen: Fen
    created_at: Millis


class WantedLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a buyer asks for."""

    sku_id: Annotated[str, Meta(min_length=1, max_length=64)]
    quantity: Annotated[int, Meta(ge=1, le=999)]


CouponIds = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...], Meta(max_length=MOST_LINES)]


class Checkedout(Struct, frozen=True, kw_only=True):
    """The answer to a checkout, the same for every retry."""

    group: OrderGroup
    orders: tuple[Order, ...]


class Payable(Struct, frozen=True, kw_only=True):
    """What a payment is to be opened for, until when, and in which words."""

    parts: tuple[PaymentPart, ...]
    until: Millis
    description: str


class PriceChanged(DomainError):
    """The price is not the one the buyer agreed to; the new one comes along."""

    code = "order.price_changed"
    status = 409
    zh = "价格有变动，请确认新的金额后重新提交"
    en = "The price has changed; confirm the new amount and submit again"


class OwnShop(DomainError):
    """Nobody buys at a shop they work for (17.16)."""

    code = "order.own_shop"
    status = 403
    zh = "不能购买自己店铺的商品"
    en = "You cannot buy from your own shop"


class TooManyUnpaid(DomainError):
    """Unpaid orders hold stock, so a buyer may have only so many."""

    code = "order.too_many_unpaid"
    status = 409
    zh = "您有 {count} 笔待付款订单，请先付款或取消"
    en = "You have {count} unpaid orders; pay or cancel some first"


class NotPayable(DomainError):
    """Paid already, closed, or its time to pay is over."""

    code = "order.not_payable"
    status = 409
    zh = "订单当前状态为“{label_zh}”，不能付款"
    en = "The order cannot be paid: {label_en}"


class NotCancellable(DomainError):
    """Only unpaid orders are cancelled; a paid one is refunded."""

    code = "order.not_cancellable"
    status = 409
    zh = "订单当前状态为“{label_zh}”，不能取消"
    en = "The order cannot be cancelled: {label_en}"


class NothingToPay(DomainError):
    """The orders cost nothing, so no channel is asked."""

    code = "order.nothing_to_pay"
    status = 409
    zh = "该订单无需付款"
    en = "There is nothing to pay for this order"
