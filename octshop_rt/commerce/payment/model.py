"""Shapes of payments: intent, attempt, refund, notice, their lives, and every refusal of this domain."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.core.money import Fen
from octshop_rt.core.statemachine import Life
from octshop_rt.events import PaymentPart

CNY = "CNY"
SURPLUS = "surplus"
"""The subject of a refund that belongs to no part: a second or late success, or a wrong amount, given back whole."""

ChannelName = Literal["wechat"]
Method = Literal["native", "barcode"]


class PaymentState(StrEnum):
    """The intent. `closed` may still become `paid`: money that came late is never dropped; its owner decides."""

    PAYING = "paying"
    PAID = "paid"
    CLOSED = "closed"


PAYMENT_LIFE: Life[PaymentState] = Life(
    "payment",
    {
        PaymentState.PAYING: {PaymentState.PAID, PaymentState.CLOSED},
        PaymentState.CLOSED: {PaymentState.PAID},
        PaymentState.PAID: set(),
    },
)


class AttemptState(StrEnum):
    """One try at one channel. Its id is the number the channel knows it by."""

    CREATED = "created"  # stored, has not left us
    SENT = "sent"  # on its way; no answer yet
    PENDING_USER = "pending_user"  # the channel waits for its payer
    UNKNOWN = "unknown"  # no answer we can trust: a question is owed
    REVERSING = "reversing"  # a reversal may have left us: only its answer counts
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CLOSED = "closed"
    REVERSED = "reversed"
    INTEGRITY_HOLD = "integrity_hold"  # the channel took another amount than was asked: suspense


_LATE = {AttemptState.SUCCEEDED, AttemptState.INTEGRITY_HOLD}
# `reversed` without `reversing`: the channel reverses a bar-code trade by itself when its payer dawdles.
_ENDS = _LATE | {AttemptState.FAILED, AttemptState.CLOSED, AttemptState.REVERSING, AttemptState.REVERSED}

ATTEMPT_LIFE: Life[AttemptState] = Life(
    "attempt",
    {
        AttemptState.CREATED: {AttemptState.SENT, AttemptState.FAILED, AttemptState.CLOSED},
        AttemptState.SENT: _ENDS | {AttemptState.PENDING_USER, AttemptState.UNKNOWN},
        AttemptState.PENDING_USER: _ENDS | {AttemptState.UNKNOWN},
        AttemptState.UNKNOWN: _ENDS | {AttemptState.PENDING_USER},
        AttemptState.REVERSING: _LATE | {AttemptState.REVERSED},
        # the listed compensations: a success is accepted from every end that was not one
        AttemptState.FAILED: _LATE,
        AttemptState.CLOSED: _LATE,
        AttemptState.REVERSED: _LATE,
        AttemptState.SUCCEEDED: set(),
        AttemptState.INTEGRITY_HOLD: set(),
    },
)

OPEN_STATES = frozenset(
    {
        AttemptState.CREATED,
        AttemptState.SENT,
        AttemptState.PENDING_USER,
        AttemptState.UNKNOWN,
        AttemptState.REVERSING,
    }
)


class RefundState(StrEnum):
    """A refund's number is fixed before the first call and kept over every repetition."""

    CREATED = "created"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the channel closed it or holds it as abnormal: a person must act


REFUND_LIFE: Life[RefundState] = Life(
    "refund",
    {
        RefundState.CREATED: {RefundState.PROCESSING, RefundState.SUCCEEDED, RefundState.FAILED},
        RefundState.PROCESSING: {RefundState.SUCCEEDED, RefundState.FAILED},
        RefundState.FAILED: {RefundState.PROCESSING, RefundState.SUCCEEDED},  # a person had it asked about again
        RefundState.SUCCEEDED: set(),
    },
)


class Change(Struct, frozen=True, kw_only=True):
    """One transition: what, when, why and by whom (`channel:…`, `job:…`, `person:…`)."""

    at: Millis
    to: str
    by: str
    reason: str = ""


class Payment(Struct, frozen=True, kw_only=True):
    """What is to be paid: parts of one or more subjects, in one sum, at one channel account.

    `opener` and `request_id` name the wish; `fingerprint` is its content, to tell a retry from another wish.
    """

    id: Id
    opener: str
    request_id: RequestId
    fingerprint: str
    buyer_id: str | None
    parts: tuple[PaymentPart, ...]
    amount_fen: Fen
    account_id: str
    channel: ChannelName
    method: Method
    description: str
    state: PaymentState
    created_at: Millis
    expires_at: Millis
    paid_at: Millis | None = None
    paid_attempt_id: str | None = None
    rev: int = 0
    history: tuple[Change, ...] = ()

    @property
    def came_late(self) -> bool:
        """Paid after it had been closed: whoever was told "not paid" has gone; the owner decides what follows."""
        return self.state is PaymentState.PAID and any(one.to == PaymentState.CLOSED for one in self.history)

    @property
    def till_id(self) -> str | None:
        """The till this payment is taken at, if it is taken at one."""
        return self.parts[0].scope.till_id


class Attempt(Struct, frozen=True, kw_only=True):
    """One trade number at the channel. A scanned code is kept as a keyed hash and its last four digits only."""

    id: Id
    payment_id: Id
    account_id: str
    channel: ChannelName
    method: Method
    amount_fen: Fen
    currency: str = CNY
    state: AttemptState
    created_at: Millis
    sent_at: Millis | None = None
    asked_at: Millis = 0
    settled_at: Millis | None = None
    code_url: str | None = None
    auth_code_hash: str = ""
    auth_code_last4: str = ""
    transaction_id: str | None = None
    paid_fen: Fen | None = None
    surplus: bool = False
    presses: int = 0
    """Reversals the channel answered with neither yes nor no."""
    reason: str = ""
    history: tuple[Change, ...] = ()

    @property
    def open(self) -> bool:
        """Whether the channel may still change its mind without anything being wrong."""
        return self.state in OPEN_STATES


