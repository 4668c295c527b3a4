"""fsck of the books: every journal balances, all entries sum to zero, kept balances and holds equal their entries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from octshop_rt.commerce.ledger import rules, store
from octshop_rt.commerce.ledger.model import (
    AccountKind,
    Entry,
    HoldState,
    Journal,
    Posting,
    PostingKind,
    Unbalanced,
    account_of,
)
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.money import Fen, SignedFen
from octshop_rt.core.mongo import Database


async def journals_balance(db: Database) -> AsyncIterator[Finding]:
    """F40: legs of each journal balance, stand on the chart, and are more than nothing."""
    async for journal in store.all_journals(db):
        fault = _fault(journal)
        if fault:
            yield Finding(check="F40", object_id=journal.ref, expected="debits equal credits", found=fault)


async def everything_sums_to_zero(db: Database) -> AsyncIterator[Finding]:
    """F41: per currency, all debits of all accounts equal all credits."""
    totals: dict[str, SignedFen] = {}
    for one in await store.sums(db):
        currency = one.account.rpartition(":")[2]
        totals[currency] = totals.get(currency, 0) + one.debit_fen - one.credit_fen
    for currency, total_fen in totals.items():
        if total_fen:
            yield Finding(check="F41", object_id=currency, expected="0", found=str(total_fen))


async def kept_balances_equal_entries(db: Database) -> AsyncIterator[Finding]:
    """F42: a kept balance is the sum of its entries, its pages are numbered 1, 2, 3…, held is what its holds say."""
    summed = {one.account: one for one in await store.sums(db)}
    held = await _held(db)
    kept_accounts: set[str] = set()
    async for kept in store.all_balances(db):
        kept_accounts.add(kept.id)
        one = summed.get(kept.id)
        sum_fen = 0 if one is None else rules.normal_balance(account_of(kept.id).kind, one.debit_fen, one.credit_fen)
        if sum_fen != kept.balance_fen:
            yield Finding(check="F42", object_id=kept.id, expected=f"balance {sum_fen}", found=str(kept.balance_fen))
        if held.get(kept.id, 0) != kept.held_fen:
            wanted = f"held {held.get(kept.id, 0)}"
            yield Finding(check="F42", object_id=kept.id, expected=wanted, found=str(kept.held_fen))
        if wrong := _torn_page(await store.pages(db, kept.id), kept.seq):
            yield Finding(check="F42", object_id=kept.id, expected="pages 1, 2, 3… that add up", found=wrong)
    for name in summed:
        if _on_chart(name) and account_of(name).rule.checked and name not in kept_accounts:
            yield Finding(check="F42", object_id=name, expected="a kept balance", found="none")


async def floors_hold(db: Database) -> AsyncIterator[Finding]:
    """F43: nothing was spent that was not there: no such account stands on its wrong side or holds more than it has."""
    for one in await store.sums(db):
        if not _on_chart(one.account):
            continue  # F40 names its journal
        account = account_of(one.account)
        balance_fen = rules.normal_balance(account.kind, one.debit_fen, one.credit_fen)
        if account.rule.never_negative and balance_fen < 0:
            yield Finding(check="F43", object_id=one.account, expected="0 or more", found=str(balance_fen))
    async for kept in store.all_balances(db):
        if kept.spendable_fen < 0:
            yield Finding(
                check="F43", object_id=kept.id, expected=f"held at most {kept.balance_fen}", found=str(kept.held_fen)
            )


async def corrections_have_causes(db: Database) -> AsyncIterator[Finding]:
    """F44 (inside the books): a reversal mirrors its journal; a posted hold has its journal and the other way round."""
    async for journal in store.all_journals(db):
        if journal.reverses is None:
            continue
        original = await store.by_id(db, journal.reverses)
        if original is None or rules.legs(rules.mirror(original.entries)) != rules.legs(journal.entries):
            yield Finding(
                check="F44", object_id=journal.ref, expected=f"the mirror of {journal.reverses}", found="something else"
            )
    async for hold in store.all_holds(db):
        journal = await store.of_hold(db, hold.id)
        if (hold.state is HoldState.POSTED) != (journal is not None):
            yield Finding(
                check="F44",
                object_id=hold.id,
                expected="a journal exactly when posted",
                found=f"{hold.state}, journal {'none' if journal is None else journal.ref}",
            )


CHECKS: tuple[Check, ...] = (
    Check(id="F40", text="the legs of every journal balance", run=journals_balance),
    Check(id="F41", text="all entries of a currency sum to zero", run=everything_sums_to_zero),
    Check(id="F42", text="kept balances equal their entries and holds", run=kept_balances_equal_entries),
    Check(id="F43", text="no account stands below its floor", run=floors_hold),
    Check(id="F44", text="reversals and posted holds agree with their journals", run=corrections_have_causes),
)


async def booked_as(db: Database, posting: Posting) -> str:
    """How the books differ from this posting, account by account; "" if they say the same. For the checks of what must
    be booked. Which number of its own a channel was paid at is not asked: settings may have changed since.
    """
    journal = await store.by_ref(db, posting.ref)
    if journal is None:
        return "not in the books"
    there, wanted = _told(journal.entries), _told(posting.entries)
    return "" if there == wanted else ", ".join(f"{side} {account} {fen}" for account, side, fen in there)


async def booked(db: Database, *kinds: PostingKind) -> AsyncIterator[str]:
    """References of all postings of these kinds. For the checks of what must have a cause."""
    async for journal in store.all_journals(db):
        if journal.kind in kinds:
            yield journal.ref


def _told(entries: Iterable[Entry]) -> list[tuple[str, str, int]]:
    kind = AccountKind.CHANNEL_CLEARING
    return [
        (account.partition("/")[0] if account.startswith(f"{kind}:") else account, side, fen)
        for account, side, fen in rules.legs(entries)
    ]


def _fault(journal: Journal) -> str:
    try:
        rules.prove(journal.entries)
    except ValueError as fault:  # Unbalanced, or an account outside the chart
        return str(fault) if isinstance(fault, Unbalanced) else f"not on the chart: {fault}"
    return ""


def _on_chart(name: str) -> bool:
    try:
        account_of(name)
    except ValueError:
        return False
    return True


async def _held(db: Database) -> dict[str, Fen]:
    held: dict[str, Fen] = {}
    async for hold in store.all_holds(db):
        if hold.state is HoldState.HELD:
            held[hold.account] = held.get(hold.account, 0) + hold.amount_fen
    return held


def _torn_page(pages: list[Entry], last_seq: int) -> str:
    after_fen = 0
    for number, entry in enumerate(pages, start=1):
        grows = entry.side is account_of(entry.account).rule.normal
        after_fen += entry.amount_fen if grows else -entry.amount_fen
        if entry.seq != number:
            return f"page {number} is numbered {entry.seq}"
        if entry.after_fen != after_fen:
            return f"page {number} says {entry.after_fen}, not {after_fen}"
    return "" if len(pages) == last_seq else f"{len(pages)} pages, but numbered up to {last_seq}"
