"""After-sale, from asking to the money: what is asked, frozen, given back, refused, withdrawn, held up."""

from __future__ import annotations

import msgspec
from msgspec import structs

from octshop_rt import events
from octshop_rt.commerce.aftersale.model import CaseState, Reason, WantedBack
from octshop_rt.commerce.order.model import AftersaleState, FulfilmentState, State
from octshop_rt.commerce.shop.policy import PolicyPatch
from octshop_rt.core.clock import DAY, HOUR
from octshop_rt.core.outbox import ROWS
from octshop_rt.events import OrderRefunded
from octshop_rt.verify.model import VoucherState
from tests.aftersale.town import MANAGER, SHOP, STRANGER, Town, refused


async def test_asked_agreed_refunded(town: Town) -> None:  # req 2.3.2, 2.3.4, 12.8, M3
    order = await town.bought((await town.goods(price_fen=3_335, uses_each=1), 3))
    case = await town.ask(order)
    assert (case.state, case.amount_fen, case.buyer_id) == (CaseState.ASKED, 10_005, order.buyer_id)
    (voucher,) = await town.vouchers(order)
    assert (voucher.uses_frozen, voucher.uses_left) == (3, 0)
    open_order = await town.order(order)
    assert (open_order.aftersale_state, open_order.state) == (AftersaleState.OPEN, State.AFTERSALE)
    assert (await refused(town.use(order))).code == "verify.frozen"  # the clerk is told why
    await town.sound()

    agreed = await town.cases.agree(MANAGER, case.id)
    assert agreed.state is CaseState.REFUNDING
    await town.settle()
    done = await town.case(case)
    assert (done.state, done.refunded_at is not None) == (CaseState.REFUNDED, True)
    assert [(step.before, step.after) for step in done.history] == [
        ("", "asked"), ("asked", "agreed"), ("agreed", "refunding"), ("refunding", "refunded"),
    ]  # fmt: skip
    assert [step.by for step in done.history] == [order.buyer_id, MANAGER.person_id, "system", "system"]
    assert town.given_back_fen() == 10_005
    (voucher,) = await town.vouchers(order)
    assert (voucher.state, voucher.uses_refunded, voucher.uses_frozen) == (VoucherState.REFUNDED, 3, 0)
    after = await town.order(order)
    assert (after.aftersale_state, after.state, after.refunded_fen) == (AftersaleState.REFUNDED, State.REFUNDED, 10_005)
    (told,) = await town.events(OrderRefunded.__name__)
    assert (told["order_id"], told["aftersale_id"], told["amount_fen"], told["whole"]) == (
        order.id, case.id, 10_005, True,
    )  # fmt: skip
    await town.sound()


async def test_the_unused_rest_goes_back_to_the_fen(town: Town) -> None:  # req O4, 12.8, M3, 17.12
    # 90 yuan for 5 uses: one is used, one asked back, then the rest. 18 each, whatever the order.
    order = await town.bought((await town.goods(price_fen=9_000, uses_each=5), 1))
    line_id = order.lines[0].id
    await town.use(order)
    await town.settle(2)
    first = await town.ask(order, **{line_id: 1})
    assert first.amount_fen == 1_800
    await town.cases.agree(MANAGER, first.id)
    await town.settle()
    part = await town.order(order)
    assert (part.aftersale_state, part.state) == (AftersaleState.PARTLY_REFUNDED, State.PARTLY_USED)
    rest = await town.ask(order)
    assert rest.amount_fen == 5_400
    await town.cases.agree(MANAGER, rest.id)
    await town.settle()
    after = await town.order(order)
    assert (after.refunded_fen, after.lines[0].uses_refunded, after.lines[0].uses_done) == (7_200, 4, 1)
    # nothing is left to use: the buyer has had all of it
    assert (after.aftersale_state, after.fulfilment_state, after.state) == (
        AftersaleState.PARTLY_REFUNDED, FulfilmentState.USED, State.DONE,
    )  # fmt: skip
    assert [told["whole"] for told in await town.events(OrderRefunded.__name__)] == [False, False]
    assert (await refused(town.ask(order))).code == "aftersale.nothing_to_refund"
    await town.sound()


