"""A hypothesis machine for one order: any order of uses, requests, answers and payings back, against a model."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec import structs

from octshop_rt.commerce.aftersale.model import Case, CaseState
from octshop_rt.commerce.order.model import AftersaleState
from octshop_rt.core import mongo
from octshop_rt.core.clock import TestClock
from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from octshop_rt.sandbox.model import Switches
from octshop_rt.verify.model import Redemption
from tests.aftersale.town import MANAGER, Town, living, outcome

seen: Counter[str] = Counter()


class RefundMachine(RuleBasedStateMachine):
    """The model: how many uses of the one line are used, set aside and paid back, and what each of these was worth."""

    runner: ClassVar[asyncio.Runner]
    town: ClassVar[Town]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @initialize(each=st.integers(1, 4), pieces=st.integers(1, 3), fen=st.integers(1, 997))
    def buy(self, each: int, pieces: int, fen: int) -> None:
        self.run(self._anew())
        sku = self.run(self.town.goods(price_fen=fen, uses_each=each))
        self.order = self.run(self.town.bought((sku, pieces)))
        self.line = self.order.lines[0].id
        self.total, self.paid_fen = each * pieces, fen * pieces
        self.used = self.refunded = self.frozen = 0
        self.used_fen = self.refunded_fen = 0
        self.case: Case | None = None

    async def _anew(self) -> None:
        await self.town.db.wipe(mongo.declared)
        self.town.sandbox.bank.switch(Switches())
        self.town.sandbox.bank.refunds.clear()
        await self.town.furnish()

    @property
    def left(self) -> int:
        return self.total - self.used - self.refunded - self.frozen

    @property
    def waits(self) -> bool:
        return self.case is not None and self.case.state is CaseState.ASKED

    @rule()
    def use(self) -> None:
        answer = self.run(outcome(lambda: self.town.use(self.order)))
        assert isinstance(answer, Redemption) == (self.left > 0), answer
        if isinstance(answer, Redemption):
            self.used += 1
            self.used_fen += answer.amount_fen
            seen["used"] += 1
        elif self.frozen:
            assert answer.code == "verify.frozen"
            seen["refused while frozen"] += 1
        self.run(self.town.settle(2))

    @rule(uses=st.integers(1, 5))
    def ask(self, uses: int) -> None:
        answer = self.run(outcome(lambda: self.town.ask(self.order, **{self.line: uses})))
        if isinstance(answer, DomainError):
            # A share of less than a fen is nothing to give back.
            nothing = answer.code == "aftersale.nothing_to_refund"
            assert self.case is not None or uses > self.left or (nothing and self.paid_fen < self.total), answer
            seen[answer.code] += 1
            return
        assert self.case is None
        assert uses <= self.left
        self.case, self.frozen = answer, uses
        seen["asked"] += 1

    @precondition(lambda self: self.waits)
    @rule(how=st.sampled_from(["withdraw", "refuse"]))
    def end(self, how: str) -> None:
        assert self.case is not None
        if how == "withdraw":
            self.run(self.town.cases.withdraw(self.town.buyer, self.case.id))
        else:
            self.run(self.town.cases.refuse(MANAGER, self.case.id, "已预约"))
        self.case, self.frozen = None, 0
        seen[how] += 1

    @precondition(lambda self: self.waits)
    @rule(silent=st.booleans(), held_up=st.booleans())
    def agree(self, silent: bool, held_up: bool) -> None:
        assert self.case is not None
        if held_up:
            self.town.switch(refund_outcome="ABNORMAL")
        if silent:
            self.town.clock.advance(self.case.decide_until - self.town.clock.now())
        else:
            self.run(self.town.cases.agree(MANAGER, self.case.id))
        self.run(self.town.settle(6))
        self.town.switch()
        if held_up:
            self.case = self.run(self.town.case(self.case))
            assert self.case is not None and self.case.state is CaseState.FAILED
            seen["held up"] += 1
            return
        self.paid_back()
        seen["silence" if silent else "agreed"] += 1

    @precondition(lambda self: self.case is not None and self.case.state is CaseState.FAILED)
    @rule()
    def press_on(self) -> None:
        assert self.case is not None
        bank = self.town.sandbox.bank
        for key, row in list(bank.refunds.items()):  # a person has seen to it at the channel's own desk
            bank.refunds[key] = structs.replace(row, state="SUCCESS")
        self.run(self.town.cases.press_on(MANAGER, self.case.id))
        self.run(self.town.settle(6))
        self.paid_back()
        seen["pressed on"] += 1

    def paid_back(self) -> None:
        assert self.case is not None
        done = self.run(self.town.case(self.case))
        assert done.state is CaseState.REFUNDED
        self.refunded += self.frozen
        self.refunded_fen += done.amount_fen
        self.case, self.frozen = None, 0

    @invariant()
    def counts_and_sums_agree(self) -> None:
        if not hasattr(self, "order"):
            return
        order = self.run(self.town.order(self.order))
        assert (order.lines[0].uses_done, order.lines[0].uses_refunded) == (self.used, self.refunded)
        assert order.refunded_fen == self.refunded_fen == self.town.given_back_fen()
        assert (order.aftersale_state is AftersaleState.OPEN) == (self.case is not None)
        # A use may be worth nothing: all the money back is not yet the whole order.
        assert (order.aftersale_state is AftersaleState.REFUNDED) == (self.refunded == self.total)
        if not self.left and not self.frozen:
            assert self.used_fen + self.refunded_fen == self.paid_fen

    def teardown(self) -> None:
        if hasattr(self, "order"):
            self.run(self.town.sound())


@pytest.fixture(scope="module", autouse=True)
def ground(mongo_uri: str, channel_keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One town and one event loop for every run of the machine."""
    with asyncio.Runner() as runner:
        db = Database.connect(MongoSettings(uri=mongo_uri, prefix=f"t{os.getpid()}r"))
        runner.run(db.create_indexes(mongo.declared))
        stack = AsyncExitStack()
        town = living(db, TestClock(), channel_keys, tmp_path_factory.mktemp("refunds"))
        RefundMachine.runner, RefundMachine.town = runner, runner.run(stack.enter_async_context(town))
        yield
        runner.run(db.drop())
        runner.run(stack.aclose())  # the town's end closes the database, too


