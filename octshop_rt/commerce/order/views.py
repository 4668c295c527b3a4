"""How a person sees an order, in their language. Pure."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.commerce.catalog.model import Picture
from octshop_rt.commerce.catalog.rules import spec_text
from octshop_rt.commerce.marketing.model import CouponOff
from octshop_rt.commerce.order.model import (
    AftersaleState,
    FulfilmentState,
    Order,
    OrderLine,
    PaymentState,
    State,
    Transition,
)
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import Lang
from octshop_rt.core.money import Fen

LABELS: dict[State, tuple[str, str]] = {
    State.UNPAID: ("待付款", "To pay"),
    State.TO_USE: ("待消费", "To use"),
    State.PARTLY_USED: ("部分使用", "Partly used"),
    State.DONE: ("已完成", "Completed"),
    State.EXPIRED: ("已过期", "Expired"),
    State.CLOSED: ("已关闭", "Closed"),
    State.AFTERSALE: ("售后处理中", "After-sale open"),
    State.REFUNDED: ("已退款", "Refunded"),
}
CANCELLED = ("已取消", "Cancelled")


class LineView(Struct, frozen=True, kw_only=True):
    """A line as shown."""

    id: str
    sku_id: str
    product_id: str
    title: str
    spec: dict[str, str]
    spec_text: str
    picture: Picture
    quantity: int
    unit_price_fen: Fen
    list_fen: Fen
    discount_fen: Fen
    payable_fen: Fen
    uses_total: int
    uses_done: int
    uses_refunded: int
    refundable: bool


class Moment(Struct, frozen=True, kw_only=True):
    """One entry of the order's story."""

    at: Millis
    text: str


class OrderView(Struct, frozen=True, kw_only=True):
    """An order as shown to its buyer and its shop."""

    id: str
    group_id: str
    shop_id: str
    shop_name: str
    buyer_id: str
    buyer_masked: str
    state: State
    payment_state: PaymentState
    fulfilment_state: FulfilmentState
    aftersale_state: AftersaleState
    label: str
    fulfilment: str
    memo: str
    lines: tuple[LineView, ...]
    goods_fen: Fen
    discount_fen: Fen
    freight_fen: Fen
    payable_fen: Fen
    coupon: CouponOff | None
    refunded_fen: Fen
    created_at: Millis
    pay_until: Millis
    paid_at: Millis | None
    timeline: tuple[Moment, ...]


def label(order: Order, lang: Lang) -> str:
    """The state in a word."""
    zh, en = CANCELLED if order.close_reason == "buyer" else LABELS[order.state]
    return zh if lang == "zh-CN" else en


def label_data(order: Order) -> dict[str, object]:
    """The label in both languages, for refusals that quote it."""
    return {"label_zh": label(order, "zh-CN"), "label_en": label(order, "en"), "state": str(order.state)}


def view(order: Order, lang: Lang) -> OrderView:
    """An order in a person's language."""
    return OrderView(
        id=order.id,
        group_id=order.group_id,
        shop_id=order.shop_id,
        shop_name=order.shop_name,
        buyer_id=order.buyer_id,
        buyer_masked=order.buyer_masked,
        state=order.state,
        payment_state=order.payment_state,
        fulfilment_state=order.fulfilment_state,
        aftersale_state=order.aftersale_state,
        label=label(order, lang),
        fulfilment=order.fulfilment,
        memo=order.memo,
        lines=tuple(_line(line) for line in order.lines),
        goods_fen=order.goods_fen,
        discount_fen=order.discount_fen,
        freight_fen=order.freight_fen,
        payable_fen=order.payable_fen,
        coupon=order.coupon,
        refunded_fen=order.refunded_fen,
        created_at=order.created_at,
        pay_until=order.pay_until,
        paid_at=order.paid_at,
        timeline=tuple(Moment(at=step.at, text=_story(step, lang)) for step in order.history if _told(step)),
    )


_STORY: dict[tuple[str, str], tuple[str, str]] = {
    ("payment", "unpaid"): ("提交订单", "Order placed"),
    ("payment", "paid"): ("付款成功", "Paid"),
    ("payment", "closed"): ("订单关闭", "Closed"),
    ("fulfilment", "partly_used"): ("部分核销", "Partly used in store"),
    ("fulfilment", "used"): ("核销完成", "Used in store"),
    ("fulfilment", "expired"): ("券码过期", "Voucher expired"),
    ("aftersale", "open"): ("申请售后", "After-sale opened"),
    ("aftersale", "none"): ("售后撤销", "After-sale withdrawn"),
    ("aftersale", "partly_refunded"): ("部分退款", "Partly refunded"),
    ("aftersale", "refunded"): ("退款成功", "Refunded"),
}
_CLOSED: dict[str, tuple[str, str]] = {
    "timeout": ("超时未付款，订单已关闭", "Not paid in time, closed"),
    "buyer": ("买家取消订单", "Cancelled by the buyer"),
}


def _told(step: Transition) -> bool:
    return (step.axis, step.after) in _STORY


def _story(step: Transition, lang: Lang) -> str:
    if step.axis == "payment" and step.after == PaymentState.CLOSED:
        zh, en = _CLOSED.get(step.reason.split(":")[0], _STORY["payment", "closed"])
    else:
        zh, en = _STORY[step.axis, step.after]
    return zh if lang == "zh-CN" else en


def _line(line: OrderLine) -> LineView:
    return LineView(
        id=line.id,
        sku_id=line.sku_id,
        product_id=line.product_id,
        title=line.title,
        spec=line.spec,
        spec_text=spec_text(line.spec),
        picture=line.picture,
        quantity=line.quantity,
        unit_price_fen=line.unit_price_fen,
        list_fen=line.list_fen,
        discount_fen=line.discount_fen,
        payable_fen=line.payable_fen,
        uses_total=line.uses_total,
        uses_done=line.uses_done,
        uses_refunded=line.uses_refunded,
        refundable=line.refundable,
    )
