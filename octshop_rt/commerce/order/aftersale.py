"""The after-sale axis of an order: opened by a case, and where it stands when the case has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from octshop_rt.commerce.order import rules, store
from octshop_rt.commerce.order.model import AftersaleState, FulfilmentState, Order, Transition
from octshop_rt.commerce.order.store import Move
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import Busy, NotFound
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Place, Transaction


async def order_of(at: Place, order_id: str) -> Order:
    """For the domain above, which has seen whose it is. NotFound if there is none."""
    order = await store.one(at, order_id)
    if order is None:
        raise NotFound
    return order


async def open_case(tx: Transaction, order: Order, *, case_id: str, at: Millis, by: str) -> None:
    """None or partly refunded -> open. One document, so two cases at once end in one. Busy if it moved meanwhile."""
    await _step(tx, order, AftersaleState.OPEN, at=at, by=by, reason=f"case {case_id}")


async def close_case(tx: Transaction, order_id: str, *, case_id: str, at: Millis, by: str) -> None:
    """A case ended without money: the axis is where it was before."""
    order = await order_of(tx, order_id)
    target = AftersaleState.PARTLY_REFUNDED if order.refunded_fen else AftersaleState.NONE
    await _step(tx, order, target, at=at, by=by, reason=f"case {case_id}")


async def settle_case(
    tx: Transaction, order_id: str, *, case_id: str, at: Millis, by: str, uses: Mapping[str, int], amount_fen: Fen
) -> bool:
    """A case gave `amount_fen` back for so many uses of each line; whether the whole order has gone back now."""
    order = await order_of(tx, order_id)
    lines, refunded_fen = rules.after_refund(order, uses), order.refunded_fen + amount_fen
    whole = rules.all_back(lines, refunded_fen, order.payable_fen)
    also: dict[str, Any] = {f"lines.{i}.uses_refunded": line.uses_refunded for i, line in enumerate(lines)}
    also["refunded_fen"] = refunded_fen
    target = AftersaleState.REFUNDED if whole else AftersaleState.PARTLY_REFUNDED
    # Where the rest of a partly used order was paid back, its buyer has had all of it.
    await _step(tx, order, target, at=at, by=by, reason=f"case {case_id}", fulfilment=rules.progress(lines), also=also)
    return whole


async def _step(
    tx: Transaction,
    order: Order,
    target: AftersaleState,
    *,
    at: Millis,
    by: str,
    reason: str,
    fulfilment: FulfilmentState | None = None,
    also: Mapping[str, Any] | None = None,
) -> None:
    reached = fulfilment or order.fulfilment_state
    steps = [Transition(at=at, by=by, axis="aftersale", before=order.aftersale_state, after=target, reason=reason)]
    if reached is not order.fulfilment_state:
        before = order.fulfilment_state
        steps.append(Transition(at=at, by=by, axis="fulfilment", before=before, after=reached, reason=reason))
    move = Move(
        axes={
            "aftersale_state": target,
            "fulfilment_state": reached,
            "state": rules.state_of(order.payment_state, reached, target),
        },
        also=also or {},
        steps=tuple(steps),
    )
    if not await store.move(tx, order, move):
        raise Busy
