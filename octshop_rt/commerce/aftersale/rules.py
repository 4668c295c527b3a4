"""Pure decisions of after-sale: what may be asked back, from which vouchers, how a case moves, what is still open."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from octshop_rt.commerce.aftersale.model import (
    LIFE,
    AftersaleLine,
    Case,
    CaseState,
    NothingToRefund,
    NotRefundable,
    Piece,
    RefundLine,
    Step,
    TooManyUses,
    Unused,
    WantedBack,
    Wish,
)
from octshop_rt.commerce.catalog.rules import spec_text
from octshop_rt.commerce.order.model import Order, OrderLine, PaymentState
from octshop_rt.commerce.shop.policy import Policy
from octshop_rt.core.clock import SECOND, Millis
from octshop_rt.core.money import Fen

REFUND_KEY = "aftersale:"


class Take(Struct, frozen=True):
    """So many uses to be taken from one voucher; what they are worth is said by who keeps it."""

    voucher_id: str
    line_id: str
    uses: int
    valid_until: Millis


def fingerprint(wish: Wish) -> str:
    """The content of a request. Equal wishes are equal however their lines were written."""
    content = (wish.order_id, sorted(summed(wish.wanted).items()), wish.reason, wish.words, wish.expected_fen)
    return hashlib.sha256(msgspec.msgpack.encode(content)).hexdigest()[:32]


def summed(wanted: Iterable[WantedBack]) -> dict[str, int]:
    """Uses by line."""
    uses: dict[str, int] = {}
    for one in wanted:
        uses[one.line_id] = uses.get(one.line_id, 0) + one.uses
    return uses


def left_of(line: OrderLine, unused: Iterable[Unused]) -> int:
    """How many uses of a line can be asked back."""
    return sum(one.uses for one in unused if one.line_id == line.id) if line.refundable else 0


def takes(order: Order, unused: Sequence[Unused], wanted: Sequence[WantedBack]) -> list[Take]:
    """Which vouchers give what is wanted; without a wish everything that can be asked back.

    The last voucher of a line gives first, so that the code on top of the buyer's page goes on being good. Refuses
    with NothingToRefund, NotRefundable, TooManyUses.
    """
    if order.payment_state is not PaymentState.PAID or order.payment_id is None:
        raise NothingToRefund
    lines = {line.id: line for line in order.lines}
    wish = summed(wanted) or {line.id: left for line in order.lines if (left := left_of(line, unused))}
    if not wish or not wish.keys() <= lines.keys():
        raise NothingToRefund
    found: list[Take] = []
    for line_id, uses in wish.items():
        line = lines[line_id]
        if not line.refundable:
            raise NotRefundable(title=line.title)
        if uses > (left := left_of(line, unused)):
            raise TooManyUses(title=line.title, left=left)
        found += _from_vouchers([one for one in unused if one.line_id == line_id], uses)
    return found


def _from_vouchers(vouchers: Sequence[Unused], uses: int) -> list[Take]:
    found: list[Take] = []
    for one in reversed(vouchers):
        taken = min(uses - sum(take.uses for take in found), one.uses)
        if taken:
            found.append(Take(one.voucher_id, one.line_id, taken, one.valid_until))
    return found


def piece(take: Take, amount_fen: Fen) -> Piece:
    """A take with what it is worth."""
    return Piece(voucher_id=take.voucher_id, line_id=take.line_id, uses=take.uses, amount_fen=amount_fen)


def decide_until(taken: Iterable[Take], policy: Policy, at: Millis) -> Millis:
    """How long the shop may be silent: its own time, but no longer than the first voucher it takes from is good.

    A refusal gives the uses back, and they must still be good for something then.
    """
    return min((at + policy.aftersale_silence_s * SECOND, *(one.valid_until for one in taken)))


def too_late(case: Case, now: Millis) -> bool:
    """Whether silence has agreed to what nobody has answered."""
    return case.state is CaseState.ASKED and now >= case.decide_until


def opened(
    order: Order, pieces: tuple[Piece, ...], policy: Policy, wish: Wish, *, case_id: str, at: Millis, until: Millis
) -> Case:
    """A case just asked for, with a snapshot of all that binds it: amounts, and `until` when it may be decided."""
    assert order.payment_id, "what is worth money was paid for"
    return Case(
        id=case_id,
        order_id=order.id,
        payment_id=order.payment_id,
        buyer_id=order.buyer_id,
        buyer_masked=order.buyer_masked,
        merchant_id=order.merchant_id,
        shop_id=order.shop_id,
        shop_name=order.shop_name,
        request_id=wish.request_id,
        fingerprint=fingerprint(wish),
        reason=wish.reason,
        words=wish.words,
        lines=case_lines(order, pieces),
        pieces=pieces,
        amount_fen=sum(one.amount_fen for one in pieces),
        state=CaseState.ASKED,
        asked_at=at,
        decide_until=until,
        policy_versions=policy.versions,
        history=(Step(at=at, by=order.buyer_id, before="", after=CaseState.ASKED, reason=wish.reason),),
    )


def case_lines(order: Order, pieces: Sequence[Piece]) -> tuple[AftersaleLine, ...]:
    """What pieces are of, in the order's own words."""
    return tuple(
        AftersaleLine(
            line_id=line.id,
            title=line.title,
            spec=spec_text(line.spec),
            picture=line.picture,
            uses=sum(one.uses for one in mine),
            amount_fen=sum(one.amount_fen for one in mine),
        )
        for line in order.lines
        if (mine := [one for one in pieces if one.line_id == line.id])
    )


def offers(order: Order, unused: Sequence[Unused], pieces: Sequence[Piece]) -> tuple[RefundLine, ...]:
    """Every line with what can be asked back of it and what `pieces` would."""
    chosen = {line.line_id: line for line in case_lines(order, pieces)}
    return tuple(
        RefundLine(
            line_id=line.id,
            title=line.title,
            spec=spec_text(line.spec),
            picture=line.picture,
            refundable=line.refundable,
            uses_left=left_of(line, unused),
            chosen=chosen[line.id].uses if line.id in chosen else 0,
            amount_fen=chosen[line.id].amount_fen if line.id in chosen else 0,
        )
        for line in order.lines
    )


def uses_by_line(case: Case) -> Mapping[str, int]:
    """What a case gives back of each line."""
    return {line.line_id: line.uses for line in case.lines}


def step(case: Case, target: CaseState, *, at: Millis, by: str, reason: str = "") -> Step:
    """The row that takes a case to `target`. ValueError off the table."""
    if not LIFE.may(case.state, target):
        message = f"{case.state} -> {target}"
        raise ValueError(message)
    return Step(at=at, by=by, before=case.state, after=target, reason=reason)


def refund_key(case_id: str) -> str:
    """How payments name the refund of a case: one case is one refund, however often it is asked."""
    return f"{REFUND_KEY}{case_id}"


def case_of(key: str) -> str | None:
    """The case a refund is for, if it is for one."""
    return key.removeprefix(REFUND_KEY) if key.startswith(REFUND_KEY) else None


def replayed(case: Case) -> str:
    """The state as the history tells it, for fsck. ValueError on a step the table does not allow."""
    state = ""
    for step in case.history:
        birth = step.before == "" and step.after == CaseState.ASKED and not state
        if step.before != state or not (birth or (state and LIFE.may(CaseState(state), CaseState(step.after)))):
            message = f"{step.before} -> {step.after} while {state}"
            raise ValueError(message)
        state = step.after
    return state
