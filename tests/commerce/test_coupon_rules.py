"""Coupons by rule alone: what may be set, what a basket may use, and sums that close to the fen."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from octshop_rt.commerce.marketing import rules
from octshop_rt.commerce.marketing.model import (
    COUPON,
    BadCampaign,
    Campaign,
    CampaignText,
    Coupon,
    CouponState,
    CouponUnusable,
    Item,
    Terms,
)
from octshop_rt.commerce.pricing.model import Freight, Line
from octshop_rt.commerce.pricing.rules import platform_borne_fen, quote
from octshop_rt.core.clock import DAY, HOUR, business_day, business_day_bounds

NOW = 1_790_000_000_000
TEXT = CampaignText(
    title="满 30 减 5",
    words="",
    terms=Terms(value_fen=500, min_spend_fen=3000),
    total=10,
    per_buyer=1,
    claim_from=NOW - DAY,
    claim_until=NOW + DAY,
    valid_days=7,
)


def campaign(**changes: object) -> Campaign:
    base = Campaign(
        **structs.asdict(TEXT), id="P1", shop_id="S1", merchant_id="M1", request_id="r", created_at=NOW, created_by="U"
    )
    return structs.replace(base, **changes)


def coupon(coupon_id: str = "Q1", **changes: object) -> Coupon:
    row = rules.claimed(campaign(), coupon_id=coupon_id, buyer_id="U1", request_id=coupon_id, nth=1, now=NOW)
    return structs.replace(row, **changes)


def item(line_id: str, list_fen: int, *, shop: str = "S1", product: str = "G1") -> Item:
    return Item(line_id=line_id, shop_id=shop, product_id=product, list_fen=list_fen)


class TestCampaigns:
    @pytest.mark.parametrize(
        "changes",
        [
            {"title": ""},
            {"title": "　 "},
            {"terms": Terms()},
            {"terms": Terms(value_fen=500, off_bp=1000)},
            {"terms": Terms(value_fen=500, cap_fen=100)},
            {"terms": Terms(value_fen=500, min_spend_fen=500)},
            {"claim_until": NOW - DAY},
            {"valid_days": None},
            {"valid_from": NOW, "valid_until": NOW + 9 * DAY},
            {"valid_days": None, "valid_from": NOW},
            {"valid_days": None, "valid_from": NOW, "valid_until": NOW + HOUR},
            {"valid_days": None, "valid_from": NOW + 9 * DAY, "valid_until": NOW + 9 * DAY},
        ],
    )
    def test_what_does_not_fit_together_is_refused(self, changes: dict[str, object]) -> None:
        rules.check(TEXT)
        with pytest.raises(BadCampaign):
            rules.check(structs.replace(TEXT, **changes))

    def test_after_a_claim_only_words_and_more_may_change(self) -> None:
        # req 16.1
        before = campaign(claimed=1)
        for free in ({"title": "x"}, {"words": "y"}, {"total": 11}, {"claim_until": NOW + HOUR}):
            assert not rules.touches_promises(before, structs.replace(TEXT, **free))
        for kept in ({"total": 9}, {"per_buyer": 2}, {"terms": Terms(value_fen=400)}, {"product_ids": ("G1",)}):
            assert rules.touches_promises(before, structs.replace(TEXT, **kept))

    def test_a_claim_is_refused_for_one_clear_reason(self) -> None:
        # req 16.2
        for changes, mine, why in (
            ({"paused": True}, 0, "paused"),
            ({"claim_from": NOW + 1}, 0, "early"),
            ({"claim_until": NOW}, 0, "over"),
            ({}, 1, "enough"),
            ({"claimed": 10}, 0, "gone"),
        ):
            refusal = rules.claim_refusal(campaign(**changes), mine, NOW)
            assert refusal is not None
            assert refusal.data["why"] == why
            assert refusal.text("zh-CN")
        assert rules.claim_refusal(campaign(claimed=9), 0, NOW) is None

    def test_days_from_the_claim_end_with_a_business_day(self) -> None:
        assert coupon().valid_until == business_day_bounds(business_day(NOW + 7 * DAY))[1] - 1
        fixed = campaign(valid_days=None, valid_from=NOW + HOUR, valid_until=NOW + 3 * DAY)
        row = rules.claimed(fixed, coupon_id="Q", buyer_id="U", request_id="r", nth=1, now=NOW)
        assert (row.valid_from, row.valid_until) == (NOW + HOUR, NOW + 3 * DAY)
        assert rules.standing(row, NOW) == "early"


class TestUse:
    def test_each_reason_against_a_coupon(self) -> None:
        # req 16.3
        basket = [item("a", 2000), item("b", 1500)]
        assert rules.judge(coupon(), basket, NOW).off_fen == 500
        for row, items, why in (
            (coupon(valid_from=NOW + 1), basket, "early"),
            (coupon(valid_until=NOW - 1), basket, "expired"),
            (coupon(state=CouponState.HELD), basket, "held"),
            (coupon(state=CouponState.USED), basket, "used"),
            (coupon(product_ids=("G9",)), basket, "other_goods"),
            (coupon(), [item("a", 9000, shop="S2")], "other_goods"),
            (coupon(), [item("a", 2999)], "min_spend"),
            (coupon(terms=Terms(value_fen=500)), [item("a", 500)], "not_below_goods"),
        ):
            judged = rules.judge(row, items, NOW)
            assert (judged.why, judged.off_fen, judged.line_ids) == (why, 0, ())
        assert rules.judge(coupon(), [item("a", 2999)], NOW).short_fen == 1

    def test_the_least_spend_and_the_discount_count_what_it_fits_alone(self) -> None:
        # req 16.3, W6: a percentage is of all pieces it fits, not of one, and not of other goods
        row = coupon(terms=Terms(off_bp=1000, min_spend_fen=3000), product_ids=("G1",))
        lines = [item("a", 2999), item("b", 90_000, product="G2")]
        assert rules.judge(row, lines, NOW).why == "min_spend"
        judged = rules.judge(row, [item("a", 3 * 1995), lines[1]], NOW)
        assert (judged.off_fen, judged.line_ids) == (599, ("a",))  # 598.5 rounds half up
        capped = coupon(terms=Terms(off_bp=5000, cap_fen=700))
        assert rules.judge(capped, lines, NOW).off_fen == 700

    def test_the_best_is_most_off_then_first_to_end(self) -> None:
        basket = [item("a", 9000), item("b", 9000, shop="S2")]
        small, large = coupon("Q1"), coupon("Q2", terms=Terms(value_fen=800), valid_until=NOW + 9 * DAY)
        sooner = coupon("Q3", terms=Terms(value_fen=800), valid_until=NOW + DAY)
        other = coupon("Q4", shop_id="S2")
        judged = [rules.judge(one, basket, NOW) for one in (small, large, sooner, other)]
        assert [one.coupon.id for one in rules.best(judged)] == ["Q3", "Q4"]

    def test_chosen_ones_must_be_usable_and_one_for_each_shop(self) -> None:
        # req 16.5: one per shop order
        basket = [item("a", 9000)]
        judged = [
            rules.judge(one, basket, NOW) for one in (coupon("Q1"), coupon("Q2"), coupon("Q3", valid_from=NOW + 1))
        ]
        assert [one.coupon.id for one in rules.chosen(judged, ["Q2"], ["S1"])] == ["Q2"]
        assert rules.chosen(judged, [], ["S1"]) == []
        for ids, shops, why in (
            (["Q1", "Q2"], ["S1"], "one_each"),
            (["Q3"], ["S1"], "early"),
            (["Q1"], ["S2"], "not_here"),
        ):
            with pytest.raises(CouponUnusable) as refusal:
                rules.chosen(judged, ids, shops)
            assert refusal.value.data["why"] == why

    def test_an_expired_one_that_came_back_says_so(self) -> None:
        # req X9, 16.6
        row = coupon(valid_until=NOW - 1)
        assert rules.standing(row, NOW) == "expired"
        assert rules.standing(structs.replace(row, state=CouponState.HELD), NOW) == "held"


GOODS = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 99_999), st.sampled_from(["S1", "S2"]), st.sampled_from(["G1", "G2"])),
    min_size=1,
    max_size=8,
)
TERMS = st.one_of(
    st.builds(Terms, value_fen=st.integers(1, 20_000)),
    st.builds(Terms, off_bp=st.integers(1, 9_900), cap_fen=st.integers(0, 20_000)),
)
HELD = st.lists(st.tuples(TERMS, st.sampled_from(["S1", "S2"]), st.sampled_from([(), ("G1",)])), max_size=5)


@given(goods=GOODS, held=HELD, freight_fen=st.integers(0, 3_000))
def test_sums_close_whatever_is_in_the_basket(
    goods: list[tuple[int, int, str, str]], held: list[tuple[Terms, str, tuple[str, ...]]], freight_fen: int
) -> None:
    # req M2, M3, 16.3, 16.9, B1: one a shop, on the lines it fits, the shop's cost, never freight, exact to the fen
    lines = [
        Line(id=f"L{i}", part=shop, quantity=count, unit_price_fen=unit)
        for i, (count, unit, shop, _) in enumerate(goods)
    ]
    items = [
        item(line.id, line.quantity * line.unit_price_fen, shop=shop, product=product)
        for line, (_, _, shop, product) in zip(lines, goods, strict=True)
    ]
    coupons = [
        coupon(f"Q{i}", terms=terms, shop_id=shop, product_ids=products)
        for i, (terms, shop, products) in enumerate(held)
    ]
    judged = [rules.judge(one, items, NOW) for one in coupons]
    picked = rules.best(judged)
    freight = [
        Freight(part=part, amount_fen=freight_fen, rule="f") for part in dict.fromkeys(one.part for one in lines)
    ]
    quoted = quote(lines, rules.adjustments(picked), freight)
    plain = quote(lines, (), freight)
    assert len({one.coupon.shop_id for one in picked}) == len(picked)
    for part in quoted.parts:
        off_fen = sum(one.off_fen for one in picked if one.coupon.shop_id == part.part)
        mine = [line for line in quoted.lines if line.part == part.part]
        assert part.discount_fen == off_fen == sum(line.discount_fen for line in mine)
        assert part.payable_fen == sum(line.payable_fen for line in mine) + freight_fen
        assert part.freight_fen == freight_fen
        assert part.goods_fen > part.discount_fen  # goods always cost something
    fits = {line_id for one in picked for line_id in one.line_ids}
    for line in quoted.lines:
        assert platform_borne_fen(line) == 0
        assert line.id in fits or line.discount_fen == 0
    assert (quoted.quote_hash == plain.quote_hash) == (not picked)
    for shop_id in ("S1", "S2"):  # none that was left out would have been better
        most = max((one.off_fen for one in judged if one.coupon.shop_id == shop_id), default=0)
        assert most == sum(one.off_fen for one in picked if one.coupon.shop_id == shop_id)


@given(steps=st.lists(st.sampled_from(list(CouponState)), max_size=6))
def test_the_history_of_a_coupon_is_replayed_along_the_table(steps: list[CouponState]) -> None:
    path = [CouponState.UNUSED, *steps]
    row = coupon()
    told = row.history
    for before, after in pairwise(path):
        told += (structs.replace(told[0], before=before, after=after),)
    row = structs.replace(row, history=told)
    if all(COUPON.may(before, after) for before, after in pairwise(path)):
        assert rules.replayed(row) == path[-1]
    else:
        with pytest.raises(ValueError, match="while"):
            rules.replayed(row)
