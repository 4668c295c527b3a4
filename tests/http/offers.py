"""Campaigns for the matrix: one of our shop and one of another's, and a coupon of each buyer."""

from __future__ import annotations

from typing import Any, Protocol

TEXT: dict[str, Any] = {
    "title": "满 10 减 1",
    "terms": {"value_fen": 100, "min_spend_fen": 1_000},
    "total": 1_000,
    "per_buyer": 100,
    "claim_from": 1_700_000_000_000,
    "claim_until": 4_000_000_000_000,
    "valid_days": 30,
}


class Asking(Protocol):
    """What this needs of the world."""

    ids: dict[str, str]

    def request_id(self) -> str: ...

    async def must(self, name: str, method: str, path: str, body: Any = None) -> Any: ...


async def campaigns(world: Asking) -> None:
    """Enter them through the doors, as people would."""
    for buyer, shop, owner in (("buyer_a", "S1", "owner"), ("buyer_b", "S3", "owner_m2")):
        body = {"request_id": world.request_id(), **TEXT}
        made = await world.must(owner, "POST", f"/shop/{shop}/campaigns", body)
        world.ids[f"campaign_{shop.lower()}"] = made["id"]
        claim = {"request_id": world.request_id()}
        coupon = await world.must(buyer, "POST", f"/buyer/campaigns/{made['id']}/claims", claim)
        world.ids[f"coupon_{buyer[-1]}"] = coupon["id"]
