"""Pure decisions about orders: draft of a checkout, projected state, progress of use, what a voucher is told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct, structs

from octshop_rt.commerce.catalog.model import CannotFulfil, Fulfilment, Offer
from octshop_rt.commerce.catalog.rules import spec_text
from octshop_rt.commerce.freight import rules as freight
from octshop_rt.commerce.inventory.model import Want, merged
from octshop_rt.commerce.marketing.model import CouponOff, Item, Judged
from octshop_rt.commerce.marketing.rules import adjustments
from octshop_rt.commerce.order.model import (
    AFTERSALE,
    FULFILMENT,
    PAYMENT,
    AftersaleState,
    FulfilmentState,
    Order,
    OrderLine,
    PaymentState,
    State,
    Transition,
    WantedLine,
)
from octshop_rt.commerce.pricing.model import Line, Quote, QuotedLine
from octshop_rt.commerce.pricing.rules import quote
from octshop_rt.commerce.shop.model import NotCertified, Shop, ShopClosed
from octshop_rt.commerce.shop.policy import Policy
from octshop_rt.core.clock import DAY, SECOND, Millis, business_day, business_day_bounds
from octshop_rt.core.money import Fen
from octshop_rt.events import OrderPaid, PaidLine, PaymentPart, Scope

ORDER_SUBJECT = "order:"


class Basket(Struct, frozen=True, kw_only=True):
    """All that a price depends on, read before deciding. `wanted` is merged by SKU and sorted."""

    wanted: tuple[Want, ...]
    fulfilment: Fulfilment
    offers: Mapping[str, Offer]
    shops: Mapping[str, Shop]


class Priced(Struct, frozen=True, kw_only=True):
    """A basket with its price, the coupons it takes, and all coupons it was judged beside."""

    basket: Basket
    quote: Quote
    picked: Sequence[Judged] = ()
    judged: Sequence[Judged] = ()


class Birth(Struct, frozen=True, kw_only=True):
    """What the service adds to a quote to make orders of it: who, when, ids, settings."""

    group_id: str
    order_ids: Mapping[str, str]  # by shop
    line_ids: Mapping[str, str]  # by SKU
    buyer_id: str
    buyer_masked: str
    memo: str
    now: Millis
    policies: Mapping[str, Policy]  # by shop
    coupons: Mapping[str, CouponOff] = {}  # by shop


def merge(lines: Sequence[WantedLine]) -> tuple[Want, ...]:
    """One want per SKU, sorted."""
    return tuple(merged([Want(sku_id=line.sku_id, pieces=line.quantity) for line in lines]))


def fingerprint(
    lines: Sequence[WantedLine],
    fulfilment: str,
    memo: str,
    expected_payable_fen: Fen,
    coupon_ids: Sequence[str] = (),
) -> str:
    """The content of a checkout request. Equal baskets are equal however their lines were written.

    Without coupons it is what it was before there were any, so that requests of that time are still known.
    """
    wants = [(want.sku_id, want.pieces) for want in merge(lines)]
    said: tuple[object, ...] = (wants, fulfilment, memo, expected_payable_fen)
    if coupon_ids:
        said += (sorted(set(coupon_ids)),)
    return hashlib.sha256(msgspec.msgpack.encode(said)).hexdigest()[:32]


def check(basket: Basket) -> None:
    """ShopClosed, NotCertified (E4, 1.7), CannotFulfil: whatever forbids this basket whatever it costs."""
    for want in basket.wanted:
        product = basket.offers[want.sku_id].product
        shop = basket.shops[product.shop_id]
        if not shop.open:
            raise ShopClosed(shop_name=shop.name)
        if basket.fulfilment not in product.fulfilments:
            raise CannotFulfil(title=product.title)
        if basket.fulfilment is Fulfilment.IN_STORE and not shop.certified:
            raise NotCertified(shop_name=shop.name)


def items(basket: Basket) -> list[Item]:
    """The basket as coupons see it."""
    return [
        Item(
            line_id=want.sku_id,
            shop_id=basket.offers[want.sku_id].product.shop_id,
            product_id=basket.offers[want.sku_id].product.id,
            list_fen=basket.offers[want.sku_id].sku.price_fen * want.pieces,
        )
        for want in basket.wanted
    ]


def price(basket: Basket, picked: Sequence[Judged] = ()) -> Quote:
    """Quote a basket with the coupons it takes; one part per shop."""
    lines = [
        Line(
            id=want.sku_id,
            part=basket.offers[want.sku_id].product.shop_id,
            quantity=want.pieces,
            unit_price_fen=basket.offers[want.sku_id].sku.price_fen,
        )
        for want in basket.wanted
    ]
    parts = dict.fromkeys(line.part for line in lines)
    return quote(lines, adjustments(picked), [freight.charge(part, basket.fulfilment) for part in parts])


def draft(basket: Basket, quoted: Quote, birth: Birth) -> tuple[Order, ...]:
    """The unpaid orders of a quoted basket, one per shop, each with a snapshot of all that binds it (M4)."""
    orders: list[Order] = []
    for part in quoted.parts:
        shop, policy = basket.shops[part.part], birth.policies[part.part]
        mine = [line for line in quoted.lines if line.part == part.part]
        pay_until = birth.now + policy.unpaid_timeout_s * SECOND
        orders.append(
            Order(
                id=birth.order_ids[shop.id],
                group_id=birth.group_id,
                buyer_id=birth.buyer_id,
                buyer_masked=birth.buyer_masked,
                merchant_id=shop.merchant_id,
                shop_id=shop.id,
                shop_name=shop.name,
                fulfilment=basket.fulfilment,
                memo=birth.memo,
                lines=tuple(_line(one, basket.offers[one.id], birth.line_ids[one.id], policy) for one in mine),
                goods_fen=part.goods_fen,
                discount_fen=part.discount_fen,
                freight_fen=part.freight_fen,
                freight_rule=part.freight_rule,
                payable_fen=part.payable_fen,
                coupon=birth.coupons.get(shop.id),
                quote_hash=quoted.quote_hash,
                policy=policy,
                payment_state=PaymentState.UNPAID,
                fulfilment_state=FulfilmentState.NONE,
                aftersale_state=AftersaleState.NONE,
                state=State.UNPAID,
                created_at=birth.now,
                pay_until=pay_until,
                history=(
                    Transition(
                        at=birth.now, by=birth.buyer_id, axis="payment", before="", after="unpaid", reason="checkout"
                    ),
                ),
            )
        )
    return tuple(orders)


def wants_of(order: Order) -> list[Want]:
    """What an order takes from stock, merged and sorted."""
    return merged([Want(sku_id=line.sku_id, pieces=line.quantity) for line in order.lines])


def state_of(payment: PaymentState, fulfilment: FulfilmentState, aftersale: AftersaleState) -> State:
    """The state a person sees."""
    if payment is PaymentState.UNPAID:
        return State.UNPAID
    if payment is PaymentState.CLOSED:
        return State.CLOSED
    if aftersale is AftersaleState.OPEN:
        return State.AFTERSALE
    if aftersale is AftersaleState.REFUNDED:
        return State.REFUNDED
    return _OF_FULFILMENT[fulfilment]


_OF_FULFILMENT = {
    FulfilmentState.NONE: State.TO_USE,
    FulfilmentState.TO_USE: State.TO_USE,
    FulfilmentState.PARTLY_USED: State.PARTLY_USED,
    FulfilmentState.USED: State.DONE,
    FulfilmentState.EXPIRED: State.EXPIRED,
}


def after_use(order: Order, line_id: str, uses: int) -> tuple[tuple[OrderLine, ...], FulfilmentState]:
    """Lines and fulfilment after `uses` of a line were written off. ValueError if the line has not that many left."""
    lines = tuple(
        structs.replace(line, uses_done=line.uses_done + uses) if line.id == line_id else line for line in order.lines
    )
    if all(line.id != line_id for line in lines):
        message = f"{uses} uses of {line_id}"
        raise ValueError(message)
    return lines, progress(lines)


def after_refund(order: Order, uses: Mapping[str, int]) -> tuple[OrderLine, ...]:
    """Lines after so many uses of each (by line) were paid back. ValueError if a line has not that many left."""
    lines = tuple(structs.replace(one, uses_refunded=one.uses_refunded + uses.get(one.id, 0)) for one in order.lines)
    progress(lines)
    return lines


def all_back(lines: Iterable[OrderLine], refunded_fen: Fen, payable_fen: Fen) -> bool:
    """Whether the whole order has gone back. Money alone does not say so: uses may be worth nothing."""
    untouched = all(not line.uses_done and line.uses_refunded == line.uses_total for line in lines)
    return untouched and refunded_fen == payable_fen


def progress(lines: Sequence[OrderLine]) -> FulfilmentState:
    """How much the buyer has had: all of it where nothing but paid-back uses is left beside what was used."""
    if any(line.uses_done + line.uses_refunded > line.uses_total for line in lines):
        message = f"more uses than there are: {[line.id for line in lines]}"
        raise ValueError(message)
    if not any(line.uses_done for line in lines):
        return FulfilmentState.TO_USE
    over = all(line.uses_done + line.uses_refunded == line.uses_total for line in lines)
    return FulfilmentState.USED if over else FulfilmentState.PARTLY_USED


def scope_of(order: Order) -> Scope:
    """Where an order belongs."""
    return Scope(merchant_id=order.merchant_id, shop_id=order.shop_id, branch_id=order.branch_id)


def subject_of(order_id: str) -> str:
    """How payments name an order."""
    return f"{ORDER_SUBJECT}{order_id}"


def order_of(subject: str) -> str | None:
    """The order a payment's subject names, if it names one."""
    return subject.removeprefix(ORDER_SUBJECT) if subject.startswith(ORDER_SUBJECT) else None


