"""Pure rules of the books: what a sound posting is, its net effect on each account, its mirror."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from octshop_rt.commerce.ledger.model import (
    CHART,
    Account,
    AccountKind,
    Entry,
    Posting,
    Side,
    Unbalanced,
    account_of,
)
from octshop_rt.core.money import Fen, SignedFen


class Effect(Struct, frozen=True):
    """What one posting does to one checked account, seen from its normal side."""

    account: Account
    delta_fen: SignedFen


def debit(account: Account, amount_fen: Fen) -> Entry:
    """A debit leg."""
    return Entry(account.name, Side.DEBIT, amount_fen)


def credit(account: Account, amount_fen: Fen) -> Entry:
    """A credit leg."""
    return Entry(account.name, Side.CREDIT, amount_fen)


def prove(entries: Iterable[Entry]) -> None:
    """Raise Unbalanced unless the entries may stand in the books.

    At least two legs, each a positive whole number of fen on an account of the chart, each account once, and per
    currency the debits equal the credits.
    """
    sums: dict[str, SignedFen] = {}
    seen: set[str] = set()
    for entry in entries:
        if entry.amount_fen < 1:
            raise Unbalanced(f"{entry.account}: an entry of {entry.amount_fen}")
        if entry.account in seen:
            raise Unbalanced(f"{entry.account} stands twice in one posting")
        seen.add(entry.account)
        currency = account_of(entry.account).currency
        sums[currency] = sums.get(currency, 0) + _signed(entry)
    if len(seen) < 2:
        raise Unbalanced("a posting has at least two legs")
    if crooked := {currency: total for currency, total in sums.items() if total}:
        raise Unbalanced(f"debits and credits differ by {crooked}")


def effects(entries: Iterable[Entry]) -> list[Effect]:
    """The change of each checked account, sorted by account so that every posting takes its locks in one order."""
    changes = [
        Effect(account, entry.amount_fen if entry.side is account.rule.normal else -entry.amount_fen)
        for entry in entries
        if (account := account_of(entry.account)).rule.checked
    ]
    return sorted(changes, key=lambda effect: effect.account.name)


def mirror(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The same legs on the other side: what a reversal books."""
    return tuple(Entry(entry.account, entry.side.other, entry.amount_fen) for entry in entries)


def same_content(posting: Posting, entries: Iterable[Entry]) -> bool:
    """Whether a posting says what already stands in the books, wherever its legs stand in line."""
    return legs(posting.entries) == legs(entries)


def merge(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Add up legs on the same account and side, and drop those of nothing, so that a builder may list parts freely."""
    sums: dict[tuple[str, Side], Fen] = {}
    for entry in entries:
        key = (entry.account, entry.side)
        sums[key] = sums.get(key, 0) + entry.amount_fen
    return tuple(Entry(account, side, amount_fen) for (account, side), amount_fen in sums.items() if amount_fen)


def normal_balance(kind: AccountKind, debit_fen: Fen, credit_fen: Fen) -> SignedFen:
    """The balance of an account from its sums, positive where it stands on its normal side."""
    return debit_fen - credit_fen if CHART[kind].normal is Side.DEBIT else credit_fen - debit_fen


def legs(entries: Iterable[Entry]) -> list[tuple[str, str, int]]:
    """The legs alone, sorted: what two postings are compared by."""
    return sorted((entry.account, str(entry.side), entry.amount_fen) for entry in entries)


def _signed(entry: Entry) -> SignedFen:
    return entry.amount_fen if entry.side is Side.DEBIT else -entry.amount_fen
