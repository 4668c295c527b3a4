"""Pure decisions of after-sale: which vouchers give, how lines add up, which steps the table allows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from octshop_rt.commerce.aftersale import rules
from octshop_rt.commerce.aftersale.model import (
    LIFE,
    OPEN,
    Case,
    CaseState,
    NothingToRefund,
    NotRefundable,
    Reason,
    TooManyUses,
    Unused,
    WantedBack,
    Wish,
)
from octshop_rt.commerce.aftersale.views import LABELS, REASONS, view
from octshop_rt.commerce.catalog.model import Fulfilment, Picture
from octshop_rt.commerce.order import rules as order_rules
from octshop_rt.commerce.order.model import (
    AftersaleState,
    FulfilmentState,
    Order,
    OrderLine,
    PaymentState,
    State,
)
from octshop_rt.commerce.shop.policy import Policy


def line(number: int, *, refundable: bool = True, uses: int = 6, fen: int = 900) -> OrderLine:
    return OrderLine(
        id=f"L{number}", sku_id="K", product_id="G", title=f"line {number}", spec={"杯型": "大杯"},
        picture=Picture(seed="a", hue=1), quantity=uses, unit_price_fen=fen, list_fen=fen, discount_fen=0,
        payable_fen=fen, allocations=(), uses_each=1, valid_days=90, refundable=refundable,
    )  # fmt: skip


def order(*lines: OrderLine, **changes: Any) -> Order:
    whole: dict[str, Any] = {
        "id": "O1", "group_id": "Z", "buyer_id": "U", "buyer_masked": "1", "merchant_id": "M", "shop_id": "S",
        "shop_name": "店", "fulfilment": Fulfilment.IN_STORE, "memo": "", "lines": lines, "goods_fen": 900,
        "discount_fen": 0, "freight_fen": 0, "freight_rule": "", "payable_fen": 900, "quote_hash": "",
        "policy": Policy(), "payment_state": PaymentState.PAID, "fulfilment_state": FulfilmentState.TO_USE,
        "aftersale_state": AftersaleState.NONE, "state": State.TO_USE, "created_at": 0, "pay_until": 1,
        "payment_id": "Y1", "history": (),
    }  # fmt: skip
    return Order(**whole | changes)


def wish(*wanted: WantedBack, expected_fen: int = 0) -> Wish:
    return Wish(
        request_id="r" * 16, order_id="O1", wanted=wanted, reason=Reason.OTHER, words="", expected_fen=expected_fen
    )


# Some lines, each with vouchers of some unused uses, and a wish for some of them.
stalls = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=1, max_size=4)


@given(stalls, st.data())
def test_exactly_what_is_wanted_is_taken_and_never_more_than_there_is(vouchers: list[list[int]], data: st.DataObject):
    # req 12.8, 17.10
    lines = [line(n, uses=max(1, sum(uses))) for n, uses in enumerate(vouchers)]
    unused = [
        Unused(voucher_id=f"V{n}-{m}", line_id=f"L{n}", uses=uses, valid_until=9)
        for n, row in enumerate(vouchers)
        for m, uses in enumerate(row)
        if uses
    ]
    wanted = [
        WantedBack(line_id=f"L{n}", uses=data.draw(st.integers(1, sum(row))))
        for n, row in enumerate(vouchers)
        if sum(row) and data.draw(st.booleans())
    ]
    if not unused:
        with pytest.raises(NothingToRefund):
            rules.takes(order(*lines), unused, wanted)
        return
    takes = rules.takes(order(*lines), unused, wanted)
    wish_of = rules.summed(wanted) or {f"L{n}": sum(row) for n, row in enumerate(vouchers) if sum(row)}
    taken: dict[str, int] = {}
    for one in takes:
        taken[one.line_id] = taken.get(one.line_id, 0) + one.uses
    assert taken == wish_of
    held = {one.voucher_id: one.uses for one in unused}
    assert all(0 < one.uses <= held[one.voucher_id] for one in takes)
    assert len({one.voucher_id for one in takes}) == len(takes)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 10_000)), min_size=1, max_size=6))
def test_lines_and_amount_of_a_case_are_the_sums_of_its_pieces(parts: list[tuple[int, int]]):  # req M3
    pieces = tuple(rules.piece(rules.Take(f"V{n}", f"L{n % 2}", uses, 9), fen) for n, (uses, fen) in enumerate(parts))
    case = rules.opened(order(line(0), line(1)), pieces, Policy(), wish(), case_id="D1", at=5, until=8)
    assert case.amount_fen == sum(fen for _, fen in parts) == sum(one.amount_fen for one in case.lines)
    assert sum(one.uses for one in case.lines) == sum(uses for uses, _ in parts)
    assert case.decide_until == 8


def test_the_shop_may_be_silent_for_its_time_but_no_longer_than_a_voucher_is_good():  # req 2.3.4, 12.6
    silence = 172_800_000
    for ends, until in (((silence + 6, silence + 9), silence + 5), ((silence + 9, 70), 70)):
        taken = [rules.Take(f"V{n}", "L1", 1, one) for n, one in enumerate(ends)]
        assert rules.decide_until(taken, Policy(), 5) == until
    case = a_case()
    assert [rules.too_late(case, now) for now in (case.decide_until - 1, case.decide_until)] == [False, True]
    assert not rules.too_late(a_case(CaseState.REFUSED), case.decide_until)


def test_the_last_voucher_gives_first():
    unused = [Unused(voucher_id=f"V{n}", line_id="L1", uses=2, valid_until=9) for n in range(3)]
    found = rules.takes(order(line(1)), unused, [WantedBack(line_id="L1", uses=3)])
    assert [(one.voucher_id, one.uses) for one in found] == [("V2", 2), ("V1", 1)]


def test_refusals_name_what_is_wrong():
    unused = [
        Unused(voucher_id="V1", line_id="L1", uses=2, valid_until=9),
        Unused(voucher_id="V2", line_id="L2", uses=1, valid_until=9),
    ]
    whole = order(line(1), line(2, refundable=False))
    assert [one.voucher_id for one in rules.takes(whole, unused, [])] == ["V1"]
    for wanted, refusal in (("L2", NotRefundable), ("L3", NothingToRefund)):
        with pytest.raises(refusal):
            rules.takes(whole, unused, [WantedBack(line_id=wanted, uses=1)])
    with pytest.raises(TooManyUses) as caught:  # two wishes for one line are one
        rules.takes(whole, unused, [WantedBack(line_id="L1", uses=1), WantedBack(line_id="L1", uses=2)])
    assert caught.value.data == {"title": "line 1", "left": 2}
    for unpaid in (structs.replace(whole, payment_state=PaymentState.UNPAID), structs.replace(whole, lines=())):
        with pytest.raises(NothingToRefund):
            rules.takes(unpaid, unused, [])


def test_equal_wishes_are_equal_however_they_are_written():
    one, two = WantedBack(line_id="L1", uses=1), WantedBack(line_id="L2", uses=2)
    assert rules.fingerprint(wish(one, two)) == rules.fingerprint(wish(two, one))
    assert rules.fingerprint(wish(one)) != rules.fingerprint(wish(two))
    assert rules.fingerprint(wish(one)) != rules.fingerprint(structs.replace(wish(one), words="x"))
    assert rules.fingerprint(wish(one)) != rules.fingerprint(wish(one, expected_fen=1))


def a_case(*targets: CaseState) -> Case:
    pieces = (rules.piece(rules.Take("V", "L1", 1, 9), 150),)
    case = rules.opened(order(line(1)), pieces, Policy(), wish(), case_id="D1", at=0, until=7)
    for target in targets:
        row = rules.step(case, target, at=1, by="system")
        case = structs.replace(case, state=target, history=(*case.history, row))
    return case


def test_the_table_is_the_life():  # req 2.3.2, 2.3.4
    assert {CaseState.ASKED, CaseState.AGREED, CaseState.REFUNDING, CaseState.FAILED} == OPEN
    assert LIFE.sources(CaseState.WITHDRAWN) == [CaseState.ASKED]
    money = a_case(CaseState.AGREED, CaseState.REFUNDING, CaseState.FAILED, CaseState.REFUNDING, CaseState.REFUNDED)
    assert rules.replayed(money) == "refunded"
    with pytest.raises(ValueError, match="asked -> refunded"):
        rules.step(a_case(), CaseState.REFUNDED, at=1, by="x")
    torn = structs.replace(money, history=money.history[:1] + money.history[2:])
    with pytest.raises(ValueError, match="while asked"):
        rules.replayed(torn)


def test_every_state_and_reason_has_words_in_both_languages():
    assert LABELS.keys() == set(CaseState)
    assert REASONS.keys() == set(Reason)
    told = a_case(CaseState.AGREED, CaseState.REFUNDING, CaseState.FAILED)
    for lang in ("zh-CN", "en"):
        seen = view(told, lang)
        assert len(seen.timeline) == 4
        assert all(moment.text for moment in seen.timeline)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_used_and_paid_back_make_all(totals: list[int], data: st.DataObject):  # req 2.3.3
    """However uses and refunds come, an order is done exactly when nothing is left and something was used."""
    whole = order(*(line(n, uses=uses) for n, uses in enumerate(totals)))
    left = dict(enumerate(totals))
    used = 0
    while left:
        number = data.draw(st.sampled_from(sorted(left)))
        take = data.draw(st.integers(1, left[number]))
        if data.draw(st.booleans()):
            lines, reached = order_rules.after_use(whole, f"L{number}", take)
            used += take
        else:
            lines = order_rules.after_refund(whole, {f"L{number}": take})
            reached = order_rules.progress(lines)
        whole = structs.replace(whole, lines=lines)
        left = {one: count for one, count in (left | {number: left[number] - take}).items() if count}
        wanted = FulfilmentState.TO_USE if not used else FulfilmentState.PARTLY_USED if left else FulfilmentState.USED
        assert reached is wanted
    with pytest.raises(ValueError, match="more uses than there are"):
        order_rules.after_refund(whole, {"L0": 1})
