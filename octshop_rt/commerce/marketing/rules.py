"""Pure decisions about campaigns and coupons: what may be set, claimed, used, and what it takes off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from octshop_rt.commerce.marketing.model import (
    COUPON,
    SHOP_BEARS_BP,
    SOURCE,
    BadCampaign,
    Campaign,
    CampaignText,
    ClaimRefused,
    Coupon,
    CouponOff,
    CouponState,
    CouponUnusable,
    Item,
    Judged,
    Standing,
    Step,
    Terms,
    Why,
)
from octshop_rt.commerce.pricing.model import Adjustment
from octshop_rt.core.clock import DAY, Millis, business_day, business_day_bounds
from octshop_rt.core.money import Fen, share_half_up

_WHY: Mapping[str, tuple[str, str]] = {
    "early": ("未到使用时间", "it is not valid yet"),
    "expired": ("已过期", "it has expired"),
    "held": ("已用于另一笔待付款订单", "another unpaid order holds it"),
    "used": ("已使用", "it has been used"),
    "other_goods": ("不适用于所选商品", "it is for other goods"),
    "min_spend": ("未达到使用门槛", "the goods cost less than it asks for"),
    "not_below_goods": ("面额不低于商品金额", "the goods cost no more than it is worth"),
    "one_each": ("每家店铺的订单只能使用一张", "one coupon per shop"),
    "not_here": ("不属于本次结算的店铺", "it is of no shop in this order"),
}
_NOT_TO_CLAIM: Mapping[str, tuple[str, str]] = {
    "early": ("活动尚未开始领取", "claiming has not begun yet"),
    "over": ("活动领取已结束", "claiming is over"),
    "paused": ("活动已暂停", "the campaign is paused"),
    "gone": ("优惠券已领完", "all of them are gone"),
    "enough": ("您已达到每人领取上限", "you have as many as one person may claim"),
}
_AFTER_CLAIMS = ("title", "words", "total", "claim_until")  # may still change (16.1); the total only grows


def check(text: CampaignText) -> None:
    """BadCampaign for what does not fit together, or has no name that a person could read."""
    if not text.title.strip():
        raise BadCampaign(reason_zh="请填写活动名称", reason_en="give the campaign a title")
    terms = text.terms
    if (terms.value_fen > 0) == (terms.off_bp > 0) or (terms.cap_fen and not terms.off_bp):
        raise BadCampaign(reason_zh="请填写减免金额或折扣(二选一)", reason_en="give an amount off or a percentage")
    if 0 < terms.min_spend_fen <= terms.value_fen:
        raise BadCampaign(reason_zh="使用门槛须高于面额", reason_en="the least spend must be above the value")
    if text.claim_from >= text.claim_until:
        raise BadCampaign(reason_zh="领取开始时间须早于截止时间", reason_en="claiming must begin before it ends")
    spans = text.valid_from is not None and text.valid_until is not None
    if spans == (text.valid_days is not None) or (text.valid_from is None) != (text.valid_until is None):
        raise BadCampaign(
            reason_zh="请填写领取后有效天数或固定日期(二选一)", reason_en="give days from the claim or two dates"
        )
    if text.valid_until is not None and not (text.valid_from or 0) < text.valid_until >= text.claim_until:
        raise BadCampaign(
            reason_zh="有效期须覆盖到领取截止", reason_en="coupons must hold at least until claiming ends"
        )


def touches_promises(before: Campaign, text: CampaignText) -> bool:
    """Whether an edit changes what those who have claimed were promised, or takes coupons away."""
    fixed = [name for name in CampaignText.__struct_fields__ if name not in _AFTER_CLAIMS]
    return text.total < before.total or any(getattr(before, name) != getattr(text, name) for name in fixed)


def text_of(campaign: Campaign) -> CampaignText:
    """What the shop wrote."""
    return CampaignText(**{name: getattr(campaign, name) for name in CampaignText.__struct_fields__})


def claim_refusal(campaign: Campaign, mine: int, now: Millis) -> ClaimRefused | None:
    """Why a coupon is not to be had now by somebody who has `mine`, or None."""
    why = None
    if campaign.paused:
        why = "paused"
    elif now < campaign.claim_from:
        why = "early"
    elif now >= campaign.claim_until:
        why = "over"
    elif mine >= campaign.per_buyer:
        why = "enough"
    elif campaign.claimed >= campaign.total:
        why = "gone"
    if why is None:
        return None
    zh, en = _NOT_TO_CLAIM[why]
    return ClaimRefused(why=why, why_zh=zh, why_en=en)


def claimed(campaign: Campaign, *, coupon_id: str, buyer_id: str, request_id: str, nth: int, now: Millis) -> Coupon:
    """A fresh coupon. Days from the claim end with a business day."""
    return Coupon(
        id=coupon_id,
        campaign_id=campaign.id,
        shop_id=campaign.shop_id,
        buyer_id=buyer_id,
        request_id=request_id,
        nth=nth,
        title=campaign.title,
        terms=campaign.terms,
        product_ids=campaign.product_ids,
        valid_from=now if campaign.valid_from is None else campaign.valid_from,
        valid_until=valid_until(campaign, now),
        state=CouponState.UNUSED,
        claimed_at=now,
        history=(Step(at=now, by=buyer_id, before="", after=CouponState.UNUSED, reason="claimed"),),
    )


def valid_until(campaign: Campaign, now: Millis) -> Millis:
    """The last moment of a coupon claimed now."""
    if campaign.valid_until is not None:
        return campaign.valid_until
    return business_day_bounds(business_day(now + (campaign.valid_days or 0) * DAY))[1] - 1


def standing(coupon: Coupon, now: Millis) -> Standing:
    """Where a coupon stands now. One that came back too late is expired like any other."""
    if coupon.state is CouponState.USED:
        return "used"
    if coupon.state is CouponState.HELD:
        return "held"
    if now > coupon.valid_until:
        return "expired"
    return "early" if now < coupon.valid_from else "usable"


def came_back(coupon: Coupon) -> bool:
    """Whether it is unused because its order was refunded."""
    return coupon.state is CouponState.UNUSED and coupon.history[-1].before == CouponState.USED


def off_fen(terms: Terms, goods_fen: Fen) -> Fen:
    """What `terms` take off goods of that price: the value, or the share rounded half up and capped."""
    if not terms.off_bp:
        return terms.value_fen
    share_fen = share_half_up(goods_fen, terms.off_bp)
    return min(share_fen, terms.cap_fen) if terms.cap_fen else share_fen


def judge(coupon: Coupon, items: Sequence[Item], now: Millis) -> Judged:
    """A coupon beside a basket: its discount on the lines it fits (16.3), or the first reason against it.

    It is not applied when its value reaches what those lines cost (requirements 3): a coupon is always worth all it
    says, and the goods always cost something.
    """
    fits = [
        item
        for item in items
        if item.shop_id == coupon.shop_id and (not coupon.product_ids or item.product_id in coupon.product_ids)
    ]
    goods_fen = sum(item.list_fen for item in fits)
    taken_fen = off_fen(coupon.terms, goods_fen)
    stands = standing(coupon, now)
    why: Why | None = None
    if stands != "usable":
        why = stands
    elif not fits:
        why = "other_goods"
    elif goods_fen < coupon.terms.min_spend_fen:
        why = "min_spend"
    elif taken_fen >= goods_fen:
        why = "not_below_goods"
    return Judged(
        coupon=coupon,
        off_fen=0 if why else taken_fen,
        line_ids=() if why else tuple(item.line_id for item in fits),
        why=why,
        short_fen=coupon.terms.min_spend_fen - goods_fen if why == "min_spend" else 0,
    )


def best(judged: Sequence[Judged]) -> list[Judged]:
    """The best usable coupon of each shop: most off, then the one that ends first, then the older."""
    order = sorted(
        (one for one in judged if one.off_fen),
        key=lambda one: (-one.off_fen, one.coupon.valid_until, one.coupon.id),
    )
    first: dict[str, Judged] = {}
    for one in order:
        first.setdefault(one.coupon.shop_id, one)
    return [first[shop_id] for shop_id in sorted(first)]


def chosen(judged: Sequence[Judged], coupon_ids: Sequence[str], shop_ids: Sequence[str]) -> list[Judged]:
    """Exactly these coupons. CouponUnusable names the first that cannot be used, or a second of one shop."""
    by_id = {one.coupon.id: one for one in judged}
    picked = [by_id[coupon_id] for coupon_id in dict.fromkeys(coupon_ids)]
    for one in picked:
        if one.coupon.shop_id not in shop_ids:
            raise unusable("not_here", one.coupon.id)
        if one.why is not None or not one.off_fen:
            raise unusable(one.why or "not_below_goods", one.coupon.id)
    if len({one.coupon.shop_id for one in picked}) != len(picked):
        raise unusable("one_each", picked[-1].coupon.id)
    return sorted(picked, key=lambda one: one.coupon.shop_id)


def unusable(why: str, coupon_id: str) -> CouponUnusable:
    """The refusal in words."""
    zh, en = _WHY[why]
    return CouponUnusable(why=why, coupon_id=coupon_id, why_zh=zh, why_en=en)


def adjustments(picked: Sequence[Judged]) -> list[Adjustment]:
    """In pricing's shape: spread over the lines each coupon fits, the shop's cost alone."""
    return [
        Adjustment(
            source_kind=SOURCE,
            source_id=one.coupon.id,
            amount_fen=one.off_fen,
            line_ids=one.line_ids,
            shop_bears_bp=SHOP_BEARS_BP,
        )
        for one in picked
    ]


def kept(one: Judged) -> CouponOff:
    """As the order keeps it."""
    return CouponOff(id=one.coupon.id, campaign_id=one.coupon.campaign_id, title=one.coupon.title, off_fen=one.off_fen)


def replayed(coupon: Coupon) -> str:
    """The state as the history tells it, for fsck. ValueError on a step the table does not allow."""
    now = ""
    for step in coupon.history:
        birth = now == "" and step.after == CouponState.UNUSED
        if step.before != now or not (birth or (now and COUPON.may(CouponState(now), CouponState(step.after)))):
            message = f"{step.before} -> {step.after} while {now}"
            raise ValueError(message)
        now = step.after
    return now