def test_a_walk_through_every_corner_of_the_model() -> None:  # req 2.3.3, 2.3.4, 12.8, 12.9, 17.12, O4, M3
    seen.clear()
    walk = RefundMachine()
    walk.buy(3, 2, 100)
    walk.use()
    walk.ask(5)
    walk.use()
    walk.ask(1)
    walk.counts_and_sums_agree()
    walk.end("withdraw")
    walk.ask(1)
    walk.end("refuse")
    walk.ask(1)
    walk.ask(1)
    walk.agree(silent=False, held_up=False)
    walk.counts_and_sums_agree()
    walk.ask(6)
    walk.ask(1)
    walk.agree(silent=True, held_up=True)
    walk.counts_and_sums_agree()
    walk.press_on()
    walk.ask(2)
    walk.agree(silent=True, held_up=False)
    walk.use()
    walk.counts_and_sums_agree()
    assert walk.left == 0
    walk.teardown()
    assert seen.keys() >= {
        "used", "asked", "refused while frozen", "withdraw", "refuse", "agreed", "silence", "held up", "pressed on",
        "aftersale.already_open", "aftersale.too_many_uses",
    }  # fmt: skip


def test_uses_and_refunds_in_any_order() -> None:  # req 2.3.3, 2.3.4, 12.8, 12.9, 17.12, O4, M3
    seen.clear()
    run_state_machine_as_test(
        RefundMachine,
        settings=settings(
            max_examples=12,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
    # Which corners it finds is chance; that it found none would mean that it never ran.
    assert seen
