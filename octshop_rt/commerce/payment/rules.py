"""Pure decisions of payment: what a success means, when to ask again, what is refundable, whose code was scanned."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

from octshop_rt.commerce.payment.channel import Proof
from octshop_rt.commerce.payment.model import (
    SURPLUS,
    Attempt,
    AttemptState,
    Payment,
    PaymentState,
    PayViewState,
    Refund,
)
from octshop_rt.core.clock import MINUTE, SECOND, Millis
from octshop_rt.core.money import Fen

FIRST_QUESTION_MS = 5 * SECOND
MOST_BETWEEN_QUESTIONS_MS = 5 * MINUTE
BARCODE_QUESTION_MS = 5 * SECOND
BARCODE_WAIT_MS = 45 * SECOND
"""Facts of the channel: the payer has about 45 s for the password; then the last question and the reversal."""
REVERSE_NOT_BEFORE_MS = 15 * SECOND
"""The channel asks to leave 15 s between the payment call and a reversal."""
MOST_PRESSES = 3
"""So many reversals answered with neither yes nor no: then the channel is asked what the trade is."""
CALL_MS = 12 * SECOND
LAST_LOOK_MS = 5 * MINUTE
ASK_AT_MOST_EVERY_MS = 1_500

CodeChannel = Literal["wechat", "alipay", "unionpay"]
ChargeState = Literal["waiting", "paying", "paid", "failed", "unknown", "closed", "reversed"]


def clean_code(text: str) -> str:
    """A scanned text as digits: full-width ones become ASCII, blanks and line ends of scanners go."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def channel_of(code: str) -> CodeChannel | None:
    """Whose payment code `code` (cleaned) is, by length and prefix; None: no payment code at all."""
    if not code.isascii() or not code.isdigit():
        return None
    prefix = int(code[:2])
    if len(code) == 18 and 10 <= prefix <= 15:
        return "wechat"
    if 16 <= len(code) <= 24 and 25 <= prefix <= 30:
        return "alipay"
    if len(code) == 19 and prefix == 62:
        return "unionpay"
    return None


class Verdict(StrEnum):
    """What a proven success does."""

    WINS = "wins"  # the payment is paid by it
    SAME = "same"  # known already
    SURPLUS = "surplus"  # something else has paid for it: give it back
    MISMATCH = "mismatch"  # not the sum that was asked: suspense
    FOREIGN = "foreign"  # another account's: no effect, alarm
    WAIT = "wait"  # a reversal is under way: only its answer counts


def judge(payment: Payment, attempt: Attempt, proof: Proof, *, taken: bool, reversal_refused: bool = False) -> Verdict:
    """Read a success. `taken`: a subject of this payment was paid by another payment."""
    if not proof.ours:
        return Verdict.FOREIGN
    if attempt.state in {AttemptState.SUCCEEDED, AttemptState.INTEGRITY_HOLD}:
        return Verdict.SAME
    if attempt.state is AttemptState.REVERSING and not reversal_refused:
        return Verdict.WAIT
    if proof.amount_fen != attempt.amount_fen or proof.currency != attempt.currency:
        return Verdict.MISMATCH
    if taken or payment.state is PaymentState.PAID:
        return Verdict.SURPLUS
    return Verdict.WINS


def question_delay(attempt: Attempt, round_no: int) -> int:
    """How long after round `round_no` (0 is the first) to ask again: bar codes steadily, others backing off."""
    if attempt.state is AttemptState.REVERSING or attempt.method == "native":
        return min(MOST_BETWEEN_QUESTIONS_MS, FIRST_QUESTION_MS * 2 ** min(round_no, 12))
    return BARCODE_QUESTION_MS


def must_reverse(attempt: Attempt, now: Millis) -> bool:
    """A bar-code trade whose payer has had all the time there is."""
    began = attempt.sent_at if attempt.sent_at is not None else attempt.created_at
    return attempt.method == "barcode" and attempt.open and now >= began + BARCODE_WAIT_MS


def may_reverse(attempt: Attempt, now: Millis) -> bool:
    """Whether the channel lets a reversal be sent yet."""
    began = attempt.sent_at if attempt.sent_at is not None else attempt.created_at
    return now >= began + REVERSE_NOT_BEFORE_MS


def view_state(payment: Payment, attempt: Attempt | None) -> PayViewState:
    """What a payer's page says."""
    if payment.state is PaymentState.PAID:
        return "paid"
    if attempt is not None and attempt.state is AttemptState.INTEGRITY_HOLD:
        return "unknown"
    if payment.state is PaymentState.CLOSED:
        return "closed"
    if attempt is not None and attempt.code_url and attempt.state is AttemptState.PENDING_USER:
        return "waiting"
    return "unknown"


def left_to_refund_fen(payment: Payment, subject: str, refunds: Iterable[Refund]) -> Fen:
    """What of a part may still go back. A refund the channel refused for good still counts: a person settles it, and
    the money may leave by another way.
    """
    if payment.state is not PaymentState.PAID:
        return 0
    paid_fen = sum(part.amount_fen for part in payment.parts if part.subject == subject)
    given_fen = sum(one.amount_fen for one in refunds if one.subject == subject)
    return max(0, paid_fen - given_fen)


def surplus_left_fen(attempt: Attempt, refunds: Iterable[Refund]) -> Fen:
    """What of a surplus or held attempt may still go back."""
    whole_fen = attempt.paid_fen or 0
    given_fen = sum(one.amount_fen for one in refunds if one.subject == SURPLUS and one.attempt_id == attempt.id)
    return max(0, whole_fen - given_fen)


def charge_state(payment: Payment, attempt: Attempt | None, now: Millis) -> ChargeState:
    """Paid, not paid, or not known: three answers, and the ways to each."""
    if payment.state is PaymentState.PAID:
        return "reversed" if payment.came_late else "paid"
    if attempt is None:
        return "closed"
    if attempt.state is AttemptState.SUCCEEDED and payment.state is PaymentState.PAYING:
        # Read one after the other, with the commit of both in between: paid, as the next look will say.
        return "waiting" if attempt.method == "native" else "paying"
    ended: dict[AttemptState, ChargeState] = {
        AttemptState.FAILED: "failed",
        AttemptState.CLOSED: "closed",
        AttemptState.REVERSED: "reversed",
        AttemptState.SUCCEEDED: "reversed",  # for another payment of the same bill: given back
    }
    if attempt.state in ended:
        return ended[attempt.state]
    if attempt.state in {AttemptState.REVERSING, AttemptState.UNKNOWN, AttemptState.INTEGRITY_HOLD}:
        return "unknown"
    if attempt.state is AttemptState.PENDING_USER:
        return "waiting" if attempt.method == "native" else "paying"
    began = attempt.sent_at if attempt.sent_at is not None else attempt.created_at
    return "paying" if now < began + CALL_MS else "unknown"
