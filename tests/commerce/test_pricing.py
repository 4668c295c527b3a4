"""Pricing closes to the fen: the worked example, and properties over any lines, adjustments and refunds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octshop_rt.commerce.pricing.model import Adjustment, Freight, Line, Quote
from octshop_rt.commerce.pricing.rules import commission_base_fen, platform_borne_fen, quote
from octshop_rt.commerce.pricing.shares import spread, unit_shares, units_fen
from octshop_rt.core.money import share_half_up

SHOP_ALONE = 10_000
PLATFORM_ALONE = 0


def worked_example() -> Quote:
    lines = (
        Line(id="1", part="A", quantity=3, unit_price_fen=3333),
        Line(id="2", part="A", quantity=1, unit_price_fen=5000),
        Line(id="3", part="B", quantity=2, unit_price_fen=2500),
    )
    everything = ("1", "2", "3")
    adjustments = (
        Adjustment(
            source_kind="full_reduction",
            source_id="fr",
            amount_fen=1000,
            line_ids=("1", "2"),
            shop_bears_bp=SHOP_ALONE,
        ),
        Adjustment(
            source_kind="shop_coupon", source_id="sc", amount_fen=500, line_ids=("1", "2"), shop_bears_bp=SHOP_ALONE
        ),
        Adjustment(
            source_kind="platform_coupon", source_id="pc", amount_fen=2000, line_ids=everything, shop_bears_bp=3000
        ),
        Adjustment(
            source_kind="points", source_id="pt", amount_fen=500, line_ids=everything, shop_bears_bp=PLATFORM_ALONE
        ),
    )
    return quote(lines, adjustments, ())


class TestWorkedExample:
    """facts: commerce 4.8, to the fen. req M2, M3."""

    def test_discounts_payables_and_bearers(self) -> None:
        quoted = worked_example()
        taken = [{a.source_kind: a.amount_fen for a in line.allocations} for line in quoted.lines]
        assert taken == [
            {"full_reduction": 667, "shop_coupon": 333, "platform_coupon": 973, "points": 243},
            {"full_reduction": 333, "shop_coupon": 167, "platform_coupon": 486, "points": 122},
            {"platform_coupon": 541, "points": 135},
        ]
        coupon = [a for line in quoted.lines for a in line.allocations if a.source_kind == "platform_coupon"]
        assert [(a.shop_fen, a.platform_fen) for a in coupon] == [(292, 681), (146, 340), (162, 379)]
        assert [line.list_fen for line in quoted.lines] == [9999, 5000, 5000]
        assert [line.payable_fen for line in quoted.lines] == [7783, 3892, 4324]
        assert quoted.payable_fen == 15999
        assert [part.payable_fen for part in quoted.parts] == [7783 + 3892, 4324]

    def test_units_and_commission(self) -> None:
        quoted = worked_example()
        units = [unit_shares(line.payable_fen, line.quantity) for line in quoted.lines]
        assert units == [[2595, 2594, 2594], [3892], [2162, 2162]]
        bases = [commission_base_fen(line) for line in quoted.lines]
        assert bases == [8707, 4354, 4838]
        commissions = [share_half_up(base, bp) for base, bp in zip(bases, (500, 500, 800), strict=True)]
        assert commissions == [435, 218, 387]
        assert [base - fee for base, fee in zip(bases, commissions, strict=True)] == [8272, 4136, 4451]
        assert 15999 + 1400 + 500 == sum(bases) == 17899

    def test_refund_of_the_first_unit_of_line_one(self) -> None:
        line = worked_example().lines[0]
        of = {a.source_kind: a for a in line.allocations}
        assert units_fen(line.payable_fen, 3, 0, 1) == 2595
        assert units_fen(435, 3, 0, 1) == 145
        assert units_fen(of["platform_coupon"].platform_fen, 3, 0, 1) == 227
        assert units_fen(of["points"].platform_fen, 3, 0, 1) == 81


PARTS = ("shop-a", "shop-b")


@st.composite
def checkouts(draw: st.DrawFn) -> tuple[list[Line], list[Adjustment], list[Freight]]:
    """Any checkout: odd prices, floors, zero prices, discounts larger than everything."""
    lines = [
        Line(
            id=str(i),
            part=draw(st.sampled_from(PARTS)),
            quantity=draw(st.integers(1, 40)),
            unit_price_fen=draw(st.one_of(st.integers(0, 9), st.integers(0, 1_000_000))),
            floor_fen=draw(st.one_of(st.just(0), st.integers(0, 100_000))),
        )
        for i in range(draw(st.integers(1, 6)))
    ]
    some_lines = st.lists(st.sampled_from([line.id for line in lines]), unique=True).map(tuple)
    adjustments = [
        Adjustment(
            source_kind="any",
            source_id=str(i),
            amount_fen=draw(st.one_of(st.integers(0, 50), st.integers(0, 10_000_000))),
            line_ids=draw(some_lines),
            shop_bears_bp=draw(st.integers(0, 10_000)),
        )
        for i in range(draw(st.integers(0, 5)))
    ]
    parts = {line.part for line in lines}
    freight = [Freight(part=part, amount_fen=draw(st.integers(0, 5_000)), rule="t") for part in PARTS if part in parts]
    return lines, adjustments, freight


@given(checkouts())
def test_every_sum_closes_and_nothing_is_negative(
    checkout: tuple[list[Line], list[Adjustment], list[Freight]],
) -> None:
    lines, adjustments, freight = checkout
    quoted = quote(lines, adjustments, freight)
    for line, asked in zip(quoted.lines, lines, strict=True):
        assert line.list_fen == asked.unit_price_fen * asked.quantity
        assert line.list_fen - line.discount_fen == line.payable_fen >= 0
        assert sum(a.amount_fen for a in line.allocations) == line.discount_fen
        assert all(a.shop_fen + a.platform_fen == a.amount_fen for a in line.allocations)
        assert all(a.shop_fen >= 0 and a.platform_fen >= 0 for a in line.allocations)
        assert line.payable_fen >= min(asked.floor_fen, line.list_fen)
    assert quoted.payable_fen == sum(part.payable_fen for part in quoted.parts)
    assert quoted.payable_fen == sum(line.payable_fen for line in quoted.lines) + sum(f.amount_fen for f in freight)
    assert quoted.goods_fen - quoted.discount_fen + quoted.freight_fen == quoted.payable_fen
    for adjustment in adjustments:
        given_fen = sum(
            a.amount_fen for line in quoted.lines for a in line.allocations if a.source_id == adjustment.source_id
        )
        assert given_fen <= adjustment.amount_fen
        if given_fen < adjustment.amount_fen:  # cut short only because its lines had nothing more to give
            after = quote(lines, adjustments[: adjustments.index(adjustment) + 1], ())
            touched = [line for line in after.lines if line.id in adjustment.line_ids]
            floors = {line.id: line.floor_fen for line in lines}
            assert all(line.payable_fen <= floors[line.id] for line in touched)


@given(checkouts(), st.data())
def test_refunding_units_in_any_grouping_gives_back_exactly_all(
    checkout: tuple[list[Line], list[Adjustment], list[Freight]], data: st.DataObject
) -> None:
    quoted = quote(*checkout)
    for line in quoted.lines:
        for whole_fen in (line.payable_fen, platform_borne_fen(line), share_half_up(commission_base_fen(line), 777)):
            back_fen, given_back = 0, 0
            while given_back < line.quantity:
                count = data.draw(st.integers(1, line.quantity - given_back))
                part_fen = units_fen(whole_fen, line.quantity, given_back, count)
                assert part_fen == sum(unit_shares(whole_fen, line.quantity)[given_back : given_back + count])
                back_fen += part_fen
                given_back += count
            assert back_fen == whole_fen


weight_and_ceiling = st.tuples(st.integers(0, 10_000), st.integers(0, 10_000))


@given(st.lists(weight_and_ceiling, min_size=1, max_size=8), st.integers(0, 50_000))
def test_spread_respects_ceilings_and_wastes_nothing(rows: list[tuple[int, int]], amount_fen: int) -> None:
    weights, ceilings = [w for w, _ in rows], [c for _, c in rows]
    shares = spread(amount_fen, weights, ceilings)
    room = sum(c for w, c in rows if w)
    assert sum(shares) == min(amount_fen, room)
    assert all(0 <= share <= ceiling for share, ceiling in zip(shares, ceilings, strict=True))


def test_the_hash_tells_quotes_apart() -> None:
    line = Line(id="1", part="A", quantity=2, unit_price_fen=500)
    same, again = quote([line], (), ()), quote([line], (), ())
    dearer = quote([Line(id="1", part="A", quantity=2, unit_price_fen=501)], (), ())
    assert same.quote_hash == again.quote_hash != dearer.quote_hash


def test_our_own_mistakes_are_refused() -> None:
    line = Line(id="1", part="A", quantity=1, unit_price_fen=1)
    stranger = Adjustment(source_kind="x", source_id="x", amount_fen=1, line_ids=("2",), shop_bears_bp=0)
    with pytest.raises(ValueError, match="occurs twice"):
        quote([line, line], (), ())
    with pytest.raises(ValueError, match="not in the quote"):
        quote([line], [stranger], ())
    with pytest.raises(ValueError, match="freight"):
        quote([line], (), [Freight(part="B", amount_fen=1, rule="r")])
    with pytest.raises(ValueError, match="units"):
        units_fen(10, 2, 1, 2)