async def test_odd_fen_close_over_several_cases(town: Town) -> None:  # req M3
    order = await town.bought((await town.goods(price_fen=100, uses_each=3), 2))
    line_id, amounts = order.lines[0].id, []
    for uses in (1, 2, 2, 1):
        case = await town.ask(order, **{line_id: uses})
        amounts.append(case.amount_fen)
        await town.cases.agree(MANAGER, case.id)
        await town.settle(6)
    assert sum(amounts) == 200 == town.given_back_fen()
    assert (await town.order(order)).aftersale_state is AftersaleState.REFUNDED
    assert [told["whole"] for told in await town.events(OrderRefunded.__name__)] == [False, False, False, True]
    await town.sound()


async def test_lines_are_chosen_and_what_is_not_refundable_stays(town: Town) -> None:  # req 17.8
    good, bad = await town.goods(price_fen=500), await town.goods(price_fen=700, refundable=False, title="特价券")
    order = await town.bought((good, 2), (bad, 1))
    by_title = {line.title: line.id for line in order.lines}
    offer = await town.cases.offer(town.buyer, order.id, ())
    assert offer.amount_fen == 1_000
    assert {line.line_id: (line.uses_left, line.chosen) for line in offer.lines} == {
        by_title["拿铁"]: (2, 2), by_title["特价券"]: (0, 0),
    }  # fmt: skip
    for lines, code in (
        ({by_title["特价券"]: 1}, "aftersale.not_refundable"),
        ({by_title["拿铁"]: 3}, "aftersale.too_many_uses"),
        ({"L-nowhere": 1}, "aftersale.nothing_to_refund"),
    ):
        assert (await refused(town.cases.ask(town.buyer, town.wish(order, 1_000, **lines)))).code == code
    assert (await refused(town.cases.ask(town.buyer, town.wish(order, 999)))).code == "aftersale.amount_changed"
    assert [one.uses_frozen for one in await town.vouchers(order)] == [0, 0]
    assert (await town.ask(order)).amount_fen == 1_000


async def test_only_what_is_paid_and_in_time(town: Town) -> None:  # req 12.6, 12.8
    sku = await town.goods()
    free = await town.bought((await town.goods(price_fen=0), 1))
    assert (await refused(town.ask(free))).code == "aftersale.nothing_to_refund"
    order = await town.bought((sku, 1))
    town.clock.advance(200 * DAY)
    assert (await refused(town.ask(order))).code == "aftersale.nothing_to_refund"
    other = town.somebody()
    assert (await refused(town.cases.offer(other, order.id, ()))).code == "core.not_found"
    assert (await refused(town.cases.ask(other, town.wish(order, 1_990)))).code == "core.not_found"


async def test_one_open_case_and_one_answer_to_a_request(town: Town) -> None:
    order = await town.bought((await town.goods(), 2))
    wish = town.wish(order, 1_990, **{order.lines[0].id: 1})
    case = await town.cases.ask(town.buyer, wish)
    assert await town.cases.ask(town.buyer, wish) == case
    changed = structs.replace(wish, reason=Reason.OTHER)
    assert (await refused(town.cases.ask(town.buyer, changed))).code == "core.request_conflict"
    assert (await refused(town.ask(order))).code == "aftersale.already_open"
    assert (await town.cases.offer(town.buyer, order.id, ())).case_id == case.id
    await town.sound()


async def test_refused_with_a_reason_the_uses_are_there_again(town: Town) -> None:  # req 2.3.4, 12.8
    order = await town.bought((await town.goods(price_fen=100, uses_each=3), 1))
    case = await town.ask(order, **{order.lines[0].id: 2})
    assert (await refused(town.cases.refuse(MANAGER, case.id, "  "))).code == "aftersale.reason_needed"
    assert (await refused(town.cases.refuse(STRANGER, case.id, "x"))).code == "core.not_found"
    said = await town.cases.refuse(MANAGER, case.id, "本品须提前一天申请")
    assert (said.state, said.refusal) == (CaseState.REFUSED, "本品须提前一天申请")
    assert await town.cases.refuse(MANAGER, case.id, "本品须提前一天申请") == said  # again is the same act
    assert (await refused(town.cases.refuse(MANAGER, case.id, "另一个理由"))).code == "aftersale.decided"
    assert (await refused(town.cases.agree(MANAGER, case.id))).code == "aftersale.decided"
    assert (await refused(town.cases.withdraw(town.buyer, case.id))).code == "aftersale.decided"
    assert (await town.order(order)).aftersale_state is AftersaleState.NONE
    for _ in range(3):
        await town.use(order)
    await town.settle()
    assert (await town.order(order)).state is State.DONE
    await town.sound()


