"""fsck of after-sale: each case replays and closes, orders and refunds tell the same, and no case is forgotten.

Orders, cases and refunds are read one after the other while people go on: what does not agree is looked at once more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import Struct

from octshop_rt.commerce.aftersale import rules, store
from octshop_rt.commerce.aftersale.model import Case, CaseState
from octshop_rt.commerce.order.checks import AskedBack, asked_back, asked_back_now
from octshop_rt.commerce.order.rules import subject_of
from octshop_rt.commerce.payment.checks import GivenBack, refund_named, refunds_keyed
from octshop_rt.commerce.payment.model import RefundState
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import under_way

# Where a case may stand while its refund stands so; what is said of it on its way is waited for.
_MEETS: dict[RefundState, frozenset[CaseState]] = {
    RefundState.CREATED: frozenset({CaseState.REFUNDING}),
    RefundState.PROCESSING: frozenset({CaseState.REFUNDING}),
    RefundState.SUCCEEDED: frozenset({CaseState.REFUNDED}),
    RefundState.FAILED: frozenset({CaseState.FAILED}),
}
_MONEY_DUE = frozenset({CaseState.AGREED, CaseState.REFUNDING, CaseState.FAILED, CaseState.REFUNDED})


async def cases_close(db: Database) -> AsyncIterator[Finding]:
    """F120: the history gives the state; pieces make the lines, lines make the amount."""
    async for case in store.every(db):
        try:
            told = rules.replayed(case)
        except ValueError as fault:
            yield Finding(check="F120", object_id=case.id, expected="declared steps", found=str(fault))
            continue
        if told != case.state:
            yield Finding(check="F120", object_id=case.id, expected=told, found=case.state)
        by_line = {line.line_id: (line.uses, line.amount_fen) for line in case.lines}
        by_piece = {
            line_id: (sum(one.uses for one in mine), sum(one.amount_fen for one in mine))
            for line_id in {one.line_id for one in case.pieces}
            if (mine := [one for one in case.pieces if one.line_id == line_id])
        }
        amount_fen = sum(line.amount_fen for line in case.lines)
        if by_line != by_piece or amount_fen != case.amount_fen:
            found = f"lines {by_line}, pieces {by_piece}"
            yield Finding(check="F120", object_id=case.id, expected=f"{case.amount_fen} fen", found=found)


async def orders_agree(db: Database) -> AsyncIterator[Finding]:
    """F121: an order's axis is open exactly while a case is, and counts exactly what its cases gave back."""
    async for told in asked_back(db):
        if not await _differs(db, told):
            continue
        again = await asked_back_now(db, told.order_id)
        if again is not None and (wrong := await _differs(db, again)):
            yield Finding(check="F121", object_id=again.order_id, expected=wrong, found=str(again))


async def _differs(db: Database, told: AskedBack) -> str:
    """What the cases say of an order where it says something else."""
    cases = await store.all_of_order(db, told.order_id)
    paid_back = [case for case in cases if case.state is CaseState.REFUNDED]
    uses: dict[str, int] = {}
    for case in paid_back:
        for line_id, count in rules.uses_by_line(case).items():
            uses[line_id] = uses.get(line_id, 0) + count
    open_cases = [case.id for case in cases if case.open]
    refunded_fen = sum(case.amount_fen for case in paid_back)
    if (len(open_cases), refunded_fen, uses) == (int(told.open), told.refunded_fen, told.uses_refunded):
        return ""
    return f"open {open_cases}, {refunded_fen} fen back, uses {uses}"


async def refunds_agree(db: Database) -> AsyncIterator[Finding]:
    """F122, both ways: money goes back for exactly the cases that were agreed, exactly as much, and both know it."""
    async for case in store.every(db):
        if await _money_wrong(db, case):
            fresh = await store.one(db, case.id)
            if fresh is not None and (wrong := await _money_wrong(db, fresh)):
                yield Finding(check="F122", object_id=case.id, expected=f"{fresh.state}, its refund too", found=wrong)
    async for refund in refunds_keyed(db, rules.REFUND_KEY):
        case = await store.one(db, rules.case_of(refund.key) or "")
        if case is None:
            yield Finding(check="F122", object_id=refund.refund_id, expected="a case", found=refund.key)


async def _money_wrong(db: Database, case: Case) -> str:
    """What is wrong between a case and its refund, or nothing."""
    key = rules.refund_key(case.id)
    refund = await refund_named(db, case.payment_id, key)
    if case.state not in _MONEY_DUE:
        return "" if refund is None else f"refund {refund.refund_id}"
    if refund is None:
        return "" if await under_way(db, "RefundDue", "refund_key", key) else "no refund, and none on its way"
    if (refund.subject, refund.amount_fen) != (subject_of(case.order_id), case.amount_fen):
        return f"{refund.amount_fen} fen for {refund.subject}"
    if case.state in _MEETS[refund.state] or await _on_its_way(db, refund):
        return ""
    return f"refund {refund.state}"


async def _on_its_way(db: Database, refund: GivenBack) -> bool:
    return any([await under_way(db, kind, "refund_key", refund.key) for kind in ("RefundSucceeded", "RefundFailed")])


async def none_is_forgotten(db: Database) -> AsyncIterator[Finding]:
    """F123: silence will agree to each case that waits, and somebody asks about each refund on its way."""
    async for case in store.every(db):
        if await _forgotten(db, case):
            fresh = await store.one(db, case.id)
            if fresh is not None and await _forgotten(db, fresh):
                yield Finding(
                    check="F123", object_id=case.id, expected="an event to come", found=f"{fresh.state}, none"
                )


async def _forgotten(db: Database, case: Case) -> bool:
    if case.state is CaseState.ASKED:
        return not await under_way(db, "AftersaleSilent", "aftersale_id", case.id)
    if case.state not in {CaseState.AGREED, CaseState.REFUNDING}:
        return False
    key = rules.refund_key(case.id)
    if await under_way(db, "RefundDue", "refund_key", key):
        return False
    refund = await refund_named(db, case.payment_id, key)
    if refund is None:
        return True
    asked = await under_way(db, "RefundStarted", "refund_id", refund.refund_id)
    return not asked and not await _on_its_way(db, refund)


class HeldBack(Struct, frozen=True):
    """What an order's cases say of one voucher."""

    frozen: int
    refunded: int
    amount_fen: Fen


async def held_back(db: Database, order_id: str, voucher_id: str) -> HeldBack:
    """For the checks of vouchers against cases."""
    cases = await store.all_of_order(db, order_id)
    frozen = [one for case in cases if case.open for one in case.pieces if one.voucher_id == voucher_id]
    back = [
        one for case in cases if case.state is CaseState.REFUNDED for one in case.pieces if one.voucher_id == voucher_id
    ]
    return HeldBack(
        sum(one.uses for one in frozen),
        sum(one.uses for one in back),
        sum(one.amount_fen for one in (*frozen, *back)),
    )


CHECKS: tuple[Check, ...] = (
    Check(id="F120", text="an after-sale case's story gives its state, and its sums close", run=cases_close),
    Check(id="F121", text="orders and their after-sale cases tell the same", run=orders_agree),
    Check(id="F122", text="agreed cases and refunds tell the same, to the fen", run=refunds_agree),
    Check(id="F123", text="no after-sale case is forgotten", run=none_is_forgotten),
)
