"""Facts that cross a domain's wall. Contracts with others: fields are only added, with defaults."""

from __future__ import annotations

import msgspec

from octshop_rt.core.clock import Millis
from octshop_rt.core.money import Fen
from octshop_rt.core.outbox import Event


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Where something belongs: platform → merchant → shop → branch → till."""

    merchant_id: str
    shop_id: str
    branch_id: str | None = None
    till_id: str | None = None


class PaymentPart(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment is for: `order:O…`, `bill:I…`. Refunds name the part. `scope` says whose money it becomes;
    `pending` is the ledger account that holds it until it is earned (`voucher_unredeemed` or `shop_pending`).
    """

    subject: str
    amount_fen: Fen
    scope: Scope
    pending: str = "shop_pending"


class PaymentSucceeded(Event, frozen=True, kw_only=True):
    """The channel has the money and the ledger says so. Written once per payment."""

    payment_id: str
    attempt_id: str
    buyer_id: str | None = None
    channel: str
    amount_fen: Fen
    parts: tuple[PaymentPart, ...]
    paid_at: Millis


class PaymentDoubt(Event, frozen=True, kw_only=True):
    """Due: ask the channel what became of an attempt. `round` counts the questions."""

    attempt_id: str
    round: int = 0


class PaymentExpired(Event, frozen=True, kw_only=True):
    """Due: a payment's time is up; query, close at the channel, then close here."""

    payment_id: str


class RefundDue(Event, frozen=True, kw_only=True):
    """Give `amount_fen` of one part back to its payer; `refund_key` makes it one refund however often it is asked."""

    refund_key: str
    payment_id: str
    attempt_id: str | None = None
    subject: str
    amount_fen: Fen
    reason: str


class RefundStarted(Event, frozen=True, kw_only=True):
    """A refund row exists; the channel must be asked until it is final. `again` counts the spells of asking."""

    refund_id: str
    round: int = 0
    again: int = 0


class RefundSucceeded(Event, frozen=True, kw_only=True):
    """The channel has given the money back."""

    refund_id: str
    refund_key: str
    payment_id: str
    subject: str
    amount_fen: Fen
    refunded_at: Millis


class RefundFailed(Event, frozen=True, kw_only=True):
    """The channel will not give the money back by itself: a person must act. It stays owed to the payer."""

    refund_id: str
    refund_key: str
    payment_id: str
    subject: str
    amount_fen: Fen
    trouble: str


class OrderUnpaid(Event, frozen=True, kw_only=True):
    """Due: the order's time to pay is over."""

    order_id: str


class PaidLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a paid order, with all that a voucher needs to know."""

    line_id: str
    sku_id: str
    title: str
    spec: str
    quantity: int
    uses_each: int = 1
    paid_fen: Fen
    valid_from: Millis
    valid_until: Millis
    branch_ids: tuple[str, ...] = ()


class OrderPaid(Event, frozen=True, kw_only=True):
    """An order is paid and stands. Self-contained: the verify wing issues vouchers from it."""

    order_id: str
    buyer_id: str
    buyer_masked: str = ""
    scope: Scope
    shop_name: str = ""
    fulfilment: str
    lines: tuple[PaidLine, ...]
    payment_id: str
    paid_at: Millis


class OrderClosed(Event, frozen=True, kw_only=True):
    """An order ended unpaid; its stock is back."""

    order_id: str
    reason: str


class AftersaleMoved(Event, frozen=True, kw_only=True):
    """An after-sale case has gone a step further: `state` is where it stands now."""

    aftersale_id: str
    order_id: str
    buyer_id: str
    shop_id: str
    state: str
    voucher_ids: tuple[str, ...]


class AftersaleSilent(Event, frozen=True, kw_only=True):
    """Due: the shop's time to answer a case is over; silence agrees."""

    aftersale_id: str


class OrderRefunded(Event, frozen=True, kw_only=True):
    """An after-sale case ended with its money back at the payer. `whole`: with it and the cases before it, all that was
    paid for the order has gone back.
    """

    order_id: str
    buyer_id: str
    shop_id: str
    aftersale_id: str
    amount_fen: Fen
    whole: bool
    refunded_at: Millis


class VoucherIssued(Event, frozen=True, kw_only=True):
    """A voucher exists."""

    voucher_id: str
    order_id: str
    line_id: str
    buyer_id: str
    shop_id: str
    uses_total: int


class VoucherUsed(Event, frozen=True, kw_only=True):
    """`uses` of a voucher were written off; `amount_fen` is their allocated paid share."""

    redemption_id: str
    voucher_id: str
    order_id: str
    line_id: str
    buyer_id: str
    scope: Scope
    uses: int
    uses_left: int
    amount_fen: Fen
    used_at: Millis
    clerk_id: str


class VoucherExpired(Event, frozen=True, kw_only=True):
    """Due: a voucher's last moment has passed."""

    voucher_id: str


class BillPaid(Event, frozen=True, kw_only=True):
    """A cashier's sale is paid."""

    bill_id: str
    payment_id: str
    scope: Scope
    channel: str
    amount_fen: Fen
    paid_at: Millis


class FileDoubt(Event, frozen=True, kw_only=True):
    """Due: if no entry of a conversation shows this file, it goes."""

    file_id: str


class EntryChanged(Event, frozen=True, kw_only=True):
    """Due: an entry was about to be recalled or edited; if it was, everybody must have been told."""

    c: str
    s: int


class ChatNight(Event, frozen=True, kw_only=True):
    """Due: the night in which old chats are wiped where a shop asked for it."""

    day: str


class PushDue(Event, frozen=True, kw_only=True):
    """Tell one device of the words up to `s` of an unread spell. `round` counts the tries."""

    spell_id: str
    subscription_id: str
    s: int
    round: int = 0