def parts_of(orders: Sequence[Order]) -> tuple[PaymentPart, ...]:
    """What a payment for these orders pays: the money waits for the vouchers to be used."""
    return tuple(
        PaymentPart(
            subject=subject_of(order.id),
            amount_fen=order.payable_fen,
            scope=scope_of(order),
            pending="voucher_unredeemed",
        )
        for order in orders
        if order.payable_fen
    )


def description_of(orders: Sequence[Order]) -> str:
    """What the payer reads in the channel's app; channels take about 120 bytes."""
    more = sum(len(order.lines) for order in orders) - 1
    return f"{orders[0].shop_name[:12]} {orders[0].lines[0].title[:16]}{f'等{more + 1}项' if more else ''}"


def paid_event(order: Order, payment_id: str, paid_at: Millis) -> OrderPaid:
    """What the rest of the house is told, complete: vouchers are made from it. Vouchers end with a business day."""
    return OrderPaid(
        order_id=order.id,
        buyer_id=order.buyer_id,
        buyer_masked=order.buyer_masked,
        scope=scope_of(order),
        shop_name=order.shop_name,
        fulfilment=order.fulfilment,
        lines=tuple(
            PaidLine(
                line_id=line.id,
                sku_id=line.sku_id,
                title=line.title,
                spec=spec_text(line.spec),
                quantity=line.quantity,
                uses_each=line.uses_each,
                paid_fen=line.payable_fen,
                valid_from=paid_at,
                valid_until=business_day_bounds(business_day(paid_at + line.valid_days * DAY))[1] - 1,
                branch_ids=line.branch_ids,
            )
            for line in order.lines
        ),
        payment_id=payment_id,
        paid_at=paid_at,
    )


