"""fsck of vouchers: no use twice, none on what was refunded, each use where and when the voucher allowed it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import Struct

from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Database
from octshop_rt.verify import store, token
from octshop_rt.verify.model import Redemption, Uses, Voucher, VoucherState


async def uses_are_counted(db: Database) -> AsyncIterator[Finding]:
    """F50: a voucher's count is the sum of its redemptions, never more than it has, and its state says the same."""
    async for voucher in store.all_vouchers(db):
        redemptions = await store.redemptions_of_voucher(db, voucher.id)
        used = sum(redemption.uses for redemption in redemptions)
        if used != voucher.uses_used:
            yield _finding("F50", voucher.id, f"{voucher.uses_used} uses redeemed", str(used))
        if voucher.uses_left < 0:
            yield _finding("F50", voucher.id, f"at most {voucher.uses_total} uses taken", f"{voucher.uses_left} left")
        amount_fen = sum(redemption.amount_fen for redemption in redemptions)
        if amount_fen > voucher.taken_fen or voucher.taken_fen > voucher.paid_fen:
            yield _finding(
                "F50",
                voucher.id,
                f"redeemed <= taken {voucher.taken_fen} <= paid {voucher.paid_fen}",
                str(amount_fen),
            )
        if voucher.uses_left == 0 and not voucher.uses_frozen and voucher.taken_fen != voucher.paid_fen:
            yield _finding("F50", voucher.id, f"all of {voucher.paid_fen} taken", str(voucher.taken_fen))
        if voucher.state is VoucherState.USED and voucher.uses_left:
            yield _finding("F50", voucher.id, "nothing left when used", f"{voucher.uses_left} left")
        if voucher.state is VoucherState.EXPIRED and voucher.changed_at < voucher.valid_until:
            yield _finding("F50", voucher.id, f"usable until {voucher.valid_until}", f"ended {voucher.changed_at}")
        if not token.check_digit_fits(voucher.typed_code):
            yield _finding("F50", voucher.id, "a typed code with its check digit", "another digit")


async def refunded_is_not_used(db: Database) -> AsyncIterator[Finding]:
    """F51: a refunded voucher has no use and nothing left to use."""
    async for voucher in store.all_vouchers(db):
        if voucher.state is not VoucherState.REFUNDED:
            continue
        if voucher.uses_used or voucher.uses_refunded != voucher.uses_total:
            found = f"{voucher.uses_used} used, {voucher.uses_refunded} refunded"
            yield _finding("F51", voucher.id, f"all {voucher.uses_total} uses refunded", found)


async def uses_were_allowed(db: Database) -> AsyncIterator[Finding]:
    """F52: each redemption has its voucher, of the same shop, at an allowed branch, in time, worth what it says."""
    async for redemption in store.all_redemptions(db):
        voucher = await store.by_id(db, redemption.voucher_id)
        wrong = "no voucher" if voucher is None else _not_allowed(redemption, voucher)
        if wrong:
            yield _finding("F52", redemption.id, f"a use voucher {redemption.voucher_id} allows", wrong)


CHECKS: tuple[Check, ...] = (
    Check(id="F50", text="each use of a voucher is redeemed once and counted", run=uses_are_counted),
    Check(id="F51", text="no refunded voucher is used", run=refunded_is_not_used),
    Check(id="F52", text="each redemption was allowed by its voucher", run=uses_were_allowed),
)


async def redeemed(db: Database) -> AsyncIterator[tuple[str, str, Fen]]:
    """Every redemption, its shop, and what it was worth. For the checks of what follows from it."""
    async for redemption in store.all_redemptions(db):
        yield redemption.id, redemption.shop_id, redemption.amount_fen


class Issued(Struct, frozen=True):
    """What a voucher says of the sale it came from."""

    voucher_id: str
    order_id: str
    line_id: str
    buyer_id: str
    shop_id: str


async def issued(db: Database) -> AsyncIterator[Issued]:
    """Every voucher. For the checks of vouchers against orders."""
    async for one in store.all_vouchers(db):
        yield Issued(one.id, one.order_id, one.line_id, one.buyer_id, one.shop_id)


async def was_redeemed(db: Database, redemption_id: str) -> bool:
    """Whether there is such a redemption."""
    return await store.redemption(db, redemption_id) is not None


class Counted(Struct, frozen=True):
    """The vouchers of an order line, added up."""

    uses_total: Uses
    uses_used: Uses
    paid_fen: Fen


async def counted(db: Database, order_id: str, line_id: str) -> Counted:
    """For the checks of orders against vouchers."""
    vouchers = [one for one in await store.of_order(db, order_id) if one.line_id == line_id]
    return Counted(
        sum(one.uses_total for one in vouchers),
        sum(one.uses_used for one in vouchers),
        sum(one.paid_fen for one in vouchers),
    )


class SetAside(Struct, frozen=True):
    """What of a voucher is not to be used any more, or not now, and what all that is taken is worth."""

    voucher_id: str
    order_id: str
    frozen: Uses
    refunded: Uses
    taken_fen: Fen
    redeemed_fen: Fen


async def set_aside(db: Database) -> AsyncIterator[SetAside]:
    """Every voucher. For the checks of vouchers against after-sale."""
    async for voucher in store.all_vouchers(db):
        yield await _set_aside(db, voucher)


async def set_aside_now(db: Database, voucher_id: str) -> SetAside | None:
    """The same of one voucher, for a second look."""
    voucher = await store.by_id(db, voucher_id)
    return None if voucher is None else await _set_aside(db, voucher)


async def _set_aside(db: Database, voucher: Voucher) -> SetAside:
    redeemed_fen = sum(one.amount_fen for one in await store.redemptions_of_voucher(db, voucher.id))
    return SetAside(
        voucher.id, voucher.order_id, voucher.uses_frozen, voucher.uses_refunded, voucher.taken_fen, redeemed_fen
    )


def _not_allowed(redemption: Redemption, voucher: Voucher) -> str:
    if redemption.shop_id != voucher.shop_id:
        return f"shop {redemption.shop_id}"
    if voucher.branch_ids and redemption.branch_id not in voucher.branch_ids:
        return f"branch {redemption.branch_id}"
    if not voucher.valid_from <= redemption.used_at < voucher.valid_until:
        return f"used at {redemption.used_at}"
    if (redemption.order_id, redemption.line_id) != (voucher.order_id, voucher.line_id):
        return f"order {redemption.order_id}, line {redemption.line_id}"
    if redemption.uses < 1 or redemption.amount_fen > voucher.paid_fen:
        return f"{redemption.uses} uses worth {redemption.amount_fen}"
    return ""


def _finding(check: str, object_id: str, expected: str, found: str) -> Finding:
    return Finding(check=check, object_id=object_id, expected=expected, found=found)
