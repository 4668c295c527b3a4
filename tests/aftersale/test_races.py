"""Two at once: used or given back, agreed or withdrawn, asked twice, agreed twice. One wins, and all books know it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import pytest
from msgspec import structs

from octshop_rt.commerce.aftersale.model import Case, CaseState
from octshop_rt.core.dispatcher import Dispatcher
from octshop_rt.core.errors import DomainError
from octshop_rt.events import OrderRefunded
from octshop_rt.subscriptions import UNHEARD
from octshop_rt.verify.model import Redemption
from tests.aftersale.town import MANAGER, Town, insist, outcome

T = TypeVar("T")


async def later(ms: int, work: Callable[[], Awaitable[T]]) -> T | DomainError:
    await asyncio.sleep(ms / 1_000)
    return await outcome(work)


@pytest.mark.parametrize("uses_each", [1, 3])
async def test_used_or_asked_back_never_both(town: Town, uses_each: int) -> None:  # req WO3, 12.8, X1
    won = {"used": 0, "asked": 0}
    sku = await town.goods(price_fen=1_000, uses_each=uses_each)
    for number in range(8):
        order = await town.bought((sku, 1))
        wish = town.wish(order, 1_000)
        # Each has a head start now and then, else one side might always be the quicker.
        case, redemption = await asyncio.gather(
            later(number % 2 * 4, partial(town.cases.ask, town.buyer, wish)),
            later((number + 1) % 2 * 4, partial(town.use, order, uses=uses_each)),
        )
        assert isinstance(case, Case) != isinstance(redemption, Redemption), (case, redemption)
        won["asked" if isinstance(case, Case) else "used"] += 1
        (voucher,) = await town.vouchers(order)
        assert sorted((voucher.uses_used, voucher.uses_frozen)) == [0, uses_each]
    await town.settle()
    await town.sound()
    assert sum(won.values()) == 8


async def test_agreed_or_withdrawn_never_both(town: Town) -> None:
    sku = await town.goods()
    orders = [await town.bought((sku, 1)) for _ in range(6)]
    cases = [await town.ask(order) for order in orders]
    for number, case in enumerate(cases):
        both = [
            partial(town.cases.agree, MANAGER, case.id),
            partial(town.cases.withdraw, town.buyer, case.id),
        ]
        answers = await asyncio.gather(*(outcome(one) for one in (both if number % 2 else reversed(both))))
        assert sum(isinstance(answer, Case) for answer in answers) == 1, answers
    await town.settle()
    ended = [await town.case(case) for case in cases]
    assert {case.state for case in ended} <= {CaseState.REFUNDED, CaseState.WITHDRAWN}
    assert town.given_back_fen() == sum(case.amount_fen for case in ended if case.state is CaseState.REFUNDED)
    await town.sound()


async def test_agreed_by_many_and_by_silence_is_one_refund(town: Town) -> None:  # req M7, 2.3.4
    order = await town.bought((await town.goods(), 1))
    case = await town.ask(order)
    town.clock.advance(48 * 3_600_000)
    answers = await asyncio.gather(
        *(insist(partial(town.cases.agree, MANAGER, case.id)) for _ in range(4)), town.app.dispatcher.drain()
    )
    assert {answer.id for answer in answers if isinstance(answer, Case)} == {case.id}
    await town.settle()
    done = await town.case(case)
    assert (done.state, len(done.history)) == (CaseState.REFUNDED, 4)
    assert len(town.sandbox.bank.refunds) == 1
    await town.sound()


async def test_asked_many_times_at_once_is_one_case(town: Town) -> None:  # req X3
    order = await town.bought((await town.goods(), 3))
    same = town.wish(order, 1_990, **{order.lines[0].id: 1})
    others = [structs.replace(same, request_id=town.request_id()) for _ in range(4)]
    answers = await asyncio.gather(
        *(outcome(partial(town.cases.ask, town.buyer, wish)) for wish in (same, same, *others, same))
    )
    made = [answer.id for answer in answers if isinstance(answer, Case)]
    codes = {answer.code for answer in answers if isinstance(answer, DomainError)}
    (case,) = (await town.cases.of_buyer(town.buyer, order_id=order.id, cursor=None))[0]
    # the same wish is answered with its own case however often it comes, and never with what itself has done
    assert made == [case.id] * (3 if case.request_id == same.request_id else 1)
    assert codes == {"aftersale.already_open"}
    (voucher,) = await town.vouchers(order)
    assert voucher.uses_frozen == 1
    await town.sound()


async def test_the_same_wish_many_times_in_flight_is_one_case_for_each(town: Town) -> None:  # req X3
    sku = await town.goods()
    for _ in range(4):
        order = await town.bought((sku, 1))
        wish = town.wish(order, 1_990)
        answers = await asyncio.gather(*(later(ms, partial(town.cases.ask, town.buyer, wish)) for ms in range(12)))
        assert {answer.id if isinstance(answer, Case) else answer.code for answer in answers} == {
            (await town.cases.of_buyer(town.buyer, order_id=order.id, cursor=None))[0][0].id
        }
    await town.sound()


async def test_two_dispatchers_settle_a_refund_once(town: Town) -> None:  # req X3
    sku = await town.goods(price_fen=100, uses_each=3)
    cases = [await town.ask(await town.bought((sku, 1))) for _ in range(5)]
    for case in cases:
        await town.cases.agree(MANAGER, case.id)
    on, other = town.app.foundation, town.app.dispatcher
    handlers = [one for found in other._of.values() for one in found]
    second = Dispatcher(on.db, on.clock, on.bus, handlers, owner="second", unheard=UNHEARD)
    for _ in range(6):
        await asyncio.gather(other.drain(), second.drain())
        town.clock.advance(3_000)
        town.sandbox.bank.age_refunds()
    await town.settle()
    assert {(await town.case(case)).state for case in cases} == {CaseState.REFUNDED}
    assert len(await town.events(OrderRefunded.__name__)) == 5
    assert town.given_back_fen() == 500
    await town.sound()
