"""The demo's campaigns: at the coffee shop, one for every spend and one for its own latte."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.commerce.marketing.model import Terms


class DemoCampaign(Struct, frozen=True, kw_only=True):
    """A campaign; `goods` are numbers of the demo's goods (none: all of the shop)."""

    number: int
    shop: int
    title: str
    words: str
    terms: Terms
    total: int
    per_buyer: int
    claim_days: int
    valid_days: int
    goods: tuple[int, ...] = ()


CAMPAIGNS: tuple[DemoCampaign, ...] = (
    DemoCampaign(
        number=1,
        shop=1,
        title="满 30 减 6",
        words="到店喝两杯，第二杯便宜一点。线上下单满 30 元即可使用，全店通用。",
        terms=Terms(value_fen=600, min_spend_fen=3_000),
        total=500,
        per_buyer=1,
        claim_days=60,
        valid_days=30,
    ),
    DemoCampaign(
        number=2,
        shop=1,
        title="日晒拿铁 8 折",
        words="新豆上市，请老朋友尝鲜。仅限云南日晒拿铁，最多减 10 元。",
        terms=Terms(off_bp=2_000, cap_fen=1_000),
        total=200,
        per_buyer=2,
        claim_days=30,
        valid_days=14,
        goods=(1,),
    ),
)
