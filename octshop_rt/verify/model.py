"""What a write-off is made of: vouchers, redemptions, scans, throttles, and every reason to refuse."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.core.money import Fen
from octshop_rt.core.statemachine import Life

Uses = Annotated[int, Meta(ge=0, le=1_000_000, description="number of uses")]
TypedCode = Annotated[str, Meta(pattern=r"^[0-9]{12}$(?!\n)", description="11 random digits and a Damm check digit")]
Number = Annotated[str, Meta(pattern=r"^[0-9]{16}$(?!\n)", description="random; names the voucher inside QR tokens")]


class VoucherState(StrEnum):
    """Whether anything can still be used. How much is counted beside it."""

    ACTIVE = "active"
    USED = "used"
    EXPIRED = "expired"
    REFUNDED = "refunded"


LIFE: Life[VoucherState] = Life(
    "voucher",
    {
        VoucherState.ACTIVE: {VoucherState.USED, VoucherState.EXPIRED, VoucherState.REFUNDED},
        VoucherState.USED: set(),
        VoucherState.EXPIRED: {VoucherState.REFUNDED},
        VoucherState.REFUNDED: set(),
    },
)


class LastUse(Struct, frozen=True, kw_only=True):
    """The latest use, kept on the voucher so that a refusal can say when and by whom without a second query."""

    redemption_id: Id
    at: Millis
    clerk_id: Id
    clerk_name: str
    branch_id: Id | None
    uses: Uses
    amount_fen: Fen = 0


class Voucher(Struct, frozen=True, kw_only=True):
    """A right to `uses_total` uses at one shop.

    `uses_used + uses_frozen + uses_refunded` never passes `uses_total`: one conditional update on this one document
    decides between use and use, and between use and refund. `code_rev` counts up with each use and each refresh, so an
    older QR is void at once. `rev` counts every change, for notices.
    """

    id: Id
    merchant_id: Id
    shop_id: Id
    shop_name: str
    branch_ids: tuple[Id, ...]  # empty: every branch of the shop
    order_id: Id
    line_id: Id
    index: int
    buyer_id: Id
    buyer_masked: str
    sku_id: Id
    title: str
    spec: str
    quantity: int
    uses_total: Uses
    uses_used: Uses = 0
    uses_frozen: Uses = 0
    uses_refunded: Uses = 0
    paid_fen: Fen
    taken_fen: Fen = 0  # what used, frozen and refunded uses are worth
    valid_from: Millis
    valid_until: Millis
    state: VoucherState = VoucherState.ACTIVE
    typed_code: TypedCode
    number: Number
    code_rev: int = 0
    rev: int = 0
    refresh_request: str = ""
    last_use: LastUse | None = None
    created_at: Millis
    changed_at: Millis

    @property
    def uses_left(self) -> Uses:
        """What a clerk may still write off now."""
        return self.uses_total - self.uses_used - self.uses_frozen - self.uses_refunded


class Way(StrEnum):
    """How the code came to us."""

    QR = "qr"
    TYPED = "typed"


class Redemption(Struct, frozen=True, kw_only=True):
    """A fact: these uses were written off. Never changed; an undo will be a row of its own."""

    id: Id
    merchant_id: Id
    shop_id: Id
    branch_id: Id | None
    voucher_id: Id
    order_id: Id
    line_id: Id
    buyer_id: Id
    title: str
    spec: str
    uses: Uses
    uses_left: Uses
    amount_fen: Fen
    used_at: Millis
    business_day: str
    clerk_id: Id
    clerk_name: str
    way: Way
    request_id: RequestId
    request_hash: str
    code_hash: str
    scan_id: str = ""


class TextKind(StrEnum):
    """What a scanned or typed string is."""

    VOUCHER = "voucher"
    TYPED_CODE = "typed_code"
    PAYMENT_CODE = "payment_code"
    NOTHING = "nothing"


OK = "ok"


# What a refusal may carry. Spelled out, so that MongoDB's own integers come back as plain ones.
Told = int | str | list[str] | None


class ScanRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Audit of one scan or attempt, accepted or refused; the text itself is kept as a hash only.

    The row of an accepted scan is also the clerk's ticket to confirm it (`scan_token` is its id): the buyer's QR may
    change while the clerk reads what it is. Rows of refused redemptions answer a repeated request the same way.
    """

    id: Id
    shop_id: Id
    branch_id: Id | None = None
    clerk_id: Id
    session_id: str
    at: Millis
    kind: TextKind
    outcome: str  # OK or the refusal's code
    text_hash: str
    voucher_id: Id | None = None
    way: Way | None = None
    code_rev: int | None = None
    key_id: int | None = None
    request_id: RequestId | None = None
    request_hash: str = ""
    code_hash: str = ""
    refusal: dict[str, Told] = {}
    expires_at: Millis = 0


class Miss(Struct, frozen=True, kw_only=True):
    """One guess that was wrong, or whose answer is not known yet."""

    id: str
    at: Millis


class Throttle(Struct, frozen=True, kw_only=True):
    """Wrong codes of one clerk or one shop. It survives a restart because it is a row."""

    id: str
    misses: tuple[Miss, ...] = ()
    until: Millis = 0


class VoucherRefusal(DomainError):
    """A code that is not accepted now. Nothing was used."""

    code = "verify.refused"
    status = 409
    zh = "该券暂不能核销"
    en = "This voucher cannot be used now"


class NotAVoucher(VoucherRefusal):
    """The text is no code of ours."""

    code = "verify.not_a_voucher"
    status = 422
    zh = "这不是券码，请扫描买家订单里的券二维码"
    en = "This is not a voucher code; scan the QR in the buyer's order"


