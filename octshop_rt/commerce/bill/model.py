"""Shapes of bills: a cashier's sale, its life, what the till is shown, the takings of a day."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from octshop_rt.commerce.payment.model import Method
from octshop_rt.commerce.payment.rules import ChargeState
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.core.money import Fen
from octshop_rt.core.statemachine import Life

Standing = Literal["absent", "void", "charged"]


class BillState(StrEnum):
    """Whether the sale counts. How its payment stands is the payment's business."""

    OPEN = "open"
    PAID = "paid"
    RETURNED = "returned"  # given back whole: it came after the till had said "not paid", or the cashier reversed it


BILL_LIFE: Life[BillState] = Life(
    "bill",
    {
        BillState.OPEN: {BillState.PAID, BillState.RETURNED},
        BillState.PAID: {BillState.RETURNED},
        BillState.RETURNED: set(),
    },
)


class Bill(Struct, frozen=True, kw_only=True):
    """One charge at one till."""

    id: Id
    merchant_id: Id
    shop_id: Id
    branch_id: Id
    till_id: Id
    cashier_id: Id
    request_id: RequestId
    fingerprint: str
    amount_fen: Fen
    payment_id: Id
    state: BillState
    created_at: Millis
    channel: str = ""
    paid_at: Millis | None = None
    paid_day: str = ""
    unwanted_at: Millis | None = None
    """When the cashier asked for it not to be paid. Whatever the channel takes after that goes back."""
    unwanted_by: str = ""
    aside_at: Millis | None = None
    """When who runs the shop let the till go on without its outcome. It is unwanted, so it can only go back."""
    aside_by: str = ""

    @property
    def subject(self) -> str:
        """How payments and the books name it."""
        return f"bill:{self.id}"


class TillHold(Struct, frozen=True, kw_only=True):
    """What holds a till: the charge begun last at it, until its payment is settled. `id` is the till."""

    id: Id
    bill_id: Id
    payment_id: Id


class TillPlace(Struct, frozen=True, kw_only=True):
    """Where and by whom a charge is made."""

    merchant_id: Id
    shop_id: Id
    shop_name: str
    branch_id: Id
    till_id: Id
    cashier_id: Id


class Charge(Struct, frozen=True, kw_only=True):
    """What the till shows. `reason_code` is stable; its words are made where the language is known.

    `returnable`: whoever asked may give this paid sale back now. `aside_from`: from when it may be set aside, None for
    what needs no such thing; `aside`: it has been.
    """

    id: str
    payment_id: str
    method: Method
    state: ChargeState
    amount_fen: Fen
    channel: str | None
    code_url: str | None
    reason_code: str
    created_at: Millis
    paid_at: Millis | None
    expires_at: Millis
    returnable: bool = False
    aside_from: Millis | None = None
    aside: bool = False


class Asked(Struct, frozen=True, kw_only=True):
    """What became of a request to charge. `absent`: it has not come here, and may still be on its way; `void`: it
    has not come and will be refused when it does.
    """

    standing: Standing
    charge: Charge | None = None


class ChannelTakings(Struct, frozen=True, kw_only=True):
    """One channel's share of a day."""

    channel: str
    total_fen: Fen
    count: int


class Takings(Struct, frozen=True, kw_only=True):
    """A till's day: paid bills only; in `last` the newest, those given back among them. `open` is what holds the till
    now, of whatever day: charges that may still be paid, oldest first. `aside`: those that were set aside and have no
    outcome yet.
    """

    total_fen: Fen
    count: int
    by_channel: tuple[ChannelTakings, ...]
    last: tuple[Charge, ...]
    open: tuple[Charge, ...]
    aside: tuple[Charge, ...]


class NotAnAmount(DomainError):
    """Nothing to charge."""

    code = "bill.not_an_amount"
    status = 400
    zh = "收款金额必须大于 0"
    en = "The amount must be more than zero"


class TillHeld(DomainError):
    """A charge of this till may still be paid: one more could be the second for the same customer. It is named in the
    data (`charge_id`, `amount_fen`) and by `open` of the takings.
    """

    code = "bill.till_held"
    status = 409
    zh = "本收银台还有一笔收款没有结果，请先查询或撤销它，再收下一笔"
    en = "A charge at this till has no outcome yet; query or reverse it before the next"


class NotYoursToGiveBack(DomainError):
    """A paid sale goes back by its own cashier within minutes, later and for others by who manages the shop."""

    code = "bill.not_yours_to_give_back"
    status = 403
    zh = "只有收这笔款的收银员在 {minutes} 分钟内可以退回，请店长来退"
    en = "Only the cashier who took it may give it back, within {minutes} minutes; ask your manager"


