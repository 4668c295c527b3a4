"""Pure decisions: what a string is, whether a voucher may be used and why not, what a use is worth, what to issue."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from msgspec import Struct

from octshop_rt.core.clock import MINUTE, SECOND, SHANGHAI, Millis, as_datetime
from octshop_rt.core.money import Fen, split
from octshop_rt.events import PaidLine
from octshop_rt.verify.model import (
    BranchNeeded,
    BranchNotAllowed,
    FullyUsed,
    JustRedeemed,
    LastUse,
    Miss,
    NotEnoughUses,
    NotYetValid,
    Redemption,
    TextKind,
    Uses,
    Voucher,
    VoucherFrozen,
    VoucherOutdated,
    VoucherRefunded,
    VoucherRefusal,
    VoucherState,
)
from octshop_rt.verify.token import looks_like_token

LONGEST_TEXT = 512
SAME_SCAN_MS = 5 * SECOND  # a second scan by the same clerk within this is a double scan, not a second customer
CONFIRM_MS = 5 * MINUTE  # how long a clerk may look at what he scanned before he confirms

# AIM identifiers that some scanners put in front: "]Q3" is QR, "]C1" is Code 128.
_SCANNER_PREFIX = re.compile(r"^\][A-Za-z][0-9A-Za-z]")
_GROUPING = re.compile(r"[\s\-_·]+")
# Payment codes by their issuers' published prefixes: WeChat 10-15, Alipay 25-30, UnionPay 62.
_PAYMENT_CODE = re.compile(r"1[0-5]\d{16}|(?:2[5-9]|30)\d{14,22}|62\d{17}")
_TYPED_CODE = re.compile(r"\d{12}")


class Text(Struct, frozen=True):
    """A scanned or typed string, cleaned, and what it is."""

    kind: TextKind
    digits: str


def classify(text: str) -> Text:
    """What a string is, after removing what scanners and input methods add: ends of line, control characters,
    full-width digits, the scanner's own prefix, and the blanks or dashes of a code typed in groups.
    """
    narrow = unicodedata.normalize("NFKC", text[:LONGEST_TEXT])
    plain = "".join(sign for sign in narrow if unicodedata.category(sign)[0] != "C" or sign in "\t\n\r").strip()
    digits = _GROUPING.sub("", _SCANNER_PREFIX.sub("", plain))
    if len(text) > LONGEST_TEXT or not (digits.isascii() and digits.isdigit()):
        return Text(TextKind.NOTHING, "")
    if looks_like_token(digits):
        return Text(TextKind.VOUCHER, digits)
    if _TYPED_CODE.fullmatch(digits):
        return Text(TextKind.TYPED_CODE, digits)
    if _PAYMENT_CODE.fullmatch(digits):
        return Text(TextKind.PAYMENT_CODE, digits)
    return Text(TextKind.NOTHING, "")


def refusal(
    voucher: Voucher, *, uses: Uses, now: Millis, branch_id: str | None, clerk_id: str
) -> VoucherRefusal | None:
    """Why `uses` uses may not be written off now, the most telling reason first; None if they may.

    The store's conditional update asks the same questions again in one step: this is for the words.
    """
    last = voucher.last_use
    if last is not None and last.clerk_id == clerk_id and now - last.at < SAME_SCAN_MS:
        return JustRedeemed(**told(last, full_name=True), uses_left=voucher.uses_left)
    if voucher.state is VoucherState.REFUNDED:
        return VoucherRefunded()
    if voucher.uses_left == 0 and voucher.uses_frozen:
        return VoucherFrozen(frozen=voucher.uses_frozen)
    if voucher.uses_left == 0:
        return VoucherRefunded() if last is None else FullyUsed(**told(last))
    if voucher.state is VoucherState.EXPIRED or now >= voucher.valid_until:
        return VoucherOutdated(until_text=time_text(voucher.valid_until), valid_until=voucher.valid_until)
    if now < voucher.valid_from:
        return NotYetValid(from_text=time_text(voucher.valid_from), valid_from=voucher.valid_from)
    if voucher.branch_ids and branch_id is None:
        return BranchNeeded(branch_ids=list(voucher.branch_ids))
    if voucher.branch_ids and branch_id not in voucher.branch_ids:
        return BranchNotAllowed(allowed=len(voucher.branch_ids), branch_ids=list(voucher.branch_ids))
    if uses > voucher.uses_left:
        return NotEnoughUses(left=voucher.uses_left, frozen=voucher.uses_frozen)
    return None


def told(last: LastUse, *, full_name: bool = False) -> dict[str, object]:
    """What a refusal tells of the latest use. Times are shown in the shops' own time zone."""
    return {
        "redemption_id": last.redemption_id,
        "used_at": last.at,
        "at_text": time_text(last.at),
        "by": last.clerk_name if full_name else masked(last.clerk_name),
        "branch_id": last.branch_id,
        "uses": last.uses,
    }


def last_use_of(redemption: Redemption) -> LastUse:
    """A redemption as its voucher remembers it."""
    return LastUse(
        redemption_id=redemption.id,
        at=redemption.used_at,
        clerk_id=redemption.clerk_id,
        clerk_name=redemption.clerk_name,
        branch_id=redemption.branch_id,
        uses=redemption.uses,
    )


def worth_fen(voucher: Voucher, uses: Uses) -> Fen:
    """The paid share of the next `uses` uses, written off or refunded: equal shares, and whoever takes the last use
    takes the remainder. So 90 yuan over 5 uses is 18 each, and whatever the order of uses and refunds, all shares
    together are what was paid.
    """
    if uses == voucher.uses_left:
        return voucher.paid_fen - voucher.taken_fen
    return voucher.paid_fen // voucher.uses_total * uses


class Draft(Struct, frozen=True):
    """A voucher to be issued for a paid line; ids and codes are made by who issues it."""

    line: PaidLine
    index: int
    quantity: int
    uses_total: Uses
    paid_fen: Fen


def drafts(lines: Sequence[PaidLine]) -> list[Draft]:
    """Vouchers of a paid order. Goods used once share one voucher per line ("3 of 5 used"); cards with several uses are
    one voucher each, so that one can be given away.
    """
    made: list[Draft] = []
    for line in lines:
        if line.uses_each == 1:
            made.append(Draft(line, 0, line.quantity, line.quantity, line.paid_fen))
            continue
        shares = split(line.paid_fen, [1] * line.quantity)
        made += [Draft(line, index, 1, line.uses_each, share) for index, share in enumerate(shares)]
    return made


class ThrottleRule(Struct, frozen=True):
    """`most` wrong codes within `window_ms` close the door to guesses for `cool_down_ms`."""

    most: int
    window_ms: int = 10 * MINUTE
    cool_down_ms: int = 5 * MINUTE

    def recent(self, misses: Sequence[Miss], now: Millis) -> int:
        """How many guesses count now."""
        return sum(miss.at > now - self.window_ms for miss in misses)


# With 10,000 live codes at a shop, 5 guesses in 10 min of a code that passes its check digit hit one in 700 years.
CLERK_THROTTLE = ThrottleRule(most=5)
SHOP_THROTTLE = ThrottleRule(most=30)


def masked(name: str) -> str:
    """The first character of a name and a star."""
    return f"{name[:1]}*" if name else "*"


def time_text(ms: Millis) -> str:
    """A moment as a clerk reads it: month, day, hours and minutes in the shops' time zone."""
    return as_datetime(ms).astimezone(SHANGHAI).strftime("%m-%d %H:%M")
