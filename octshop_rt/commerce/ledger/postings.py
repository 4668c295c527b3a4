"""The standard postings, pure: what is booked when money comes in, goes back, is in doubt, or a voucher is used."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from octshop_rt.commerce.ledger.model import Account, AccountKind, Entry, Posting, PostingKind, Scope
from octshop_rt.commerce.ledger.rules import credit, debit, merge
from octshop_rt.core.clock import Millis
from octshop_rt.core.money import Fen
from octshop_rt.events import PaymentPart
from octshop_rt.events import Scope as EventScope

PLATFORM = "platform"
NOWHERE = Scope()


def channel_clearing(channel: str, channel_account: str) -> Account:
    """What a payment channel holds for us, per merchant number, until it settles to the bank."""
    return Account(AccountKind.CHANNEL_CLEARING, f"{channel}/{channel_account}")


def voucher_unredeemed(shop_id: str) -> Account:
    """Sold in this shop, not used yet."""
    return Account(AccountKind.VOUCHER_UNREDEEMED, shop_id)


def shop_pending(shop_id: str) -> Account:
    """Earned by the shop, still inside the refund window."""
    return Account(AccountKind.SHOP_PENDING, shop_id)


def refund_payable() -> Account:
    """Promised back to payers, not yet confirmed by the channel."""
    return Account(AccountKind.REFUND_PAYABLE, PLATFORM)


def suspense() -> Account:
    """Real money whose cause is not proved: a wrong amount, an unknown order. A case with an owner, never income."""
    return Account(AccountKind.SUSPENSE, PLATFORM)


class Part(Struct, frozen=True, kw_only=True):
    """A share of one payment or refund: which shop it belongs to, and the account that holds it until it is earned.

    In-store orders wait in `voucher_unredeemed`; bills and delivered orders wait in `shop_pending`.
    """

    shop_id: str
    amount_fen: Fen
    pending: AccountKind = AccountKind.SHOP_PENDING

    @property
    def account(self) -> Account:
        """Where this share stands."""
        return Account(self.pending, self.shop_id)


def part_of(part: PaymentPart) -> Part:
    """A payment's part as the books see it."""
    return Part(shop_id=part.scope.shop_id, amount_fen=part.amount_fen, pending=AccountKind(part.pending))


def scope_of(scope: EventScope) -> Scope:
    """A scope from outside, as journals carry it."""
    return Scope(merchant_id=scope.merchant_id, shop_id=scope.shop_id, branch_id=scope.branch_id, till_id=scope.till_id)


def payment_received(
    *, attempt_id: str, channel: str, channel_account: str, parts: Iterable[Part], at: Millis, scope: Scope = NOWHERE
) -> Posting:
    """A payment proved by the channel: the channel owes us, we owe the shops. One per winning attempt."""
    shares = list(parts)
    total_fen = sum(part.amount_fen for part in shares)
    return Posting(
        ref=f"payment:{attempt_id}",
        kind=PostingKind.PAYMENT,
        cause=f"attempt:{attempt_id}",
        entries=merge(
            [
                debit(channel_clearing(channel, channel_account), total_fen),
                *(credit(part.account, part.amount_fen) for part in shares),
            ]
        ),
        at=at,
        scope=scope,
    )


def surplus_received(
    *, attempt_id: str, channel: str, channel_account: str, amount_fen: Fen, at: Millis, scope: Scope = NOWHERE
) -> Posting:
    """A second or late success that buys nothing: the money came, so it is owed back to the payer."""
    return _two_legs(
        f"surplus:{attempt_id}",
        PostingKind.SURPLUS,
        f"attempt:{attempt_id}",
        (channel_clearing(channel, channel_account), refund_payable()),
        amount_fen,
        at,
        scope,
    )


def mismatch_received(
    *, attempt_id: str, channel: str, channel_account: str, amount_fen: Fen, at: Millis, scope: Scope = NOWHERE
) -> Posting:
    """A success of another amount than was asked. The money is real, its meaning is not proved: suspense."""
    return _two_legs(
        f"suspense:{attempt_id}",
        PostingKind.SUSPENSE,
        f"attempt:{attempt_id}",
        (channel_clearing(channel, channel_account), suspense()),
        amount_fen,
        at,
        scope,
    )


def suspense_to_refund(*, attempt_id: str, amount_fen: Fen, at: Millis, scope: Scope = NOWHERE) -> Posting:
    """The owner of the case decided to give the money back."""
    return _two_legs(
        f"suspense_resolved:{attempt_id}",
        PostingKind.SUSPENSE_RESOLVED,
        f"attempt:{attempt_id}",
        (suspense(), refund_payable()),
        amount_fen,
        at,
        scope,
    )


def refund_asked(*, refund_id: str, parts: Iterable[Part], at: Millis, scope: Scope = NOWHERE) -> Posting:
    """A refund was granted: what stood for the shops is now owed to the payer."""
    shares = list(parts)
    return Posting(
        ref=f"refund_asked:{refund_id}",
        kind=PostingKind.REFUND_ASKED,
        cause=f"refund:{refund_id}",
        entries=merge(
            [
                *(debit(part.account, part.amount_fen) for part in shares),
                credit(refund_payable(), sum(part.amount_fen for part in shares)),
            ]
        ),
        at=at,
        scope=scope,
    )


def refund_done(
    *, refund_id: str, channel: str, channel_account: str, amount_fen: Fen, at: Millis, scope: Scope = NOWHERE
) -> Posting:
    """The channel confirmed a refund: it holds less for us, and the payer is served."""
    return _two_legs(
        f"refund_done:{refund_id}",
        PostingKind.REFUND_DONE,
        f"refund:{refund_id}",
        (refund_payable(), channel_clearing(channel, channel_account)),
        amount_fen,
        at,
        scope,
    )


def voucher_used(*, redemption_id: str, shop_id: str, amount_fen: Fen, at: Millis, scope: Scope = NOWHERE) -> Posting:
    """Uses of a voucher: what was sold is now earned. The amount is the used share of what was paid for it."""
    return _two_legs(
        f"writeoff:{redemption_id}",
        PostingKind.WRITE_OFF,
        f"redemption:{redemption_id}",
        (voucher_unredeemed(shop_id), shop_pending(shop_id)),
        amount_fen,
        at,
        scope,
    )


def _two_legs(
    ref: str,
    kind: PostingKind,
    cause: str,
    debit_credit: tuple[Account, Account],
    amount_fen: Fen,
    at: Millis,
    scope: Scope,
) -> Posting:
    from_account, to_account = debit_credit
    entries: tuple[Entry, ...] = (debit(from_account, amount_fen), credit(to_account, amount_fen))
    return Posting(ref=ref, kind=kind, cause=cause, entries=entries, at=at, scope=scope)
