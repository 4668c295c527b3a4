"""Shapes of marketing: a shop's campaign, the coupons claimed from it with their life, and the refusals."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.money import Fen
from octshop_rt.core.statemachine import Life

SOURCE = "coupon"  # how pricing's adjustments name it
SHOP_BEARS_BP = 10_000  # a shop's coupon is the shop's cost alone (16.9)
MOST_CAMPAIGNS = 200
MOST_PRODUCTS = 100

Title = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
Words = Annotated[str, Meta(max_length=400)]
Total = Annotated[int, Meta(ge=1, le=100_000)]
PerBuyer = Annotated[int, Meta(ge=1, le=100)]
ValidDays = Annotated[int, Meta(ge=1, le=3_650)]
ProductIds = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...], Meta(max_length=MOST_PRODUCTS)]
OffBp = Annotated[int, Meta(ge=0, le=9_900, description="basis points off, 1000 = 10 % off; 0: an amount off")]


class CouponState(StrEnum):
    """Where a coupon is. Whether its time is over is told by the clock, not kept: `rules.standing`."""

    UNUSED = "unused"
    HELD = "held"
    USED = "used"


COUPON = Life(
    "marketing.coupon",
    {
        CouponState.UNUSED: {CouponState.HELD},
        CouponState.HELD: {CouponState.USED, CouponState.UNUSED},
        CouponState.USED: {CouponState.UNUSED},
    },
)
Standing = Literal["early", "usable", "held", "used", "expired"]
Tab = Literal["usable", "used", "expired"]
Why = Literal["early", "expired", "held", "used", "other_goods", "min_spend", "not_below_goods"]


class Terms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a coupon takes off, and from which spend. Either `value_fen`, or `off_bp` of the goods it fits, at most
    `cap_fen` (0: no cap). Spend and goods are those the coupon fits at list price; freight is never one of them.
    """

    value_fen: Fen = 0
    off_bp: OffBp = 0
    cap_fen: Fen = 0
    min_spend_fen: Fen = 0


class CampaignText(Struct, frozen=True, kw_only=True):
    """A campaign as its shop writes it down. No products: all of the shop.

    Coupons hold for `valid_days` from the claim, or from `valid_from` until `valid_until` for everybody.
    """

    title: Title
    words: Words
    terms: Terms
    total: Total
    per_buyer: PerBuyer
    claim_from: Millis
    claim_until: Millis
    valid_days: ValidDays | None = None
    valid_from: Millis | None = None
    valid_until: Millis | None = None
    product_ids: ProductIds = ()


class Campaign(CampaignText, frozen=True, kw_only=True):
    """A campaign. `claimed` counts its coupons; it grows by conditional update only."""

    id: str
    shop_id: str
    merchant_id: str
    request_id: str
    claimed: int = 0
    paused: bool = False
    created_at: Millis
    created_by: str


class Step(Struct, frozen=True, kw_only=True):
    """One step of a coupon's life: when, by whom, from, to, why. The first row's `before` is empty."""

    at: Millis
    by: str
    before: str
    after: str
    reason: str


class Coupon(Struct, frozen=True, kw_only=True):
    """A coupon in somebody's hand, with the terms it was claimed under. `nth` of its buyer's from this campaign.

    `order_id` is the order that holds or has used it, None while it is unused. Never deleted.
    """

    id: str
    campaign_id: str
    shop_id: str
    buyer_id: str
    request_id: str
    nth: int
    title: str
    terms: Terms
    product_ids: tuple[str, ...]
    valid_from: Millis
    valid_until: Millis
    state: CouponState
    order_id: str | None = None
    claimed_at: Millis
    history: tuple[Step, ...]


class Item(Struct, frozen=True, kw_only=True):
    """A line of a basket as coupons see it: what it costs before any discount."""

    line_id: str
    shop_id: str
    product_id: str
    list_fen: Fen


class Judged(Struct, frozen=True, kw_only=True):
    """A coupon beside a basket: what it takes off (0 when unusable), from which lines, and why not.

    `short_fen` is what is missing to the least spend.
    """

    coupon: Coupon
    off_fen: Fen
    line_ids: tuple[str, ...]
    why: Why | None = None
    short_fen: Fen = 0


class CouponOff(Struct, frozen=True, kw_only=True):
    """A coupon as an order keeps it."""

    id: str
    campaign_id: str
    title: str
    off_fen: Fen


class Counts(Struct, frozen=True, kw_only=True):
    """What has become of a campaign's coupons."""

    held: int = 0
    used: int = 0


class BadCampaign(DomainError):
    """Its parts do not fit together; nothing was saved."""

    code = "marketing.bad_campaign"
    status = 400
    zh = "活动设置有误：{reason_zh}"
    en = "The campaign does not fit together: {reason_en}"


class TooManyCampaigns(DomainError):
    """A shop has a bounded list."""

    code = "marketing.too_many_campaigns"
    status = 409
    zh = "活动数量已达上限({most} 个)"
    en = "The shop has its limit of {most} campaigns"


class CampaignFixed(DomainError):
    """Somebody holds a coupon of it: what was promised stays (16.1)."""

    code = "marketing.campaign_fixed"
    status = 409
    zh = "已有顾客领取，只能修改标题、说明和领取截止时间，或增加发行数量"
    en = "Coupons have been claimed: only title, words and the last day to claim can change, and the number can grow"


class ClaimRefused(DomainError):
    """Not to be had now: `why` is early, over, paused, gone or enough."""

    code = "marketing.claim_refused"
    status = 409
    zh = "无法领取：{why_zh}"
    en = "The coupon cannot be claimed: {why_en}"


class CouponUnusable(DomainError):
    """This coupon cannot be used for this basket; `why` tells the page."""

    code = "marketing.coupon_unusable"
    status = 409
    zh = "优惠券不可用：{why_zh}"
    en = "The coupon cannot be used: {why_en}"
