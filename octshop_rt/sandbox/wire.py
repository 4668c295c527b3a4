"""Bodies of the API v3 as this simulator reads and writes them. Unknown fields are allowed in, as at the real one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from octshop_rt.core.clock import SHANGHAI, Millis, as_datetime, from_datetime
from octshop_rt.core.money import Fen
from octshop_rt.sandbox.model import RefundRow, Trade
from octshop_rt.sandbox.refusals import param_error

OutTradeNo = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_|*-]{6,32}$(?!\n)")]
OutRefundNo = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_|*@-]{1,64}$(?!\n)")]
Asked = TypeVar("Asked", bound=Struct)


class Amount(Struct, frozen=True):
    """`total` is an integer of fen, at least one."""

    total: Annotated[int, Meta(ge=1, le=10**13)]
    currency: str = "CNY"


class NativeOrder(Struct, frozen=True):
    """POST /v3/pay/transactions/native"""

    appid: str
    mchid: str
    description: Annotated[str, Meta(min_length=1, max_length=127)]
    out_trade_no: OutTradeNo
    notify_url: Annotated[str, Meta(pattern=r"^https?://[^?\s]+$(?!\n)", max_length=255)]
    amount: Amount
    time_expire: str | None = None
    attach: Annotated[str, Meta(max_length=128)] = ""
    goods_tag: str | None = None


class CodePayer(Struct, frozen=True):
    """The scanned text."""

    auth_code: str


class StoreInfo(Struct, frozen=True):
    """Where the till stands."""

    id: str | None = None
    out_id: str | None = None


class CodeScene(Struct, frozen=True):
    """Which till asks."""

    device_id: str | None = None
    device_ip: str | None = None
    store_info: StoreInfo | None = None


class CodePayment(Struct, frozen=True):
    """POST /v3/pay/transactions/codepay"""

    appid: str
    mchid: str
    description: Annotated[str, Meta(min_length=1, max_length=127)]
    out_trade_no: OutTradeNo
    payer: CodePayer
    amount: Amount
    scene_info: CodeScene
    attach: Annotated[str, Meta(max_length=128)] = ""


class CloseBody(Struct, frozen=True):
    """POST …/close"""

    mchid: str


class ReverseBody(Struct, frozen=True):
    """POST …/reverse"""

    appid: str
    mchid: str


class RefundAmount(Struct, frozen=True):
    """`total` repeats the payment's amount, to be compared."""

    refund: Annotated[int, Meta(ge=1, le=10**13)]
    total: Annotated[int, Meta(ge=1, le=10**13)]
    currency: str


class RefundOrder(Struct, frozen=True):
    """POST /v3/refund/domestic/refunds"""

    out_refund_no: OutRefundNo
    amount: RefundAmount
    transaction_id: str | None = None
    out_trade_no: str | None = None
    reason: Annotated[str, Meta(max_length=80)] = ""
    notify_url: str = ""


def parse(body: bytes, shape: type[Asked]) -> Asked:
    """Decode or refuse with PARAM_ERROR."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise param_error(str(fault)) from None


def rfc3339(ms: Millis) -> str:
    """As the channel writes times: Shanghai, to the second."""
    return as_datetime(ms).astimezone(SHANGHAI).isoformat(timespec="seconds")


def expiry(text: str | None, default: Millis) -> Millis:
    """`time_expire` in milliseconds."""
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise param_error("time_expire") from None
    if moment.tzinfo is None:
        raise param_error("time_expire")
    return from_datetime(moment)


_STATE_WORDS = {
    "NOTPAY": "订单未支付",
    "USERPAYING": "用户支付中，需要输入密码",
    "SUCCESS": "支付成功",
    "REFUND": "转入退款",
    "CLOSED": "订单已关闭",
    "REVOKED": "订单已撤销",
    "PAYERROR": "支付失败",
}


def transaction(trade: Trade, extra_fen: Fen = 0) -> dict[str, Any]:
    """The query answer and the plaintext of a payment notice. Fields beyond ids and state are absent while unpaid."""
    answer: dict[str, Any] = {
        "appid": trade.appid,
        "mchid": trade.mchid,
        "out_trade_no": trade.out_trade_no,
        "trade_state": trade.state,
        "trade_state_desc": _STATE_WORDS[trade.state],
        "attach": trade.attach,
        "promotion_detail": [],
    }
    if trade.paid_at is None:
        return answer
    total = trade.total_fen + extra_fen
    return answer | {
        "transaction_id": trade.transaction_id,
        "trade_type": trade.kind,
        "bank_type": "OTHERS",
        "success_time": rfc3339(trade.paid_at),
        "payer": {"openid": trade.openid},
        "amount": {"total": total, "payer_total": total, "currency": "CNY", "payer_currency": "CNY"},
    }


def refund(row: RefundRow) -> dict[str, Any]:
    """The answer of refund and refund query."""
    answer: dict[str, Any] = {
        "refund_id": row.refund_id,
        "out_refund_no": row.out_refund_no,
        "transaction_id": row.transaction_id,
        "out_trade_no": row.out_trade_no,
        "channel": "ORIGINAL",
        "user_received_account": "支付用户零钱",
        "create_time": rfc3339(row.created_at),
        "status": row.state,
        "funds_account": "AVAILABLE",
        "amount": {
            "total": row.total_fen,
            "refund": row.refund_fen,
            "payer_total": row.total_fen,
            "payer_refund": row.refund_fen,
            "settlement_refund": row.refund_fen,
            "settlement_total": row.total_fen,
            "discount_refund": 0,
            "currency": "CNY",
            "from": [],
        },
        "promotion_detail": [],
    }
    if row.state == "SUCCESS":
        answer["success_time"] = rfc3339(row.final_at)
    return answer


def refund_notice(row: RefundRow) -> dict[str, Any]:
    """The plaintext of a refund notice."""
    answer: dict[str, Any] = {
        "mchid": row.mchid,
        "transaction_id": row.transaction_id,
        "out_trade_no": row.out_trade_no,
        "refund_id": row.refund_id,
        "out_refund_no": row.out_refund_no,
        "refund_status": row.state,
        "user_received_account": "支付用户零钱",
        "amount": {
            "total": row.total_fen,
            "refund": row.refund_fen,
            "payer_total": row.total_fen,
            "payer_refund": row.refund_fen,
        },
    }
    if row.state == "SUCCESS":
        answer["success_time"] = rfc3339(row.final_at)
    return answer