class NotYoursToSetAside(DomainError):
    """That a till goes on without the outcome of a charge is decided by who manages the shop."""

    code = "bill.not_yours_to_set_aside"
    status = 403
    zh = "没有结果的收款要由店长放到一边，请店长在自己的手机或这台收银机上登录操作"
    en = "Only a manager may set a charge without an outcome aside; ask yours to sign in here or on their own phone"


class TooEarlyToSetAside(DomainError):
    """It was not reversed, or a moment ago: the channel may well answer."""

    code = "bill.too_early_to_set_aside"
    status = 409
    zh = "先点“撤销”，{seconds} 秒后还没有结果才能放到一边"
    en = "Reverse it first; it may be set aside when there is no outcome {seconds} s later"


class TooLateToReverse(DomainError):
    """A sale of another day is refunded, not reversed: the day's takings are closed."""

    code = "bill.too_late_to_reverse"
    status = 409
    zh = "这笔收款不是今天的，不能撤销，请办理退款"
    en = "This sale is not from today; refund it instead of reversing it"


class BadDay(DomainError):
    """No such day."""

    code = "bill.bad_day"
    status = 400
    zh = "日期格式应为 2026-11-22"
    en = "The day must look like 2026-11-22"


REASONS: dict[str, tuple[str, str]] = {
    "code_expired": ("付款码已过期，请顾客刷新后重新扫码", "The payment code has expired; ask for a fresh one"),
    "code_invalid": (
        "付款码无效或已使用，请顾客刷新后重新扫码",
        "The payment code is invalid or used; ask for a fresh one",
    ),
    "not_enough_money": ("顾客余额不足，请换一种付款方式", "Not enough money; ask for another way to pay"),
    "card_not_supported": ("顾客的银行卡不支持，请换卡", "The card is not supported; ask for another"),
    "payer_mismatch": ("付款人不一致，请重新扫码", "The payer does not match; scan again"),
    "trade_refused": ("支付渠道拒绝了这笔交易", "The channel refused this trade"),
    "rule_limit": ("超出支付限额，请换一种付款方式", "Over the payment limit; ask for another way to pay"),
    "order_closed": ("这笔交易已关闭", "This trade is closed"),
    "account_not_allowed": ("商户号没有权限，请联系服务商", "The merchant account is not allowed; call your provider"),
    "bad_request": ("支付渠道未接受请求，请联系服务商", "The channel did not accept the request; call your provider"),
    "barcode_off": ("本店未开通付款码收款", "Payment codes are not enabled for this shop"),
    "refused_by_payer": (
        "顾客取消或支付失败，请重新收款",
        "The customer cancelled or the payment failed; charge again",
    ),
    "never_sent": ("请求未发出，没有扣款", "The request was not sent; nothing was charged"),
    "timeout": ("顾客超时未支付，已撤销", "The customer took too long; it was reversed"),
    "reversed_by_cashier": ("已由收银员撤销，如已扣款会原路退回", "Reversed by the cashier; any money goes back"),
    "reversed_by_channel": ("渠道已撤销，没有扣款", "Reversed by the channel; nothing was charged"),
    "reversed": ("已撤销，如已扣款会原路退回", "Reversed; any money goes back"),
    "closed_by_cashier": ("收款码已关闭", "The code was closed"),
    "closed_by_channel": ("渠道已关闭这笔交易", "The channel closed this trade"),
    "expired": ("收款码已过期，未付款", "The code expired unpaid"),
    "replaced": ("已被新的收款替代", "Replaced by another charge"),
    "amount_mismatch": (
        "到账金额与应收不符，款项已挂起，请联系店长处理",
        "The amount received differs from the amount asked; it is held, call your manager",
    ),
    "reversing": ("正在撤销，请稍候再查询", "The reversal is under way; query again shortly"),
    "returned": ("已撤销，款项正在原路退回", "Reversed; the money is on its way back"),
    "came_late": ("顾客迟到的付款已自动退回", "A late payment was returned by itself"),
    "no_answer": (
        "支付渠道没有应答，请查询结果，不要重复收款",
        "No answer from the channel; query, do not charge again",
    ),
}


def words_of(reason_code: str, lang: str) -> str | None:
    """The sentence for a reason; None where there is nothing to say."""
    if not reason_code:
        return None
    zh, en = REASONS.get(reason_code, REASONS["no_answer"])
    return zh if lang == "zh-CN" else en