def replayed(order: Order) -> tuple[str, str, str]:
    """The axes as the history tells them, for fsck. ValueError on a step the tables do not allow."""
    axes: dict[str, str] = {"payment": "", "fulfilment": FulfilmentState.NONE, "aftersale": AftersaleState.NONE}
    for step in order.history:
        birth = step.axis == "payment" and step.before == "" and step.after == PaymentState.UNPAID
        if step.before != axes[step.axis] or not (birth or step.after in _steps(step.axis, step.before)):
            message = f"{step.axis} {step.before} -> {step.after} while {axes[step.axis]}"
            raise ValueError(message)
        axes[step.axis] = step.after
    return axes["payment"], axes["fulfilment"], axes["aftersale"]


def _steps(axis: str, before: str) -> list[str]:
    """States that may follow on an axis."""
    if axis == "payment":
        return [state for state in PaymentState if before and PAYMENT.may(PaymentState(before), state)]
    if axis == "fulfilment":
        return [state for state in FulfilmentState if FULFILMENT.may(FulfilmentState(before), state)]
    return [state for state in AftersaleState if AFTERSALE.may(AftersaleState(before), state)]


def _line(quoted: QuotedLine, offer: Offer, line_id: str, policy: Policy) -> OrderLine:
    product = offer.product
    return OrderLine(
        id=line_id,
        sku_id=offer.sku.id,
        product_id=product.id,
        title=product.title,
        spec=offer.sku.spec,
        picture=product.picture,
        quantity=quoted.quantity,
        unit_price_fen=quoted.unit_price_fen,
        list_fen=quoted.list_fen,
        discount_fen=quoted.discount_fen,
        payable_fen=quoted.payable_fen,
        allocations=quoted.allocations,
        uses_each=product.voucher.uses_each,
        valid_days=product.voucher.valid_days or policy.voucher_valid_days,
        refundable=product.refundable,
        branch_ids=product.branch_ids,
    )
