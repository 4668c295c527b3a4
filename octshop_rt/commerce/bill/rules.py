"""Pure decisions of bills: what the till is shown of a bill and its payment, and how a day adds up."""

from __future__ import annotations

from octshop_rt.commerce.bill.model import Bill, BillState, Charge
from octshop_rt.commerce.payment.model import Attempt, AttemptState, Payment
from octshop_rt.commerce.payment.rules import charge_state
from octshop_rt.core.clock import Millis

PREFIX = "bill:"


def bill_of(subject: str) -> str | None:
    """The bill a payment's part is for; None if it is for something else."""
    return subject.removeprefix(PREFIX) if subject.startswith(PREFIX) else None


def charge_of(bill: Bill, payment: Payment, attempt: Attempt | None, now: Millis) -> Charge:
    """A bill as the till shows it."""
    state = "reversed" if bill.state is BillState.RETURNED else charge_state(payment, attempt, now)
    shows_code = state == "waiting" and attempt is not None
    return Charge(
        id=bill.id,
        payment_id=payment.id,
        state=state,
        amount_fen=bill.amount_fen,
        channel=payment.channel,
        code_url=attempt.code_url if shows_code and attempt is not None else None,
        reason_code=_reason(bill, state, payment, attempt),
        created_at=bill.created_at,
        paid_at=payment.paid_at,
        expires_at=payment.expires_at,
    )


def _reason(bill: Bill, state: str, payment: Payment, attempt: Attempt | None) -> str:
    if payment.came_late or (attempt is not None and attempt.surplus):
        return "came_late"
    if bill.state is BillState.RETURNED:
        return "returned"
    if state in {"paid", "waiting", "paying"} or attempt is None:
        return ""
    if attempt.state is AttemptState.REVERSING:
        return "reversing"
    if state == "unknown" and attempt.state is not AttemptState.INTEGRITY_HOLD:
        return "no_answer"
    return attempt.reason
