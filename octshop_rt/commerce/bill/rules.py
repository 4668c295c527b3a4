"""Pure decisions of bills: what the till is shown of a bill and its payment, and how a day adds up."""

from __future__ import annotations

from octshop_rt.commerce.bill.model import Bill, BillState, Charge
from octshop_rt.commerce.payment.model import Attempt, AttemptState, Payment, PaymentState
from octshop_rt.commerce.payment.rules import ChargeState, charge_state
from octshop_rt.core.clock import MINUTE, Millis, business_day

PREFIX = "bill:"
ALONE_MS = 10 * MINUTE
"""So long a cashier may give back what the same cashier took, without anybody else."""


ASIDE_MS = MINUTE
"""So long after the wish to reverse a till waits for the channel before it may go on without it."""


def bill_of(subject: str) -> str | None:
    """The bill a payment's part is for; None if it is for something else."""
    return subject.removeprefix(PREFIX) if subject.startswith(PREFIX) else None


def may_give_back(bill: Bill, *, by: str, manages: bool, now: Millis) -> bool:
    """Whether this person may give a paid sale back: who manages the shop, or its own cashier within minutes."""
    return manages or (by == f"person:{bill.cashier_id}" and now < (bill.paid_at or bill.created_at) + ALONE_MS)


def of_today(paid_at: Millis, now: Millis) -> bool:
    """Whether the day's takings it belongs to are still open."""
    return business_day(paid_at) == business_day(now)


def charge_of(bill: Bill, payment: Payment, attempt: Attempt | None, now: Millis) -> Charge:
    """A bill as the till shows it."""
    state = _state(bill, payment, attempt, now)
    shows_code = state == "waiting" and attempt is not None
    return Charge(
        id=bill.id,
        payment_id=payment.id,
        method=payment.method,
        state=state,
        amount_fen=bill.amount_fen,
        channel=payment.channel,
        code_url=attempt.code_url if shows_code and attempt is not None else None,
        reason_code=_reason(bill, state, payment, attempt),
        created_at=bill.created_at,
        paid_at=payment.paid_at,
        expires_at=payment.expires_at,
        aside_from=aside_from(bill) if state == "unknown" else None,
        aside=bill.aside_at is not None,
    )


def aside_from(bill: Bill) -> Millis | None:
    """From when an unsettled bill may be set aside. Only what was reversed: money that comes for it goes back."""
    if bill.unwanted_at is None or bill.aside_at is not None:
        return None
    return bill.unwanted_at + ASIDE_MS


def _state(bill: Bill, payment: Payment, attempt: Attempt | None, now: Millis) -> ChargeState:
    if bill.state is BillState.RETURNED:
        return "reversed"
    state = charge_state(payment, attempt, now)
    if bill.unwanted_at is None:
        return state
    if state == "paid":
        return "reversed"  # it goes back: the event that does so is on its way
    # Not to be paid any more: no code is shown for it, and nobody waits for its payer.
    return "unknown" if state in {"waiting", "paying"} else state


def _reason(bill: Bill, state: str, payment: Payment, attempt: Attempt | None) -> str:
    if payment.came_late or (attempt is not None and attempt.surplus):
        return "came_late"
    if bill.state is BillState.RETURNED or (state == "reversed" and payment.state is PaymentState.PAID):
        return "returned"
    if state in {"paid", "waiting", "paying"} or attempt is None:
        return ""
    if attempt.state is AttemptState.REVERSING or (bill.unwanted_at is not None and attempt.open):
        return "reversing"
    if state == "unknown" and attempt.state is not AttemptState.INTEGRITY_HOLD:
        return "no_answer"
    return attempt.reason
