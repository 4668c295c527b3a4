"""Who hears what: every event and its handlers, on one page."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from octshop_rt.commerce.aftersale.course import Course
from octshop_rt.commerce.bill.service import BillService
from octshop_rt.commerce.ledger.service import Ledger
from octshop_rt.commerce.marketing.coupons import Coupons
from octshop_rt.commerce.order.handlers import OrderHandlers
from octshop_rt.commerce.order.notices import OrderNotices
from octshop_rt.commerce.order.stock import OrderStock
from octshop_rt.commerce.payment.refunds import Refunds
from octshop_rt.commerce.payment.resolve import Resolver
from octshop_rt.core.dispatcher import Subscription
from octshop_rt.core.outbox import Event
from octshop_rt.events import (
    AftersaleMoved,
    AftersaleSilent,
    BillPaid,
    ChatNight,
    EntryChanged,
    FileDoubt,
    OrderClosed,
    OrderPaid,
    OrderRefunded,
    OrderUnpaid,
    PaymentDoubt,
    PaymentExpired,
    PaymentSucceeded,
    PushDue,
    RefundDue,
    RefundFailed,
    RefundStarted,
    RefundSucceeded,
    VoucherExpired,
    VoucherIssued,
    VoucherUsed,
)
from octshop_rt.im.conversation.changes import Changes
from octshop_rt.im.insight.retention import Retention
from octshop_rt.im.push.sender import Sender
from octshop_rt.verify.issue import Issuer

# Events nobody hears, each with its reason.
UNHEARD: Final[dict[type[Event], str]] = {}


class Handlers(Struct, frozen=True, kw_only=True):
    """Those who hear."""

    orders: OrderHandlers
    coupons: Coupons
    order_notices: OrderNotices
    order_stock: OrderStock
    aftersale: Course
    bills: BillService
    resolver: Resolver
    refunds: Refunds
    ledger: Ledger
    issuer: Issuer
    changes: Changes
    retention: Retention
    push: Sender


def subscriptions(to: Handlers) -> list[Subscription]:
    """Every subscription. The order within one event is the order of delivery."""
    return [
        Subscription(event=PaymentSucceeded, name="order.paid", run=to.orders.on_payment_succeeded),
        Subscription(event=PaymentSucceeded, name="bill.paid", run=to.bills.on_payment_succeeded),
        Subscription(event=PaymentDoubt, name="payment.doubt", run=to.resolver.on_payment_doubt, kind="outside"),
        Subscription(event=PaymentExpired, name="payment.expired", run=to.resolver.on_payment_expired, kind="outside"),
        Subscription(event=RefundDue, name="payment.refund", run=to.refunds.on_refund_due),
        Subscription(event=RefundStarted, name="payment.refund.ask", run=to.refunds.on_refund_started, kind="outside"),
        Subscription(event=RefundSucceeded, name="aftersale.refunded", run=to.aftersale.on_refund_succeeded),
        Subscription(event=RefundFailed, name="aftersale.failed", run=to.aftersale.on_refund_failed),
        Subscription(event=AftersaleSilent, name="aftersale.silent", run=to.aftersale.on_aftersale_silent),
        Subscription(event=AftersaleMoved, name="order.tell", run=to.order_notices.on_aftersale_moved, kind="hint"),
        Subscription(event=OrderUnpaid, name="order.unpaid", run=to.orders.on_order_unpaid),
        Subscription(event=OrderPaid, name="verify.issue", run=to.issuer.on_order_paid),
        Subscription(event=OrderPaid, name="order.stock", run=to.order_stock.on_order_paid, kind="job"),
        Subscription(event=OrderPaid, name="order.tell", run=to.order_notices.on_order_paid, kind="hint"),
        Subscription(event=OrderClosed, name="order.stock", run=to.order_stock.on_order_closed, kind="job"),
        Subscription(event=OrderClosed, name="order.tell", run=to.order_notices.on_order_closed, kind="hint"),
        Subscription(event=OrderClosed, name="payment.close", run=to.resolver.on_order_closed, kind="outside"),
        Subscription(event=OrderRefunded, name="marketing.back", run=to.coupons.on_order_refunded),
        Subscription(event=VoucherIssued, name="order.tell", run=to.order_notices.on_voucher_issued, kind="hint"),
        Subscription(event=VoucherUsed, name="order.used", run=to.orders.on_voucher_used),
        Subscription(event=VoucherUsed, name="ledger.used", run=to.ledger.on_voucher_used),
        Subscription(event=VoucherUsed, name="order.tell", run=to.order_notices.on_voucher_used, kind="hint"),
        Subscription(event=VoucherExpired, name="verify.expire", run=to.issuer.on_voucher_expired),
        Subscription(event=EntryChanged, name="im.changed", run=to.changes.on_entry_changed, kind="job"),
        Subscription(event=FileDoubt, name="media.doubt", run=to.changes.on_file_doubt, kind="outside"),
        Subscription(event=BillPaid, name="bill.tell", run=to.bills.on_bill_paid, kind="hint"),
        Subscription(event=PushDue, name="push.send", run=to.push.on_push_due, kind="outside"),
        Subscription(event=ChatNight, name="insight.wipe", run=to.retention.on_chat_night, kind="job"),
    ]
