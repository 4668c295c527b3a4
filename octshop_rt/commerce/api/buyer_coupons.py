"""Campaigns and coupons as buyers see them: what a shop offers, claiming, what one has, what a basket may use."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from octshop_rt.commerce.api.buyer_goods import QUOTE_REFUSALS, QuoteView, WantedLines, quote_view
from octshop_rt.commerce.api.buyer_shops import Cursor
from octshop_rt.commerce.catalog.model import Fulfilment, Picture
from octshop_rt.commerce.catalog.service import CatalogService
from octshop_rt.commerce.marketing.model import (
    Campaign,
    ClaimRefused,
    Coupon,
    CouponUnusable,
    Judged,
    Standing,
    Tab,
    Terms,
    Why,
)
from octshop_rt.commerce.marketing.rules import came_back, standing
from octshop_rt.commerce.marketing.service import Marketing
from octshop_rt.commerce.order.model import CouponIds
from octshop_rt.commerce.order.service import OrderService
from octshop_rt.commerce.shop.service import ShopService
from octshop_rt.core.auth.model import BUYER, PUBLIC, Anonymous, Buyer
from octshop_rt.core.clock import MINUTE, Clock, Millis
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.core.http.routes import Call, Limit, Route
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.core.money import Fen

CLAIMS = Limit(name="marketing.claim", burst=30, per_ms=MINUTE)
CampaignState = Literal["early", "open", "paused", "gone", "over"]


class CampaignView(Struct, frozen=True, kw_only=True):
    """A campaign in a list. No `product_ids`: all goods of the shop. Coupons hold `valid_days` from the claim, or from
    `valid_from` until `valid_until`.
    """

    id: Id
    shop_id: Id
    title: str
    words: str
    terms: Terms
    total: int
    left: int
    per_buyer: int
    claim_from: Millis
    claim_until: Millis
    valid_days: int | None
    valid_from: Millis | None
    valid_until: Millis | None
    product_ids: tuple[str, ...]
    state: CampaignState


class CampaignGoods(Struct, frozen=True, kw_only=True):
    """A product that the coupon fits."""

    id: Id
    title: str
    price_fen: Fen
    picture: Picture
    on_sale: bool


class CampaignPage(CampaignView, frozen=True, kw_only=True):
    """A campaign with its shop and its goods (empty: all)."""

    shop_name: str
    goods: list[CampaignGoods]


class Campaigns(Struct, frozen=True, kw_only=True):
    """What a shop offers, newest first."""

    items: list[CampaignView]


class Claims(Struct, frozen=True, kw_only=True):
    """How many coupons of each of a shop's campaigns the asking buyer has ever claimed."""

    claimed: dict[str, int]


class ClaimWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One coupon, please."""

    request_id: RequestId


class CouponView(Struct, frozen=True, kw_only=True):
    """A coupon in hand. `order_id`: the order that holds or has used it. `came_back`: returned after a refund."""

    id: Id
    campaign_id: Id
    shop_id: Id
    shop_name: str
    title: str
    terms: Terms
    product_ids: tuple[str, ...]
    valid_from: Millis
    valid_until: Millis
    standing: Standing
    order_id: Id | None
    came_back: bool
    claimed_at: Millis


class CouponsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tab` usable: all in hand that is not over; none: every coupon ever claimed."""

    tab: Tab | None = None
    cursor: Cursor | None = None


class CouponPage(Struct, frozen=True, kw_only=True):
    """One page of coupons, newest first."""

    items: list[CouponView]
    next: str | None


class MyQuoteWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A basket to be priced with exactly these coupons; null: with the best one of each shop."""

    lines: WantedLines
    fulfilment: Fulfilment = Fulfilment.IN_STORE
    coupon_ids: CouponIds | None = None


class CouponOffer(Struct, frozen=True, kw_only=True):
    """A coupon beside the basket: what it takes off, or why it cannot be used (`short_fen` more to spend)."""

    coupon: CouponView
    off_fen: Fen
    why: Why | None
    short_fen: Fen


class MyQuote(QuoteView, frozen=True, kw_only=True):
    """A priced basket of a buyer. Send `coupon_ids`, `payable_fen` and `quote_hash` back to buy exactly so."""

    coupon_ids: list[Id]
    coupons: list[CouponOffer]


class BuyerCoupons:
    """Campaigns are open to everybody; coupons are their owner's."""

    def __init__(
        self,
        marketing: Marketing,
        orders: OrderService,
        catalog: CatalogService,
        shops: ShopService,
        clock: Clock,
    ) -> None:
        self._marketing = marketing
        self._orders = orders
        self._catalog = catalog
        self._shops = shops
        self._clock = clock

    def routes(self) -> list[Route]:
        """Campaigns below a shop and by themselves, coupons, and quotes with coupons."""
        campaign = "/buyer/campaigns/{campaign_id}"
        return [
            Route(
                "GET", "/buyer/shops/{shop_id}/campaigns", self.campaigns, permission=PUBLIC, answer=Campaigns,
                summary="What a shop offers to claim now or soon",
            ),
            Route(
                "GET", "/buyer/shops/{shop_id}/claims", self.claims, permission=BUYER, answer=Claims,
                summary="What one has claimed of a shop's campaigns",
            ),
            Route(
                "GET", campaign, self.campaign, permission=PUBLIC, answer=CampaignPage, errors=(NotFound,),
                summary="One campaign with its shop and goods",
            ),
            Route(
                "POST", f"{campaign}/claims", self.claim, permission=BUYER, body=ClaimWish, answer=CouponView,
                status=201, errors=(NotFound, ClaimRefused, RequestConflict), summary="Claim a coupon", limit=CLAIMS,
            ),
            Route(
                "GET", "/buyer/coupons", self.coupons, permission=BUYER, query=CouponsQuery, answer=CouponPage,
                summary="Own coupons, newest first",
            ),
            Route(
                "POST", "/buyer/quotes/mine", self.quote, permission=BUYER, body=MyQuoteWish, answer=MyQuote,
                errors=(*QUOTE_REFUSALS, CouponUnusable),
                summary="What a basket costs this buyer now, with the best or with chosen coupons",
            ),
        ]  # fmt: skip

    async def campaigns(self, call: Call[Anonymous]) -> Campaigns:
        now = self._clock.now()
        shop = await self._shops.shop(call.path["shop_id"])
        rows = await self._marketing.claimable(shop.id)
        return Campaigns(items=[_campaign(row, now) for row in rows])

    async def claims(self, call: Call[Buyer]) -> Claims:
        shop = await self._shops.shop(call.path["shop_id"])
        return Claims(claimed=dict(await self._marketing.claimed_by(call.who, shop.id)))

    async def campaign(self, call: Call[Anonymous]) -> CampaignPage:
        row = await self._marketing.one(call.path["campaign_id"])
        shop = await self._shops.shop(row.shop_id)
        goods = await self._catalog.products(row.product_ids)
        card = _campaign(row, self._clock.now())
        return CampaignPage(
            **{name: getattr(card, name) for name in CampaignView.__struct_fields__},
            shop_name=shop.name,
            goods=[
                CampaignGoods(
                    id=one.id, title=one.title, price_fen=one.price_fen, picture=one.picture, on_sale=one.on_sale
                )
                for one in (goods[product_id] for product_id in row.product_ids if product_id in goods)
            ],
        )

    async def claim(self, call: Call[Buyer], body: ClaimWish) -> CouponView:
        row = await self._marketing.claim(call.who, call.path["campaign_id"], body.request_id)
        return (await self._views([row]))[0]

    async def coupons(self, call: Call[Buyer]) -> CouponPage:
        asked: CouponsQuery = call.query
        rows, following = await self._marketing.coupons_of(call.who, tab=asked.tab, cursor=asked.cursor)
        return CouponPage(items=await self._views(rows), next=following)

    async def quote(self, call: Call[Buyer], body: MyQuoteWish) -> MyQuote:
        priced = await self._orders.quote_for(call.who, body.lines, body.fulfilment, body.coupon_ids)
        shown = quote_view(priced.quote, priced.basket)
        coupons = await self._views([one.coupon for one in priced.judged])
        return MyQuote(
            **{name: getattr(shown, name) for name in QuoteView.__struct_fields__},
            coupon_ids=[one.coupon.id for one in priced.picked],
            coupons=[_offer(one, coupon) for one, coupon in zip(priced.judged, coupons, strict=True)],
        )

    async def _views(self, rows: list[Coupon]) -> list[CouponView]:
        now = self._clock.now()
        shops = await self._shops.shops({row.shop_id for row in rows}) if rows else {}
        return [_coupon(row, shops[row.shop_id].name, now) for row in rows]


def state_of(campaign: Campaign, now: Millis) -> CampaignState:
    """Where a campaign is, for people."""
    if campaign.paused:
        return "paused"
    if now >= campaign.claim_until:
        return "over"
    if campaign.claimed >= campaign.total:
        return "gone"
    return "early" if now < campaign.claim_from else "open"


def _campaign(row: Campaign, now: Millis) -> CampaignView:
    return CampaignView(
        id=row.id,
        shop_id=row.shop_id,
        title=row.title,
        words=row.words,
        terms=row.terms,
        total=row.total,
        left=row.total - row.claimed,
        per_buyer=row.per_buyer,
        claim_from=row.claim_from,
        claim_until=row.claim_until,
        valid_days=row.valid_days,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        product_ids=row.product_ids,
        state=state_of(row, now),
    )


def _coupon(row: Coupon, shop_name: str, now: Millis) -> CouponView:
    return CouponView(
        id=row.id,
        campaign_id=row.campaign_id,
        shop_id=row.shop_id,
        shop_name=shop_name,
        title=row.title,
        terms=row.terms,
        product_ids=row.product_ids,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        standing=standing(row, now),
        order_id=row.order_id,
        came_back=came_back(row),
        claimed_at=row.claimed_at,
    )


def _offer(one: Judged, coupon: CouponView) -> CouponOffer:
    return CouponOffer(coupon=coupon, off_fen=one.off_fen, why=one.why, short_fen=one.short_fen)
