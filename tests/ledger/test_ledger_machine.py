"""A hypothesis machine for the books: any order of top-ups, spendings, holds and reversals, against sums of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from octshop_rt.commerce.ledger import postings, rules, store
from octshop_rt.commerce.ledger.checks import CHECKS
from octshop_rt.commerce.ledger.model import (
    Account,
    AccountKind,
    HoldResolved,
    InsufficientFunds,
    Posting,
    PostingConflict,
    PostingKind,
)
from octshop_rt.commerce.ledger.service import Ledger
from octshop_rt.core.clock import TestClock
from octshop_rt.core.fsck import examine
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings

MINE = [store.JOURNALS, store.BALANCES, store.HOLDS]
WALLETS = [Account(AccountKind.MEMBER_WALLET, f"U{number}") for number in range(2)]
CLEARING = postings.channel_clearing("wechat", "1900000001")
amounts = st.integers(1, 500)
whose = st.integers(0, 1)


class LedgerMachine(RuleBasedStateMachine):
    """The model: what each wallet has, what is held on it, and which references have been booked."""

    runner: ClassVar[asyncio.Runner]
    db: ClassVar[Database]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @initialize()
    def open(self) -> None:
        self.run(self.db.wipe(MINE))
        clock = TestClock()
        self.clock, self.ledger = clock, Ledger(clock=clock, ids=Ids(clock))
        self.has = [0, 0]
        self.clearing_fen = 0
        self.booked: dict[str, tuple[Posting, int, int, int]] = {}  # ref -> posting, wallet, its change, clearing's
        self.reversed: set[str] = set()
        self.holds: dict[str, tuple[int, int]] = {}
        self.number = 0

    def ref(self, kind: str) -> str:
        self.number += 1
        return f"{kind}:{self.number}"

    def held(self, who: int) -> int:
        return sum(amount_fen for wallet, amount_fen in self.holds.values() if wallet == who)

    def book(self, posting: Posting, who: int, change_fen: int, clearing_fen: int) -> None:
        self.run(self.db.transact(lambda tx: self.ledger.post(tx, posting)))
        self.booked[posting.ref] = (posting, who, change_fen, clearing_fen)
        self.has[who] += change_fen
        self.clearing_fen += clearing_fen

    def posting(self, kind: str, who: int, amount_fen: int, *, incoming: bool) -> Posting:
        legs = (
            (rules.debit(CLEARING, amount_fen), rules.credit(WALLETS[who], amount_fen))
            if incoming
            else (rules.debit(WALLETS[who], amount_fen), rules.credit(CLEARING, amount_fen))
        )
        return Posting(ref=self.ref(kind), kind=PostingKind.WALLET, cause="machine", entries=legs, at=self.clock.now())

    @rule(who=whose, amount_fen=amounts)
    def top_up(self, who: int, amount_fen: int) -> None:
        self.book(self.posting("top", who, amount_fen, incoming=True), who, amount_fen, amount_fen)

    @rule(who=whose, amount_fen=amounts)
    def spend(self, who: int, amount_fen: int) -> None:
        posting = self.posting("spend", who, amount_fen, incoming=False)
        if amount_fen <= self.has[who] - self.held(who):
            self.book(posting, who, -amount_fen, -amount_fen)
            return
        try:
            self.run(self.db.transact(lambda tx: self.ledger.post(tx, posting)))
            raise AssertionError("spent what was not there")
        except InsufficientFunds:
            return

    @rule(who=whose, amount_fen=amounts)
    def hold(self, who: int, amount_fen: int) -> None:
        ref = self.ref("hold")
        work = self.db.transact(
            lambda tx: self.ledger.hold(tx, ref=ref, account=WALLETS[who], amount_fen=amount_fen, cause="machine")
        )
        try:
            self.run(work)
            assert amount_fen <= self.has[who] - self.held(who)
            self.holds[ref] = (who, amount_fen)
        except InsufficientFunds:
            assert amount_fen > self.has[who] - self.held(who)

    @rule(data=st.data(), void=st.booleans())
    def resolve(self, data: st.DataObject, void: bool) -> None:
        if not self.holds:
            return
        ref = data.draw(st.sampled_from(sorted(self.holds)))
        who, amount_fen = self.holds.pop(ref)
        if void:
            self.run(self.db.transact(lambda tx: self.ledger.void_hold(tx, ref, reason="machine")))
        else:
            captured_fen = data.draw(st.integers(1, amount_fen))
            posting = self.posting("capture", who, captured_fen, incoming=False)
            self.run(self.db.transact(lambda tx: self.ledger.post_hold(tx, ref, posting)))
            self.booked[posting.ref] = (posting, who, -captured_fen, -captured_fen)
            self.has[who] -= captured_fen
            self.clearing_fen -= captured_fen
        late = self.posting("late", who, 1, incoming=False)
        try:
            self.run(self.db.transact(lambda tx: self.ledger.post_hold(tx, ref, late)))
            raise AssertionError("resolved twice")
        except HoldResolved:
            return

    @rule(data=st.data(), amount_fen=amounts)
    def send_again(self, data: st.DataObject, amount_fen: int) -> None:
        if not self.booked:
            return
        posting, who, _, _ = self.booked[data.draw(st.sampled_from(sorted(self.booked)))]
        self.run(self.db.transact(lambda tx: self.ledger.post(tx, posting)))
        other = self.posting("x", who, amount_fen + 1_000, incoming=True)
        claim = Posting(ref=posting.ref, kind=posting.kind, cause=posting.cause, entries=other.entries, at=posting.at)
        try:
            self.run(self.db.transact(lambda tx: self.ledger.post(tx, claim)))
            raise AssertionError("two contents under one reference")
        except PostingConflict:
            return

    @rule(data=st.data())
    def reverse(self, data: st.DataObject) -> None:
        open_refs = sorted(ref for ref in self.booked if ref not in self.reversed)
        if not open_refs:
            return
        ref = data.draw(st.sampled_from(open_refs))
        _, who, change_fen, clearing_fen = self.booked[ref]
        may = change_fen <= self.has[who] - self.held(who)
        for _ in range(2):  # asked twice, done once
            work = self.db.transact(lambda tx: self.ledger.reverse(tx, ref, cause=f"undo {ref}", at=self.clock.now()))
            try:
                self.run(work)
                assert may
            except InsufficientFunds:
                assert not may
        if may:
            self.reversed.add(ref)
            self.has[who] -= change_fen
            self.clearing_fen -= clearing_fen

    @invariant()
    def the_books_agree(self) -> None:
        if not hasattr(self, "ledger"):
            return
        for who, wallet in enumerate(WALLETS):
            assert self.run(self.ledger.balance_fen(self.db, wallet)) == self.has[who] >= 0
            assert self.run(self.ledger.spendable_fen(self.db, wallet)) == self.has[who] - self.held(who) >= 0
        assert self.run(self.ledger.balance_fen(self.db, CLEARING)) == self.clearing_fen
        assert self.run(examine(self.db, CHECKS)).clean


def test_any_order_of_postings(mongo_uri: str):
    # req M5, LE1 to LE5
    with asyncio.Runner() as runner:
        db = Database.connect(MongoSettings(uri=mongo_uri, prefix=f"t{os.getpid()}l"))
        runner.run(db.create_indexes(MINE))
        LedgerMachine.runner, LedgerMachine.db = runner, db
        try:
            run_state_machine_as_test(
                LedgerMachine,
                settings=settings(
                    max_examples=15,
                    stateful_step_count=20,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                ),
            )
        finally:
            runner.run(db.drop())
            runner.run(db.close())