async def test_withdrawn_at_the_counter_and_used(town: Town) -> None:  # req 12.9
    order = await town.bought((await town.goods(), 1))
    case = await town.ask(order)
    assert (await refused(town.cases.withdraw(town.somebody(), case.id))).code == "core.not_found"
    gone = await town.cases.withdraw(town.buyer, case.id)
    assert gone.state is CaseState.WITHDRAWN
    assert await town.cases.withdraw(town.buyer, case.id) == gone
    await town.use(order)
    await town.settle()
    assert town.given_back_fen() == 0
    assert (await town.order(order)).state is State.DONE
    await town.sound()


async def test_silence_agrees_after_the_shops_own_time(town: Town) -> None:  # req 2.3.4, 17.7, 17.8
    sku = await town.goods()
    early = await town.ask(await town.bought((sku, 1)))
    assert early.decide_until == early.asked_at + 48 * HOUR
    await town.app.commerce.shops.set_policy(SHOP, PolicyPatch(aftersale_silence_s=3_600), "owner")
    late = await town.ask(await town.bought((sku, 1)))
    assert late.decide_until == late.asked_at + HOUR
    refused_one = await town.ask(await town.bought((sku, 1)))
    await town.cases.refuse(MANAGER, refused_one.id, "已约好时间")
    town.clock.advance(HOUR)
    await town.settle()
    silent = await town.case(late)
    assert (silent.state, silent.history[1].by, silent.history[1].reason) == (CaseState.REFUNDED, "system", "silence")
    # what was asked before the shop changed its time keeps the time it was asked under
    assert (await town.case(early)).state is CaseState.ASKED
    assert (await town.case(refused_one)).state is CaseState.REFUSED
    town.clock.advance(48 * HOUR)
    await town.settle()
    assert (await town.case(early)).state is CaseState.REFUNDED
    await town.sound()


async def test_no_voucher_ends_while_its_request_waits(town: Town) -> None:  # req 2.3.4, 12.6, 12.8
    order = await town.bought((await town.goods(), 1))
    (voucher,) = await town.vouchers(order)
    town.clock.advance(voucher.valid_until - town.clock.now() - HOUR)
    case = await town.ask(order)
    assert case.decide_until == voucher.valid_until < case.asked_at + 48 * HOUR
    town.clock.advance(HOUR)
    assert (await refused(town.cases.refuse(MANAGER, case.id, "已过期"))).code == "aftersale.too_late"
    await town.settle()
    assert ((await town.case(case)).state, town.given_back_fen()) == (CaseState.REFUNDED, 1_990)
    (voucher,) = await town.vouchers(order)
    assert voucher.state is VoucherState.REFUNDED
    await town.sound()


async def test_after_its_time_a_request_is_neither_refused_nor_withdrawn(town: Town) -> None:  # req 2.3.4
    sku = await town.goods()
    late, early = await town.ask(await town.bought((sku, 1))), await town.ask(await town.bought((sku, 1)))
    town.clock.advance(late.decide_until - town.clock.now() - 1)
    assert (await town.cases.withdraw(town.buyer, early.id)).state is CaseState.WITHDRAWN
    town.clock.advance(1)  # and no dispatcher has looked yet
    for attempt in (town.cases.refuse(MANAGER, late.id, "不退"), town.cases.withdraw(town.buyer, late.id)):
        told = await refused(attempt)
        assert (told.code, told.status) == ("aftersale.too_late", 409)
    assert (await town.cases.withdraw(town.buyer, early.id)).state is CaseState.WITHDRAWN  # again is the same act
    assert (await town.cases.agree(MANAGER, late.id)).state is CaseState.REFUNDING
    await town.settle()
    assert town.given_back_fen() == 1_990
    await town.sound()