class PaymentCodeShown(VoucherRefusal):
    """The buyer shows a payment code where a voucher is wanted."""

    code = "verify.payment_code"
    status = 422
    zh = "这是付款码，不是券码。收款请用收银台"
    en = "This is a payment code, not a voucher. Use the till to take money"


class WrongCheckDigit(VoucherRefusal):
    """A typing error; it cannot be anybody's code."""

    code = "verify.check_digit"
    status = 422
    zh = "券码输入有误，请逐位核对"
    en = "The code was mistyped; compare it digit by digit"


class BadCode(VoucherRefusal):
    """Looks like our QR but is not signed by us."""

    code = "verify.bad_code"
    status = 422
    zh = "二维码无效，可能是伪造或损坏"
    en = "This QR is not genuine, or it is damaged"


class CodeExpired(VoucherRefusal):
    """A genuine QR, shown too long: a screenshot or a sleeping page."""

    code = "verify.code_expired"
    zh = "二维码已过期，请买家在订单页刷新后再扫"
    en = "This QR has expired on screen; ask the buyer to refresh it"


class CodeBurnt(VoucherRefusal):
    """A genuine QR that was used or replaced by a newer one."""

    code = "verify.code_burnt"
    zh = "此二维码已使用或已更换，请买家刷新后再扫"
    en = "This QR has been used or replaced; ask the buyer to refresh it"


class UnknownCode(VoucherRefusal):
    """No such voucher at this shop: absent and foreign look the same on purpose."""

    code = "verify.unknown"
    status = 404
    zh = "本店没有这张券，请核对券码和门店"
    en = "This shop has no such voucher; check the code and the shop"


class NotYetValid(VoucherRefusal):
    """Before its first day."""

    code = "verify.not_yet_valid"
    zh = "该券 {from_text} 起可用"
    en = "This voucher is valid from {from_text}"


class VoucherOutdated(VoucherRefusal):
    """After its last moment."""

    code = "verify.expired"
    zh = "该券已于 {until_text} 过期"
    en = "This voucher expired at {until_text}"


class FullyUsed(VoucherRefusal):
    """Nothing is left; says when and by whom."""

    code = "verify.fully_used"
    zh = "该券已用完：{at_text} 由 {by} 核销"
    en = "This voucher is used up: last used at {at_text} by {by}"


class JustRedeemed(VoucherRefusal):
    """The same clerk's own use a moment ago: a double scan, not a new customer."""

    code = "verify.just_redeemed"
    zh = "您刚刚已核销这张券({at_text}),共 {uses} 次，无需重复操作"
    en = "You have just written off this voucher ({at_text}, {uses} use(s)); nothing more to do"


class NotEnoughUses(VoucherRefusal):
    """Fewer uses are left than asked for."""

    code = "verify.not_enough_uses"
    zh = "该券只剩 {left} 次可用"
    en = "Only {left} use(s) are left on this voucher"


class VoucherRefunded(VoucherRefusal):
    """The money has gone back."""

    code = "verify.refunded"
    zh = "该券已退款，不能核销"
    en = "This voucher has been refunded and cannot be used"


class VoucherFrozen(VoucherRefusal):
    """A refund is being decided; the buyer may withdraw it at the counter."""

    code = "verify.frozen"
    zh = "该券正在退款处理中。买家撤销退款申请后即可核销"
    en = "A refund of this voucher is in progress; it can be used after the buyer withdraws the refund"


class BranchNotAllowed(VoucherRefusal):
    """Another branch of this shop may take it, this one may not."""

    code = "verify.branch_not_allowed"
    zh = "该券不能在本门店使用(可用门店 {allowed} 家)"
    en = "This voucher cannot be used at this branch ({allowed} branch(es) accept it)"


class BranchNeeded(VoucherRefusal):
    """The voucher is for certain branches and the clerk, who works at several, did not say where he is."""

    code = "verify.branch_needed"
    status = 422
    zh = "请先选择您所在的门店"
    en = "Choose the branch you are at first"


class ClerkNotAtBranch(VoucherRefusal):
    """The clerk's grants do not reach that branch."""

    code = "verify.clerk_not_at_branch"
    status = 403
    zh = "您没有该门店的核销权限"
    en = "You may not write off vouchers at that branch"


class ScanStale(VoucherRefusal):
    """The clerk looked too long, or the ticket is not his."""

    code = "verify.scan_stale"
    zh = "扫码结果已失效，请重新扫码"
    en = "This scan is out of date; scan again"


class TooManyAttempts(DomainError):
    """Too many wrong codes. Genuine QRs are still accepted, so customers do not suffer for it."""

    code = "verify.too_many_attempts"
    status = 429
    retry = True
    zh = "错误券码过多，{until_text} 前不能再输入券码，请改为扫描买家的二维码"
    en = "Too many wrong codes; no typed codes until {until_text}. Scanning the buyer's QR still works"


# A repeated request that was refused is refused the same way: the code leads back to its class.
REFUSALS: dict[str, type[VoucherRefusal]] = {
    refusal.code: refusal
    for refusal in (
        NotAVoucher, PaymentCodeShown, WrongCheckDigit, BadCode, CodeExpired, CodeBurnt, UnknownCode, NotYetValid,
        VoucherOutdated, FullyUsed, JustRedeemed, NotEnoughUses, VoucherRefunded, VoucherFrozen, BranchNotAllowed,
        BranchNeeded, ClerkNotAtBranch, ScanStale,
    )
}  # fmt: skip
