"""Campaigns at the shop's own door: make, edit, pause, and see what has been claimed and used."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, structs

from octshop_rt.commerce.api.buyer_coupons import CampaignState, state_of
from octshop_rt.commerce.marketing.model import (
    BadCampaign,
    Campaign,
    CampaignFixed,
    CampaignText,
    Counts,
    PerBuyer,
    ProductIds,
    Terms,
    Title,
    TooManyCampaigns,
    Total,
    ValidDays,
    Words,
)
from octshop_rt.commerce.marketing.service import Marketing
from octshop_rt.core.auth.model import Right, ShopStaff, at_shop
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.core.http.routes import Call, Route
from octshop_rt.core.ids import Id, RequestId


class CampaignWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A campaign as written down. Either `valid_days` or `valid_from` with `valid_until`; no products: all goods."""

    request_id: RequestId
    title: Title
    words: Words = ""
    terms: Terms
    total: Total
    per_buyer: PerBuyer = 1
    claim_from: Millis
    claim_until: Millis
    valid_days: ValidDays | None = None
    valid_from: Millis | None = None
    valid_until: Millis | None = None
    product_ids: ProductIds = ()


class PauseWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stop or go on claiming."""

    paused: bool


class ShopCampaign(Struct, frozen=True, kw_only=True):
    """A campaign as its shop sees it: with what has been claimed, what unpaid orders hold, what has been used."""

    id: Id
    title: str
    words: str
    terms: Terms
    total: int
    per_buyer: int
    claim_from: Millis
    claim_until: Millis
    valid_days: int | None
    valid_from: Millis | None
    valid_until: Millis | None
    product_ids: tuple[str, ...]
    state: CampaignState
    paused: bool
    claimed: int
    held: int
    used: int
    created_at: Millis


class ShopCampaignList(Struct, frozen=True, kw_only=True):
    """All of them, newest first."""

    items: Annotated[list[ShopCampaign], Meta(max_length=1_000)]


class ShopCampaigns:
    """For those who manage the shop."""

    def __init__(self, marketing: Marketing, clock: Clock) -> None:
        self._marketing = marketing
        self._clock = clock

    def routes(self) -> list[Route]:
        """Below /shop/{shop_id}/campaigns."""
        base = "/shop/{shop_id}/campaigns"
        one = f"{base}/{{campaign_id}}"
        may = at_shop(Right.MANAGE)
        return [
            Route(
                "GET", base, self.campaigns, permission=may, answer=ShopCampaignList,
                summary="The shop's campaigns with what was claimed and used",
            ),
            Route(
                "POST", base, self.add, permission=may, body=CampaignWish, answer=ShopCampaign, status=201,
                errors=(BadCampaign, TooManyCampaigns, RequestConflict), summary="Make a campaign",
            ),
            Route(
                "PUT", one, self.edit, permission=may, body=CampaignWish, answer=ShopCampaign,
                errors=(NotFound, BadCampaign, CampaignFixed),
                summary="Edit a campaign; what was promised stays once somebody has claimed",
            ),
            Route(
                "PUT", f"{one}/paused", self.pause, permission=may, body=PauseWish, answer=ShopCampaign,
                errors=(NotFound,), summary="Stop claiming, or go on",
            ),
        ]  # fmt: skip

    async def campaigns(self, call: Call[ShopStaff]) -> ShopCampaignList:
        rows, counts = await self._marketing.all_of(call.who)
        return ShopCampaignList(items=[self._view(row, counts.get(row.id, Counts())) for row in rows])

    async def add(self, call: Call[ShopStaff], body: CampaignWish) -> ShopCampaign:
        return await self._told(await self._marketing.add(call.who, body.request_id, _text(body)))

    async def edit(self, call: Call[ShopStaff], body: CampaignWish) -> ShopCampaign:
        return await self._told(await self._marketing.edit(call.who, call.path["campaign_id"], _text(body)))

    async def pause(self, call: Call[ShopStaff], body: PauseWish) -> ShopCampaign:
        found = await self._marketing.pause(call.who, call.path["campaign_id"], paused=body.paused)
        return await self._told(found)

    async def _told(self, row: Campaign) -> ShopCampaign:
        return self._view(row, await self._marketing.counts(row.id))

    def _view(self, row: Campaign, counts: Counts) -> ShopCampaign:
        kept = [name for name in ShopCampaign.__struct_fields__ if name in Campaign.__struct_fields__]
        return ShopCampaign(
            **{name: getattr(row, name) for name in kept},
            state=state_of(row, self._clock.now()),
            held=counts.held,
            used=counts.used,
        )


def _text(body: CampaignWish) -> CampaignText:
    text = CampaignText(**{name: getattr(body, name) for name in CampaignText.__struct_fields__})
    return structs.replace(text, title=body.title.strip(), words=body.words.strip())