async def test_a_refund_held_up_is_pressed_under_the_same_number(town: Town) -> None:  # req 2.3.4, PA4
    order = await town.bought((await town.goods(), 1))
    case = await town.ask(order)
    town.switch(refund_outcome="ABNORMAL")
    await town.cases.agree(MANAGER, case.id)
    await town.settle()
    held = await town.case(case)
    assert (held.state, held.trouble, held.open) == (CaseState.FAILED, "ABNORMAL", True)
    assert (await town.order(order)).aftersale_state is AftersaleState.OPEN
    await town.sound()

    # Pressed too early: the channel says the same again.
    await town.cases.press_on(MANAGER, case.id)
    assert (await town.cases.press_on(MANAGER, case.id)).state is CaseState.REFUNDING  # again is the same act
    await town.settle()
    assert (await town.case(case)).state is CaseState.FAILED
    # A person has seen to it at the channel's own desk.
    ((key, row),) = town.sandbox.bank.refunds.items()
    town.sandbox.bank.refunds[key] = structs.replace(row, state="SUCCESS")
    await town.cases.press_on(MANAGER, case.id)
    await town.settle()
    assert (await town.case(case)).state is CaseState.REFUNDED
    assert len(town.sandbox.bank.refunds) == 1
    assert (await refused(town.cases.press_on(MANAGER, case.id))).code == "aftersale.decided"
    await town.sound()


async def test_every_event_delivered_twice_moves_the_money_once(town: Town) -> None:  # req X3, M7
    order = await town.bought((await town.goods(price_fen=100, uses_each=3), 2))
    case = await town.ask(order, **{order.lines[0].id: 4})
    await town.cases.agree(MANAGER, case.id)
    await town.settle()
    before = await town.case(case)
    # As after a crash between effect and mark: the same facts come again, under events of their own.
    told = {"RefundDue", "RefundSucceeded", "AftersaleSilent"}
    outbox, now = town.app.foundation.outbox, town.clock.now()
    again = [
        msgspec.convert(row.body, events.__dict__[row.type]) for row in await ROWS.many(town.db, {}) if row.type in told
    ]
    assert {type(event).__name__ for event in again} == told
    for event in again:
        await town.db.transact(lambda tx, event=event: outbox.write(tx, event, due_at=now))
    await town.settle()
    assert await town.case(case) == before
    assert town.given_back_fen() == case.amount_fen
    assert len(await town.events(OrderRefunded.__name__)) == 1
    await town.sound()


async def test_an_order_of_two_lines_goes_back_line_by_line(town: Town) -> None:  # req 17.12, 2.3.3
    order = await town.bought(
        (await town.goods(price_fen=333), 3), (await town.goods(price_fen=1_000, uses_each=10), 1)
    )
    coffee, card = sorted(order.lines, key=lambda line: line.unit_price_fen)
    first = await town.ask(order, **{coffee.id: 2})
    await town.cases.agree(MANAGER, first.id)
    await town.settle()
    await town.use(order, line=order.lines.index(card), uses=4)
    await town.settle(2)
    offer = await town.cases.offer(town.buyer, order.id, (WantedBack(line_id=card.id, uses=6),))
    assert offer.amount_fen == 600
    second = await town.ask(order)
    assert second.amount_fen == 333 + 600
    await town.cases.agree(MANAGER, second.id)
    await town.settle()
    after = await town.order(order)
    assert (after.refunded_fen, after.state) == (666 + 933, State.DONE)
    await town.sound()


async def test_the_share_that_was_paid_goes_back_and_the_coupon_with_the_last_of_it(town: Town) -> None:
    # req M3, 12.8, 16.6: 3 × 19.90 less 5.00 is 54.70; what a refund gives is the paid share, never the list price
    coupon = await town.coupon(500)
    order = await town.bought((await town.goods(), 3), coupon=coupon, off_fen=500)
    assert order.payable_fen == 5_470

    async def state() -> str:
        (one,) = (await town.app.commerce.marketing.coupons_of(town.buyer, tab=None, cursor=None))[0]
        return one.state

    first = await town.ask(order, **{order.lines[0].id: 1})
    assert first.amount_fen == 1_823
    await town.cases.agree(MANAGER, first.id)
    await town.settle()
    assert await state() == "used"
    rest = await town.ask(order)
    assert rest.amount_fen == 3_647
    await town.cases.agree(MANAGER, rest.id)
    await town.settle()
    assert town.given_back_fen() == 5_470
    assert (await town.order(order)).state is State.REFUNDED
    assert await state() == "unused"
    await town.sound()
