"""Shapes of after-sale cases: reasons, the life as a table, the case with its pieces and story, and the refusals."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.commerce.catalog.model import Picture
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.core.money import Fen
from octshop_rt.core.statemachine import Life

SYSTEM = "system"
MOST_LINES = 50

Uses = Annotated[int, Meta(ge=1, le=1_000_000, description="number of uses")]
Words = Annotated[str, Meta(max_length=500)]


class Reason(StrEnum):
    """Why the buyer wants his money back."""

    CHANGED_MIND = "changed_mind"
    NO_TIME = "no_time"
    BOUGHT_WRONG = "bought_wrong"
    NOT_AS_DESCRIBED = "not_as_described"
    SHOP_UNAVAILABLE = "shop_unavailable"
    OTHER = "other"


class CaseState(StrEnum):
    """Where a case stands. A case is open until its money is back or it ended without."""

    ASKED = "asked"
    AGREED = "agreed"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    FAILED = "failed"  # the channel will not give it back by itself: the shop sees to it and asks again
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


# Between `asked` and `refused` there is room for a platform that arbitrates.
LIFE: Life[CaseState] = Life(
    "aftersale",
    {
        CaseState.ASKED: {CaseState.AGREED, CaseState.REFUSED, CaseState.WITHDRAWN},
        CaseState.AGREED: {CaseState.REFUNDING},
        CaseState.REFUNDING: {CaseState.REFUNDED, CaseState.FAILED},
        # Money that a person moved at the channel's own desk comes as a success without having been asked for again.
        CaseState.FAILED: {CaseState.REFUNDING, CaseState.REFUNDED},
        CaseState.REFUNDED: set(),
        CaseState.REFUSED: set(),
        CaseState.WITHDRAWN: set(),
    },
)
OPEN = frozenset(state for state in CaseState if not LIFE.final(state))


class Step(Struct, frozen=True, kw_only=True):
    """One transition: when, by whom, from, to, why (2.3.2). The first row's `before` is empty."""

    at: Millis
    by: str
    before: str
    after: str
    reason: str = ""


class Piece(Struct, frozen=True, kw_only=True):
    """Uses of one voucher that the case has set aside, and their share of what was paid."""

    voucher_id: Id
    line_id: Id
    uses: Uses
    amount_fen: Fen


class AftersaleLine(Struct, frozen=True, kw_only=True):
    """What is asked back of one order line, as it was bought."""

    line_id: Id
    title: str
    spec: str
    picture: Picture
    uses: Uses
    amount_fen: Fen


class Case(Struct, frozen=True, kw_only=True):
    """One request for money back. The amounts of its pieces make those of its lines, and these make `amount_fen`."""

    id: Id
    order_id: Id
    payment_id: Id
    buyer_id: Id
    buyer_masked: str
    merchant_id: Id
    shop_id: Id
    shop_name: str
    request_id: RequestId
    fingerprint: str
    reason: Reason
    words: str
    lines: tuple[AftersaleLine, ...]
    pieces: tuple[Piece, ...]
    amount_fen: Fen
    state: CaseState
    asked_at: Millis
    decide_until: Millis
    policy_versions: tuple[int, ...]
    refusal: str = ""
    trouble: str = ""
    refunded_at: Millis | None = None
    history: tuple[Step, ...]

    @property
    def open(self) -> bool:
        """Whether anything may still come of it."""
        return self.state in OPEN


class WantedBack(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many uses of one line."""

    line_id: Id
    uses: Uses


class Wish(Struct, frozen=True, kw_only=True):
    """What a buyer asks for: `wanted` (nothing: everything unused) for exactly `expected_fen`."""

    request_id: RequestId
    order_id: Id
    wanted: tuple[WantedBack, ...]
    reason: Reason
    words: str
    expected_fen: Fen


class Unused(Struct, frozen=True, kw_only=True):
    """What a voucher still holds that could be used now. Told by the wing that keeps vouchers."""

    voucher_id: Id
    line_id: Id
    uses: int
    valid_until: Millis


class RefundLine(Struct, frozen=True, kw_only=True):
    """What of a line could be asked back, and what is chosen of it."""

    line_id: Id
    title: str
    spec: str
    picture: Picture
    refundable: bool
    uses_left: int
    chosen: int
    amount_fen: Fen


class RefundOffer(Struct, frozen=True, kw_only=True):
    """What a request would give back now. `case_id`: one is open already, nothing further can be asked."""

    lines: tuple[RefundLine, ...]
    amount_fen: Fen
    case_id: Id | None = None


class NothingToRefund(DomainError):
    """Not paid, used up, expired, or bought for nothing."""

    code = "aftersale.nothing_to_refund"
    status = 409
    zh = "该订单没有可退的部分：未付款、已使用或已过期的不能退款"
    en = "Nothing of this order can be refunded: it is unpaid, used or expired"


class NotRefundable(DomainError):
    """Sold as not refundable, and shown so when it was bought."""

    code = "aftersale.not_refundable"
    status = 409
    zh = "“{title}”购买时已注明不支持退款"
    en = "“{title}” was sold as non-refundable"


class TooManyUses(DomainError):
    """Some were used or asked back meanwhile."""

    code = "aftersale.too_many_uses"
    status = 409
    zh = "“{title}”只剩 {left} 次可退，请重新选择"
    en = "Only {left} use(s) of “{title}” can be refunded; choose again"


class AmountChanged(DomainError):
    """Not the sum the buyer agreed to; the new one comes along."""

    code = "aftersale.amount_changed"
    status = 409
    zh = "可退金额有变动，请确认新的金额后重新提交"
    en = "The refund amount has changed; confirm the new amount and submit again"


class AlreadyOpen(DomainError):
    """One open case an order."""

    code = "aftersale.already_open"
    status = 409
    zh = "该订单已有退款申请在处理中，请等待处理或先撤销"
    en = "A refund request for this order is already open; wait for it or withdraw it first"


class Decided(DomainError):
    """It went another way meanwhile."""

    code = "aftersale.decided"
    status = 409
    zh = "该申请当前状态为“{label_zh}”，不能再这样处理"
    en = "This request is now “{label_en}” and can no longer be dealt with this way"


class TooLate(DomainError):
    """Silence has agreed, whether or not the clock has come round to saying so."""

    code = "aftersale.too_late"
    status = 409
    zh = "已过处理期限，按约定视为同意退款"
    en = "The time to decide is over: the refund counts as agreed"


class ReasonNeeded(DomainError):
    """A buyer who is refused is told why."""

    code = "aftersale.reason_needed"
    status = 400
    zh = "请填写拒绝原因，买家会看到"
    en = "Say why you refuse; the buyer will read it"
