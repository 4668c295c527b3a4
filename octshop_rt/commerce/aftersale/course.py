"""How a case goes on, whoever moves it: agreed, ended, pressed on, silent, paid back, held up. Effects in one place."""

from __future__ import annotations

from typing import Any

from octshop_rt.commerce.aftersale import rules, store
from octshop_rt.commerce.aftersale.model import SYSTEM, Case, CaseState, Step
from octshop_rt.commerce.aftersale.vouchers import Vouchers
from octshop_rt.commerce.order import aftersale as order_axis
from octshop_rt.commerce.order.rules import subject_of
from octshop_rt.commerce.payment.refunds import Refunds
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import Busy
from octshop_rt.core.mongo import Transaction
from octshop_rt.core.outbox import Outbox
from octshop_rt.events import (
    AftersaleMoved,
    AftersaleSilent,
    OrderRefunded,
    RefundDue,
    RefundFailed,
    RefundSucceeded,
)

SILENT = "silence"


class Course:
    """The steps of cases. Each takes the caller's transaction; Busy makes whoever called begin again."""

    def __init__(self, *, clock: Clock, outbox: Outbox, vouchers: Vouchers, refunds: Refunds) -> None:
        self._clock = clock
        self._outbox = outbox
        self._vouchers = vouchers
        self._refunds = refunds

    async def agreed(self, tx: Transaction, case: Case, *, by: str, reason: str = "") -> Case:
        """The money is due: agreed, and on its way in the same breath, because nothing lies between the two."""
        now = self._clock.now()
        case = await self._move(tx, case, rules.step(case, CaseState.AGREED, at=now, by=by, reason=reason))
        case = await self._move(tx, case, rules.step(case, CaseState.REFUNDING, at=now, by=SYSTEM))
        await self._outbox.write(
            tx,
            RefundDue(
                refund_key=rules.refund_key(case.id),
                payment_id=case.payment_id,
                subject=subject_of(case.order_id),
                amount_fen=case.amount_fen,
                reason=case.lines[0].title[:40],
            ),
        )
        return case

    async def ended(self, tx: Transaction, case: Case, target: CaseState, *, by: str, reason: str = "") -> Case:
        """Refused or withdrawn: the uses are there again, the order's axis is where it was."""
        now = self._clock.now()
        refusal = {"refusal": reason} if reason else {}
        moved = await self._move(tx, case, rules.step(case, target, at=now, by=by, reason=reason), **refusal)
        for one in case.pieces:
            await self._vouchers.unfreeze(tx, one.voucher_id, one.uses, one.amount_fen)
        await order_axis.close_case(tx, case.order_id, case_id=case.id, at=now, by=by)
        return moved

    async def pressed(self, tx: Transaction, case: Case, *, by: str) -> Case:
        """A person has seen to what held the refund up: the channel is asked about it again."""
        step = rules.step(case, CaseState.REFUNDING, at=self._clock.now(), by=by)
        moved = await self._move(tx, case, step, trouble="")
        await self._refunds.press_on(tx, case.payment_id, rules.refund_key(case.id), by)
        return moved

    async def on_aftersale_silent(self, tx: Transaction, event: AftersaleSilent) -> None:
        """The shop has not answered in its time: that is a yes (2.3.4). An answered case is left alone."""
        case = await store.one(tx, event.aftersale_id)
        if case is not None and case.state is CaseState.ASKED:
            await self.agreed(tx, case, by=SYSTEM, reason=SILENT)

    async def on_refund_succeeded(self, tx: Transaction, event: RefundSucceeded) -> None:
        """The money is back: the uses are paid back, the order counts it, and the house is told."""
        case = await self._refund_of(tx, event.refund_key)
        if case is None or case.state is CaseState.REFUNDED:
            return
        step = rules.step(case, CaseState.REFUNDED, at=event.refunded_at, by=SYSTEM)
        await self._move(tx, case, step, refunded_at=event.refunded_at, trouble="")
        for one in case.pieces:
            await self._vouchers.refunded(tx, one.voucher_id, one.uses)
        whole = await order_axis.settle_case(
            tx,
            case.order_id,
            case_id=case.id,
            at=event.refunded_at,
            by=SYSTEM,
            uses=rules.uses_by_line(case),
            amount_fen=case.amount_fen,
        )
        await self._outbox.write(
            tx,
            OrderRefunded(
                order_id=case.order_id,
                buyer_id=case.buyer_id,
                shop_id=case.shop_id,
                aftersale_id=case.id,
                amount_fen=case.amount_fen,
                whole=whole,
                refunded_at=event.refunded_at,
            ),
        )

    async def on_refund_failed(self, tx: Transaction, event: RefundFailed) -> None:
        """The channel will not by itself: the shop sees to it."""
        case = await self._refund_of(tx, event.refund_key)
        if case is None or case.state is not CaseState.REFUNDING:
            return
        step = rules.step(case, CaseState.FAILED, at=self._clock.now(), by=SYSTEM, reason=event.trouble)
        await self._move(tx, case, step, trouble=event.trouble)

    async def tell(self, tx: Transaction, case: Case) -> None:
        """Pages that show the case, its order or its vouchers look again."""
        await self._outbox.write(
            tx,
            AftersaleMoved(
                aftersale_id=case.id,
                order_id=case.order_id,
                buyer_id=case.buyer_id,
                shop_id=case.shop_id,
                state=case.state,
                voucher_ids=tuple(one.voucher_id for one in case.pieces),
            ),
        )

    async def _refund_of(self, tx: Transaction, refund_key: str) -> Case | None:
        case_id = rules.case_of(refund_key)
        return None if case_id is None else await store.one(tx, case_id)

    async def _move(self, tx: Transaction, case: Case, step: Step, **sets: Any) -> Case:
        moved = await store.move(tx, case, step, **sets)
        if moved is None:
            raise Busy
        await self.tell(tx, moved)
        return moved
