"""How the routes of campaigns and coupons are knocked at."""

from __future__ import annotations

from collections.abc import Callable

from tests.http.knocking import Make, acting, at
from tests.http.offers import TEXT

CAMPAIGN = "/shop/{shop_id}/campaigns/{campaign_id}"
LINE = [{"sku_id": "@K1", "quantity": 1}]
LOST_LINE = [{"sku_id": "@missing", "quantity": 1}]


def _one(tail: str, how: Callable[..., Make], **body: object) -> dict[str, Make]:
    """A campaign of ours, of another's, of none; then each id exchanged."""
    return {
        "own": how(f"/shop/S1/campaigns/@campaign_s1{tail}", **body),
        "other": how(f"/shop/S3/campaigns/@campaign_s3{tail}", **body),
        "missing": how(f"/shop/S1/campaigns/@missing{tail}", **body),
        "their_campaign": how(f"/shop/S1/campaigns/@campaign_s3{tail}", **body),
    }


KNOCKS: dict[str, dict[str, Make]] = {
    "GET /buyer/shops/{shop_id}/campaigns": {
        "any": at("/buyer/shops/S1/campaigns"),
        "missing": at("/buyer/shops/@missing/campaigns"),
    },
    "GET /buyer/shops/{shop_id}/claims": {
        "own": at("/buyer/shops/S1/claims"),
        "missing": at("/buyer/shops/@missing/claims"),
    },
    "GET /buyer/campaigns/{campaign_id}": {
        "any": at("/buyer/campaigns/@campaign_s1"),
        "missing": at("/buyer/campaigns/@missing"),
    },
    "POST /buyer/campaigns/{campaign_id}/claims": {
        "own": acting("/buyer/campaigns/@campaign_s1/claims"),
        "missing": acting("/buyer/campaigns/@missing/claims"),
    },
    "GET /buyer/coupons": {"own": at("/buyer/coupons")},
    "POST /buyer/quotes/mine": {
        "own": at("/buyer/quotes/mine", lines=LINE, coupon_ids=["@coupon_a"]),
        "other": at("/buyer/quotes/mine", lines=LINE, coupon_ids=["@coupon_b"]),
        "missing": at("/buyer/quotes/mine", lines=LOST_LINE),
    },
    "GET /shop/{shop_id}/campaigns": {
        "own": at("/shop/S1/campaigns"),
        "other": at("/shop/S3/campaigns"),
        "missing": at("/shop/@missing/campaigns"),
    },
    "POST /shop/{shop_id}/campaigns": {
        "own": acting("/shop/S1/campaigns", **TEXT),
        "other": acting("/shop/S3/campaigns", **TEXT),
        "missing": acting("/shop/@missing/campaigns", **TEXT),
    },
    f"PUT {CAMPAIGN}": _one("", acting, **TEXT),
    f"PUT {CAMPAIGN}/paused": _one("/paused", at, paused=False),
}
