"""What the simulated channel remembers: trades, refunds, payment codes, notices, and the switches of its phone page."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.money import Fen

TradeState = Literal["NOTPAY", "USERPAYING", "SUCCESS", "REFUND", "CLOSED", "REVOKED", "PAYERROR"]
TradeKind = Literal["NATIVE", "MICROPAY"]
RefundState = Literal["PROCESSING", "SUCCESS", "CLOSED", "ABNORMAL"]
Decision = Literal["pay", "refuse", "dawdle"]


class Trade(Struct, frozen=True, kw_only=True):
    """One `out_trade_no` of one merchant. `asked` is the order body that made it, to judge a repetition."""

    mchid: str
    appid: str
    out_trade_no: str
    transaction_id: str
    kind: TradeKind
    state: TradeState
    total_fen: Fen
    description: str
    attach: str
    notify_url: str
    asked: str
    created_at: Millis
    expires_at: Millis
    code_url: str = ""
    openid: str = ""
    paid_at: Millis | None = None
    seen_at: Millis | None = None

    @property
    def key(self) -> str:
        """Numbers are unique per merchant only."""
        return f"{self.mchid}/{self.out_trade_no}"

    @property
    def paid(self) -> bool:
        """Money was taken and not given back by a reversal."""
        return self.state in ("SUCCESS", "REFUND")


class RefundRow(Struct, frozen=True, kw_only=True):
    """One `out_refund_no`. Final from `final_at` on, with the outcome `becomes`."""

    mchid: str
    out_refund_no: str
    refund_id: str
    out_trade_no: str
    transaction_id: str
    refund_fen: Fen
    total_fen: Fen
    reason: str
    notify_url: str
    state: RefundState
    becomes: RefundState
    created_at: Millis
    final_at: Millis

    @property
    def key(self) -> str:
        """Numbers are unique per merchant only."""
        return f"{self.mchid}/{self.out_refund_no}"


class PaymentCode(Struct, frozen=True, kw_only=True):
    """What the buyer's phone shows to be scanned: 18 digits, one minute, one use."""

    auth_code: str
    expires_at: Millis
    used_by: str = ""


class Notice(Struct, frozen=True, kw_only=True):
    """A message owed to the merchant, retried until it answers 200 or 204 or the schedule ends."""

    id: str
    mchid: str
    url: str
    event_type: str
    resource: dict[str, Any]
    created_at: Millis
    due_at: Millis
    tries: int = 0
    state: Literal["owed", "taken", "given up", "lost"] = "owed"


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The trouble the channel makes. Counts are used up one call at a time; the rest stays until switched back."""

    notice_late_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 0
    notice_double: bool = False
    notice_lost: bool = False
    notice_forged: bool = False
    notice_probe: bool = False
    notice_wrong_amount: bool = False
    slow_ms: Annotated[int, Meta(ge=0, le=120_000)] = 0
    fail_5xx: Annotated[int, Meta(ge=0, le=1_000)] = 0
    drop_answers: Annotated[int, Meta(ge=0, le=1_000)] = 0
    userpaying_over_fen: Fen = 100_000
    system_error_but_paid: bool = False
    reverse_again: Annotated[int, Meta(ge=0, le=1_000)] = 0
    refund_slow_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 0
    refund_outcome: Literal["SUCCESS", "CLOSED", "ABNORMAL"] = "SUCCESS"
    refund_not_enough: bool = False


class Merchant(Struct, frozen=True, kw_only=True):
    """Who may call: the number, the app, and where its keys lie. What a shop puts into its settings."""

    mchid: str
    appid: str
    name: str
    serial_no: str
    private_key_file: str
    certificate_file: str
    apiv3_key_file: str


class SandboxInProduction(DomainError):
    """The simulator pays with invented money."""

    code = "sandbox.in_production"
    status = 500
    zh = "生产模式下不能启用支付模拟器，请在设置中关闭 sandbox"
    en = "The payment simulator cannot run in production mode; switch it off in the settings"
