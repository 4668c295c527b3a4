"""Use cases of the books: post once, reverse, hold and resolve, read a balance."""

from __future__ import annotations

from msgspec import structs

from octshop_rt.commerce.ledger import postings, rules, store
from octshop_rt.commerce.ledger.model import (
    Account,
    AlreadyReversed,
    Balance,
    Entry,
    Hold,
    HoldResolved,
    HoldState,
    InsufficientFunds,
    Journal,
    Posting,
    PostingConflict,
    PostingKind,
    account_of,
)
from octshop_rt.core.clock import Clock, Millis, business_day
from octshop_rt.core.errors import NotFound
from octshop_rt.core.ids import Ids
from octshop_rt.core.money import Fen, SignedFen
from octshop_rt.core.mongo import Place, Transaction
from octshop_rt.events import VoucherUsed


class Ledger:
    """The only writer of the books. Every method that writes takes the caller's transaction, so that money and the
    state it belongs to change together or not at all.
    """

    def __init__(self, *, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids

    async def post(self, tx: Transaction, posting: Posting) -> Journal:
        """Book `posting` once. The same ref and content again returns the first journal; other content is
        PostingConflict. InsufficientFunds if a checked account cannot bear its debit. Unbalanced is our own mistake.
        """
        return await self._post(tx, posting)

    async def reverse(self, tx: Transaction, ref: str, *, cause: str, at: Millis) -> Journal:
        """Book the mirror of the journal `ref`, once. The same cause again returns the first reversal."""
        original = await store.by_ref(tx, ref)
        if original is None:
            raise NotFound(ref=ref)
        mirrored = Posting(
            ref=f"reversal:{original.ref}",
            kind=PostingKind.CORRECTION,
            cause=cause,
            entries=rules.mirror(original.entries),
            at=at,
            scope=original.scope,
        )
        before = await store.by_ref(tx, mirrored.ref)
        if before is not None and before.cause != cause:
            raise AlreadyReversed(ref=ref)
        return await self._post(tx, mirrored, reverses=original.id)

    async def hold(
        self,
        tx: Transaction,
        *,
        ref: str,
        account: Account,
        amount_fen: Fen,
        cause: str,
        expires_at: Millis | None = None,
    ) -> Hold:
        """Set `amount_fen` aside on a checked account. Limits are judged now, as if it were spent."""
        if not account.rule.checked:
            raise ValueError(f"{account.name} keeps no balance to hold on")
        before = await store.hold_by_ref(tx, ref)
        if before is not None:
            if (before.account, before.amount_fen, before.cause) != (account.name, amount_fen, cause):
                raise PostingConflict(ref=ref)
            return before
        now = self._clock.now()
        if not await store.shift_held(tx, account.name, amount_fen, now):
            raise InsufficientFunds(account=account.name, asked_fen=amount_fen)
        made = Hold(
            id=self._ids.new("H"),
            ref=ref,
            account=account.name,
            amount_fen=amount_fen,
            captured_fen=0,
            state=HoldState.HELD,
            cause=cause,
            created_at=now,
            expires_at=expires_at,
        )
        await store.add_hold(tx, made)
        return made

    async def post_hold(self, tx: Transaction, hold_ref: str, posting: Posting) -> Journal:
        """Resolve a hold by booking `posting`, which takes at most the held amount from its account; the rest is given
        back. Again with the same posting: the first journal. Resolved otherwise before: HoldResolved.
        """
        before = await store.by_ref(tx, posting.ref)
        if before is not None:
            return self._same(posting, before)
        held = await self._held(tx, hold_ref)
        captured_fen = sum(
            entry.amount_fen
            for entry in posting.entries
            if entry.account == held.account and entry.side is not account_of(held.account).rule.normal
        )
        if not 0 < captured_fen <= held.amount_fen:
            raise ValueError(f"{posting.ref} takes {captured_fen} of a hold of {held.amount_fen}")
        resolved = await store.resolve_hold(
            tx, hold_ref, HoldState.POSTED, captured_fen=captured_fen, reason="", now=self._clock.now()
        )
        if resolved is None:
            raise HoldResolved(state=held.state)
        return await self._post(tx, posting, hold=held)

    async def void_hold(self, tx: Transaction, hold_ref: str, *, reason: str) -> Hold:
        """Give a hold back whole. Again: the same answer. Posted before: HoldResolved."""
        held = await store.hold_by_ref(tx, hold_ref)
        if held is None:
            raise NotFound(ref=hold_ref)
        if held.state is HoldState.VOIDED:
            return held
        now = self._clock.now()
        resolved = await store.resolve_hold(tx, hold_ref, HoldState.VOIDED, captured_fen=0, reason=reason, now=now)
        if resolved is None:
            raise HoldResolved(state=held.state)
        if not await store.shift_held(tx, held.account, -held.amount_fen, now):
            raise AssertionError(f"{held.account} holds less than its hold {hold_ref}")
        return resolved

    async def on_voucher_used(self, tx: Transaction, event: VoucherUsed) -> None:
        """What was sold is now earned: the used share goes from unredeemed to the shop's pending."""
        if event.amount_fen == 0:
            return
        posting = postings.voucher_used(
            redemption_id=event.redemption_id,
            shop_id=event.scope.shop_id,
            amount_fen=event.amount_fen,
            at=event.used_at,
            scope=postings.scope_of(event.scope),
        )
        await self._post(tx, posting)

    async def balance_fen(self, at: Place, account: Account) -> SignedFen:
        """The balance on the account's normal side: kept where it is checked, else summed from the entries."""
        if account.rule.checked:
            kept = await store.kept_balance(at, account.name)
            return 0 if kept is None else kept.balance_fen
        summed = await store.sums(at, account.name)
        if not summed:
            return 0
        return rules.normal_balance(account.kind, summed[0].debit_fen, summed[0].credit_fen)

    async def spendable_fen(self, at: Place, account: Account) -> SignedFen:
        """What a debit or hold may take from a checked account now."""
        kept = await store.kept_balance(at, account.name)
        return 0 if kept is None else kept.spendable_fen

    async def journal(self, at: Place, ref: str) -> Journal | None:
        """The journal of a posting reference."""
        return await store.by_ref(at, ref)

    async def _post(
        self, tx: Transaction, posting: Posting, *, reverses: str | None = None, hold: Hold | None = None
    ) -> Journal:
        rules.prove(posting.entries)
        before = await store.by_ref(tx, posting.ref)
        if before is not None:
            return self._same(posting, before)
        now = self._clock.now()
        pages = await self._move_balances(tx, posting, hold, now)
        journal = Journal(
            id=self._ids.new("J"),
            ref=posting.ref,
            kind=posting.kind,
            cause=posting.cause,
            entries=tuple(_numbered(entry, pages.get(entry.account)) for entry in posting.entries),
            effective_at=posting.at,
            created_at=now,
            business_day=business_day(posting.at),
            scope=posting.scope,
            reverses=reverses,
            hold_id=None if hold is None else hold.id,
        )
        await store.add(tx, journal)
        return journal

    async def _move_balances(
        self, tx: Transaction, posting: Posting, hold: Hold | None, now: Millis
    ) -> dict[str, Balance]:
        pages: dict[str, Balance] = {}
        for effect in rules.effects(posting.entries):
            name = effect.account.name
            if effect.delta_fen > 0:
                page = await store.grow(tx, name, effect.delta_fen, now)
            else:
                freed_fen = hold.amount_fen if hold is not None and hold.account == name else 0
                page = await store.take(tx, name, -effect.delta_fen, now, from_hold_fen=freed_fen)
            if page is None:
                raise InsufficientFunds(account=name, asked_fen=-effect.delta_fen)
            pages[name] = page
        return pages

    async def _held(self, tx: Transaction, hold_ref: str) -> Hold:
        held = await store.hold_by_ref(tx, hold_ref)
        if held is None:
            raise NotFound(ref=hold_ref)
        if held.state is not HoldState.HELD:
            raise HoldResolved(state=held.state)
        return held

    def _same(self, posting: Posting, before: Journal) -> Journal:
        same = before.kind is posting.kind and before.cause == posting.cause
        if not (same and rules.same_content(posting, before.entries)):
            raise PostingConflict(ref=posting.ref)
        return before


def _numbered(entry: Entry, page: Balance | None) -> Entry:
    return entry if page is None else structs.replace(entry, seq=page.seq, after_fen=page.balance_fen)
