"""A hypothesis machine for one voucher: any order of scans, uses, refunds, refreshes and time, against a model."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from octshop_rt.core.clock import DAY, TestClock
from octshop_rt.core.errors import DomainError, NotFound
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import ROWS
from octshop_rt.core.settings import MongoSettings
from octshop_rt.verify import store
from octshop_rt.verify.model import CodeBurnt, CodeExpired, Redemption, VoucherFrozen, VoucherState
from tests.verify.desk import BUYER, CLERK, OTHER_CLERK, STRANGER, House

MINE = [store.VOUCHERS, store.REDEMPTIONS, store.SCANS, store.THROTTLES, ROWS]
CLERKS = {"mine": CLERK, "other": OTHER_CLERK, "stranger": STRANGER}
DAYS = 3


class VoucherMachine(RuleBasedStateMachine):
    """The model: how many uses are used, frozen and refunded, which pictures are still good, and what was answered."""

    runner: ClassVar[asyncio.Runner]
    db: ClassVar[Database]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @initialize(total=st.integers(1, 6), paid_fen=st.integers(0, 10_000))
    def sell(self, total: int, paid_fen: int) -> None:
        self.run(self.db.wipe(MINE))
        self.house = House(self.db, TestClock())
        now = self.house.clock.now()
        sold = self.house.sell(uses_each=total, paid_fen=paid_fen, valid_until=now + DAYS * DAY)
        self.voucher = self.run(sold)
        self.total, self.paid_fen, self.until = total, paid_fen, now + DAYS * DAY
        self.used, self.refunded = 0, 0
        self.frozen: list[tuple[int, int]] = []
        self.amounts_fen: list[int] = []
        self.picture, self.picture_good = "", False
        self.answers: dict[str, tuple[dict[str, Any], Redemption | DomainError]] = {}
        self.last_by: tuple[str, int] = ("", 0)

    @property
    def left(self) -> int:
        return self.total - self.used - self.refunded - sum(uses for uses, _ in self.frozen)

    @property
    def over(self) -> bool:
        return self.house.clock.now() >= self.until

    def ask(self, who: str, text: str, uses: int, request_id: str) -> Redemption | DomainError:
        try:
            return self.run(self.house.redeem(text, by=CLERKS[who], uses=uses, request_id=request_id))
        except DomainError as refusal:
            return refusal

    def use(self, who: str, text: str, uses: int, *, code_good: bool) -> None:
        asked = {"who": who, "text": text, "uses": uses}
        request_id = self.house.request_id()
        just_did = self.last_by[0] == CLERKS[who].person_id and self.house.clock.now() - self.last_by[1] < 5_000
        may = who != "stranger" and not self.over and not just_did and code_good and uses <= self.left
        answer = self.ask(who, text, uses, request_id)
        self.answers[request_id] = (asked, answer)
        assert isinstance(answer, Redemption) == may, answer
        if isinstance(answer, Redemption):
            self.used += uses
            self.amounts_fen.append(answer.amount_fen)
            self.picture_good = False
            self.last_by = (CLERKS[who].person_id, self.house.clock.now())
            assert answer.uses_left == self.left
        elif who == "stranger":
            assert answer.code in {"verify.unknown", "verify.code_expired", "verify.too_many_attempts"}
            assert not answer.data or answer.code == "verify.too_many_attempts"

    @rule()
    def look(self) -> None:
        try:
            self.picture = self.run(self.house.shown(self.voucher))
            self.picture_good = True
        except DomainError:
            assert self.left == 0 or self.over

    @rule(who=st.sampled_from(sorted(CLERKS)), uses=st.integers(1, 4))
    def scan_the_picture(self, who: str, uses: int) -> None:
        if self.picture:
            self.use(who, self.picture, uses, code_good=self.picture_good)

    @rule(who=st.sampled_from(["mine", "other"]), uses=st.integers(1, 4))
    def type_the_code(self, who: str, uses: int) -> None:
        typed = self.run(self.house.fresh(self.voucher)).typed_code
        self.use(who, typed, uses, code_good=True)

    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        if not self.answers:
            return
        request_id = data.draw(st.sampled_from(sorted(self.answers)))
        asked, first = self.answers[request_id]
        again = self.ask(asked["who"], asked["text"], asked["uses"], request_id)
        if isinstance(first, Redemption):
            assert again == first
        elif first.code != "verify.too_many_attempts":
            assert isinstance(again, DomainError)
            assert (again.code, again.data) == (first.code, first.data)

    @rule()
    def refresh(self) -> None:
        try:
            self.run(self.house.node.codes.refresh(BUYER, self.voucher.id, self.house.request_id()))
            self.picture_good = False
        except DomainError:
            assert self.left == 0 or self.over

    @rule(uses=st.integers(1, 3))
    def ask_a_refund(self, uses: int) -> None:
        may = uses <= self.left
        work = self.db.transact(lambda tx: self.house.node.issuer.freeze(tx, self.voucher.id, uses))
        try:
            self.frozen.append((uses, self.run(work)))
            assert may
        except VoucherFrozen:
            assert not may

    @rule()
    def withdraw_a_refund(self) -> None:
        if self.frozen:
            uses, amount_fen = self.frozen.pop()
            issuer = self.house.node.issuer
            self.run(self.db.transact(lambda tx: issuer.unfreeze(tx, self.voucher.id, uses, amount_fen)))

    @rule()
    def pay_a_refund(self) -> None:
        work = self.house.node.issuer.refunded
        if not self.frozen:
            try:
                self.run(self.db.transact(lambda tx: work(tx, self.voucher.id, 1)))
                raise AssertionError("nothing was frozen")
            except NotFound:
                return
        uses, amount_fen = self.frozen.pop()
        self.run(self.db.transact(lambda tx: work(tx, self.voucher.id, uses)))
        self.refunded += uses
        self.amounts_fen.append(amount_fen)

    @rule(ms=st.sampled_from([1_000, 6_000, 91_000, DAY]))
    def wait(self, ms: int) -> None:
        self.house.clock.advance(ms)
        if ms > 60_000:
            self.picture_good = False
        elif ms and self.picture_good:
            found = (
                self.run(self.house.node.codes.code(BUYER, self.voucher.id)) if self.left and not self.over else None
            )
            # within a minute a picture may have died of age: ask the reader, not the wall
            self.picture_good = found is not None and self._fresh_enough()

    def _fresh_enough(self) -> bool:
        scan = self.house.node.scanner.scan(STRANGER, self.picture)
        try:
            self.run(scan)
        except CodeExpired:
            return False
        except DomainError as refusal:
            return not isinstance(refusal, CodeBurnt)
        return True

    @invariant()
    def counts_agree(self) -> None:
        if not hasattr(self, "voucher"):
            return
        now = self.run(self.house.fresh(self.voucher))
        assert (now.uses_used, now.uses_refunded, now.uses_left) == (self.used, self.refunded, self.left)
        assert now.taken_fen == sum(self.amounts_fen) + sum(amount_fen for _, amount_fen in self.frozen)
        if self.left == 0 and not self.frozen:
            assert sum(self.amounts_fen) == self.paid_fen
        if now.state is VoucherState.REFUNDED:
            assert self.used == 0
        assert self.run(self.house.findings()) == []


def test_any_order_of_scans_uses_and_refunds(mongo_uri: str):
    # req 12.3, 12.4, 12.8, 12.9, X1, X2, X3
    with asyncio.Runner() as runner:
        db = Database.connect(MongoSettings(uri=mongo_uri, prefix=f"t{os.getpid()}v"))
        runner.run(db.create_indexes(MINE))
        VoucherMachine.runner, VoucherMachine.db = runner, db
        try:
            run_state_machine_as_test(
                VoucherMachine,
                settings=settings(
                    max_examples=25,
                    stateful_step_count=20,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                ),
            )
        finally:
            runner.run(db.drop())
            runner.run(db.close())
