"""Use cases of campaigns: a shop makes, edits and pauses them; buyers see them and claim their coupons."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from octshop_rt.commerce.catalog.service import CatalogService
from octshop_rt.commerce.inventory.turnstile import Turnstile
from octshop_rt.commerce.marketing import rules, store
from octshop_rt.commerce.marketing.model import (
    MOST_CAMPAIGNS,
    BadCampaign,
    Campaign,
    CampaignFixed,
    CampaignText,
    ClaimRefused,
    Counts,
    Coupon,
    Tab,
    TooManyCampaigns,
)
from octshop_rt.core.auth.model import Buyer, ShopStaff
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import Busy, NotFound, RequestConflict
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey, Transaction

PAGE = 20
SHOWN = 50  # campaigns of one shop that a buyer is shown


class Marketing:
    """Campaigns of shops. What a checkout does with coupons is in `coupons`."""

    def __init__(self, db: Database, clock: Clock, ids: Ids, catalog: CatalogService) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._catalog = catalog
        self._turnstile = Turnstile()  # claims of one campaign write one row; see its own words

    async def add(
        self, staff: ShopStaff, request_id: str, text: CampaignText, campaign_id: str | None = None
    ) -> Campaign:
        """A new campaign. The same request again gives the first one; RequestConflict if it says something else.

        BadCampaign, TooManyCampaigns refuse. `campaign_id` is for rows that must have a fixed id.
        """
        if (before := await store.campaign_by_request(self._db, staff.shop_id, request_id)) is not None:
            return _same(before, text)
        await self._check(staff.shop_id, text)
        if await store.count_campaigns(self._db, staff.shop_id) >= MOST_CAMPAIGNS:
            raise TooManyCampaigns(most=MOST_CAMPAIGNS)
        row = Campaign(
            **structs.asdict(text),
            id=campaign_id or self._ids.new("P"),
            shop_id=staff.shop_id,
            merchant_id=staff.merchant_id,
            request_id=request_id,
            created_at=self._clock.now(),
            created_by=staff.person_id,
        )
        try:
            await store.add_campaign(self._db, row)
        except DuplicateKey:
            before = await store.campaign_by_request(self._db, staff.shop_id, request_id)
            if before is None:
                raise NotFound from None  # a fixed id that another request has taken
            return _same(before, text)
        return row

    async def edit(self, staff: ShopStaff, campaign_id: str, text: CampaignText) -> Campaign:
        """Write it anew. CampaignFixed once somebody has claimed and the edit touches what was promised (16.1)."""
        before = await self.of_shop(staff, campaign_id)
        await self._check(staff.shop_id, text)
        touches = rules.touches_promises(before, text)
        after = await store.rewrite(self._db, before, text, unclaimed=touches)
        if after is None:
            if touches:
                raise CampaignFixed
            raise Busy  # an edit of somebody else's between: look again
        return after

    async def pause(self, staff: ShopStaff, campaign_id: str, *, paused: bool) -> Campaign:
        """Stop or go on claiming. Coupons in people's hands stay what they are."""
        found = await store.set_paused(self._db, staff.shop_id, campaign_id, paused=paused)
        if found is None:
            return await self.of_shop(staff, campaign_id)
        return found

    async def of_shop(self, staff: ShopStaff, campaign_id: str) -> Campaign:
        """A campaign of this shop; NotFound otherwise."""
        found = await store.campaign(self._db, campaign_id)
        if found is None or found.shop_id != staff.shop_id:
            raise NotFound
        return found

    async def all_of(self, staff: ShopStaff) -> tuple[list[Campaign], Mapping[str, Counts]]:
        """Every campaign of the shop, newest first, with what has become of their coupons."""
        rows = await store.campaigns_of(self._db, staff.shop_id, MOST_CAMPAIGNS)
        return rows, await store.counts(self._db, [row.id for row in rows])

    async def counts(self, campaign_id: str) -> Counts:
        """What has become of one campaign's coupons."""
        return (await store.counts(self._db, [campaign_id])).get(campaign_id, Counts())

    async def one(self, campaign_id: str) -> Campaign:
        """A campaign, for anybody, also when it is over: links to it stay good. NotFound if there is none."""
        found = await store.campaign(self._db, campaign_id)
        if found is None:
            raise NotFound
        return found

    async def claimable(self, shop_id: str) -> list[Campaign]:
        """What the shop offers now or soon, newest first."""
        return await store.claimable_of(self._db, shop_id, self._clock.now(), SHOWN)

    async def claim(self, buyer: Buyer, campaign_id: str, request_id: str) -> Coupon:
        """Take one coupon. ClaimRefused says why not; the same request again gives the same coupon.

        However many ask at once: never more than the total, never more than one's share (16.2).
        """
        while True:
            if (before := await store.coupon_by_request(self._db, buyer.person_id, request_id)) is not None:
                if before.campaign_id != campaign_id:
                    raise RequestConflict
                return before
            try:
                seen = await self.one(campaign_id)
                mine = await store.count_of(self._db, buyer.person_id, campaign_id)
                if (refusal := rules.claim_refusal(seen, mine, self._clock.now())) is not None:
                    raise refusal
                async with self._turnstile.through([campaign_id]):
                    return await self._take(buyer, campaign_id, request_id, mine)
            except DuplicateKey:  # this request, or another of this buyer's, was faster: look again
                continue
            except ClaimRefused:  # for what this very request's twin has just taken, it is no refusal
                if await store.coupon_by_request(self._db, buyer.person_id, request_id) is None:
                    raise

    async def _take(self, buyer: Buyer, campaign_id: str, request_id: str, mine: int) -> Coupon:
        coupon_id, now = self._ids.new("Q"), self._clock.now()

        async def work(tx: Transaction) -> Coupon:
            campaign = await store.take_one(tx, campaign_id, now)
            if campaign is None or mine >= campaign.per_buyer:
                fresh = await store.campaign(tx, campaign_id)
                raise (fresh and rules.claim_refusal(fresh, mine, now)) or Busy
            row = rules.claimed(
                campaign, coupon_id=coupon_id, buyer_id=buyer.person_id, request_id=request_id, nth=mine + 1, now=now
            )
            await store.add_coupon(tx, row)
            return row

        return await self._db.transact(work)

    async def claimed_by(self, buyer: Buyer, shop_id: str) -> Mapping[str, int]:
        """How many coupons of each of the shop's campaigns this buyer has claimed."""
        return await store.claims_of(self._db, buyer.person_id, shop_id)

    async def coupons_of(self, buyer: Buyer, *, tab: Tab | None, cursor: str | None) -> tuple[list[Coupon], str | None]:
        """A page of a buyer's coupons, newest first, and the next cursor."""
        rows = await store.of_buyer(
            self._db,
            buyer.person_id,
            tab=tab,
            now=self._clock.now(),
            before=cursor,
            limit=PAGE + 1,
        )
        return rows[:PAGE], rows[PAGE - 1].id if len(rows) > PAGE else None

    async def _check(self, shop_id: str, text: CampaignText) -> None:
        rules.check(text)
        goods = await self._catalog.products(text.product_ids)
        if any(one not in goods or goods[one].shop_id != shop_id for one in text.product_ids):
            raise BadCampaign(reason_zh="所选商品不属于本店", reason_en="a product is not of this shop")


def _same(before: Campaign, text: CampaignText) -> Campaign:
    if rules.text_of(before) != text:
        raise RequestConflict
    return before