class Refund(Struct, frozen=True, kw_only=True):
    """Money on its way back. `id` is the number the channel knows; `key` makes one wish one refund."""

    id: Id
    key: str
    payment_id: Id
    attempt_id: Id
    account_id: str
    subject: str
    amount_fen: Fen
    reason: str
    state: RefundState
    created_at: Millis
    refunded_at: Millis | None = None
    channel_refund_id: str = ""
    trouble: str = ""
    again: int = 0  # how often a person had it asked about once more, always under the same number
    history: tuple[Change, ...] = ()


class NoticeState(StrEnum):
    """A raw notice is stored before it is answered."""

    RECEIVED = "received"
    DONE = "done"
    PARKED = "parked"  # proven to be the channel's, but not ours to act on: a person looks


class NoticeRow(Struct, frozen=True, kw_only=True):
    """A proven notice as it came. `id` is `channel:account:notice id`."""

    id: str
    kind: str
    body: bytes
    headers: dict[str, str]
    state: NoticeState
    received_at: Millis
    times: int = 1
    done_at: Millis | None = None
    result: str = ""


class Fact(Struct, frozen=True, kw_only=True):
    """One channel transaction belongs to one attempt. `id` is `account:transaction:kind`."""

    id: str
    attempt_id: Id
    learned_at: Millis
    source: str


class PaidSubject(Struct, frozen=True, kw_only=True):
    """A subject is paid once: `id` is the subject. A second payment that succeeds for it is given back."""

    id: str
    payment_id: Id


class OpenRequest(Struct, frozen=True, kw_only=True):
    """`id` is `opener:request_id`: the uniqueness of a wish, kept as long as its payment.

    Without a payment it is a tombstone: whoever comes with this wish later is refused, for ever.
    """

    id: str
    payment_id: Id | None = None
    fingerprint: str = ""
    forbidden_at: Millis | None = None
    forbidden_by: str = ""


PayViewState = Literal["waiting", "paid", "closed", "unknown"]


class PayView(Struct, frozen=True, kw_only=True):
    """What a payer's page shows."""

    payment_id: str
    state: PayViewState
    amount_fen: Fen
    code_url: str | None = None
    expires_at: Millis


class Wish(Struct, frozen=True, kw_only=True):
    """What an opener asks for. `opener` is who may repeat it: `buyer:U…`, `till:T…`."""

    opener: str
    request_id: RequestId
    buyer_id: str | None = None
    parts: tuple[PaymentPart, ...]
    method: Method = "native"
    description: str
    expires_at: Millis
    auth_code_hash: str = ""
    auth_code_last4: str = ""


class AlreadyPaid(DomainError):
    """Nothing is left to pay."""

    code = "payment.already_paid"
    status = 409
    zh = "这笔款项已经支付成功，无需重复付款"
    en = "This has already been paid; do not pay again"


class TimeIsUp(DomainError):
    """Whatever was to be paid had to be paid before now."""

    code = "payment.time_is_up"
    status = 409
    zh = "付款时间已过，请重新下单"
    en = "The time to pay is over; please order again"


class RequestForbidden(DomainError):
    """The wish was called off before it came here."""

    code = "payment.request_forbidden"
    status = 409
    zh = "这笔收款已经作废，没有扣款，也不会再扣款"
    en = "This payment was called off; nothing was charged and nothing will be"


class ChannelRefused(DomainError):
    """The channel will not take this payment; another try may use another way."""

    code = "payment.channel_refused"
    status = 409
    zh = "支付渠道拒绝了这笔付款({reason}),请换一种方式或联系商家"
    en = "The payment channel refused this payment ({reason}); try another way or ask the shop"


class NoChannelAccount(DomainError):
    """The shop has not set up the channel."""

    code = "payment.no_channel_account"
    status = 409
    zh = "商家尚未开通该收款方式"
    en = "The shop has not set up this way of payment"


class NotAPaymentCode(DomainError):
    """The scanned text is no payment code."""

    code = "payment.not_a_payment_code"
    status = 400
    zh = "这不是付款码，请让顾客打开微信的“付款码”后重新扫描"
    en = "This is not a payment code; ask the customer to open the payment code in WeChat and scan again"


class CodeNotAccepted(DomainError):
    """A payment code of a channel that this shop does not take."""

    code = "payment.code_not_accepted"
    status = 409
    zh = "本店暂不支持{channel}付款码"
    en = "This shop does not take {channel} payment codes"


class NotRefundable(DomainError):
    """More than was paid for this part, or nothing was paid."""

    code = "payment.not_refundable"
    status = 409
    zh = "可退金额不足：最多还可退 {left_fen} 分"
    en = "Not enough left to refund: at most {left_fen} fen"


class NoticeRefused(DomainError):
    """A notice that is not proven to be the channel's, or speaks of another account."""

    code = "payment.notice_refused"
    status = 401
    zh = "通知验签失败"
    en = "The notice is not proven"


class NoticeNotOurs(DomainError):
    """Proven, stored, but for a number we never sent."""

    code = "payment.notice_not_ours"
    status = 404
    zh = "未知的商户订单号"
    en = "Unknown merchant order number"
