"""How payments speak to the books: the only place of this domain that knows the ledger's standard postings."""

from __future__ import annotations

from collections.abc import Iterable

from octshop_rt.commerce.ledger import postings
from octshop_rt.commerce.ledger.model import Posting
from octshop_rt.commerce.payment.model import Attempt, Payment, Refund
from octshop_rt.core.clock import Millis
from octshop_rt.core.money import Fen
from octshop_rt.events import PaymentPart


def won(payment: Payment, attempt: Attempt, owner: str, at: Millis) -> Posting:
    """The channel owes us, we owe the shops."""
    return postings.payment_received(
        attempt_id=attempt.id,
        channel=attempt.channel,
        channel_account=owner,
        parts=[postings.part_of(part) for part in payment.parts],
        at=at,
        scope=postings.scope_of(payment.parts[0].scope),
    )


def surplus(payment: Payment, attempt: Attempt, owner: str, at: Millis) -> Posting:
    """The channel owes us, we owe it back to the payer."""
    return postings.surplus_received(
        attempt_id=attempt.id,
        channel=attempt.channel,
        channel_account=owner,
        amount_fen=attempt.amount_fen,
        at=at,
        scope=postings.scope_of(payment.parts[0].scope),
    )


def mismatch(payment: Payment, attempt: Attempt, owner: str, paid_fen: Fen, at: Millis) -> Posting:
    """The channel owes us a sum nobody asked for: suspense."""
    return postings.mismatch_received(
        attempt_id=attempt.id,
        channel=attempt.channel,
        channel_account=owner,
        amount_fen=paid_fen,
        at=at,
        scope=postings.scope_of(payment.parts[0].scope),
    )


def held_to_refund(attempt: Attempt, refund: Refund, at: Millis) -> Posting:
    """A held sum goes back to its payer."""
    return postings.suspense_to_refund(attempt_id=attempt.id, amount_fen=refund.amount_fen, at=at)


def refund_asked(part: PaymentPart, refund: Refund, at: Millis) -> Posting:
    """What stood for the shop is owed to the payer."""
    share = postings.Part(
        shop_id=part.scope.shop_id, amount_fen=refund.amount_fen, pending=postings.part_of(part).pending
    )
    return postings.refund_asked(refund_id=refund.id, parts=[share], at=at, scope=postings.scope_of(part.scope))


def refund_done(refund: Refund, channel: str, owner: str, at: Millis) -> Posting:
    """The channel holds less for us, the payer is served."""
    return postings.refund_done(
        refund_id=refund.id, channel=channel, channel_account=owner, amount_fen=refund.amount_fen, at=at
    )


def part_named(parts: Iterable[PaymentPart], subject: str) -> PaymentPart | None:
    """The part a refund names."""
    return next((part for part in parts if part.subject == subject), None)
