"""Campaigns and claims on a real MongoDB: made once, fixed once claimed, never more than there are."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from msgspec import structs

from octshop_rt.commerce.marketing.model import (
    BadCampaign,
    Campaign,
    CampaignFixed,
    ClaimRefused,
    Coupon,
    Terms,
)
from octshop_rt.commerce.marketing.rules import text_of
from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.errors import Busy, DomainError, NotFound, RequestConflict, UnknownOutcome
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from tests.commerce.conftest import Mall
from tests.commerce.coupon_kit import claimed, manager, offered, text

REQUEST = "request-id-0000000001"


class TestCampaigns:
    async def test_made_once_edited_while_nobody_has_claimed_then_fixed(self, mall: Mall) -> None:
        # req 16.1
        shop = await mall.open_shop()
        staff, wish = manager(shop), text(mall)
        row = await mall.marketing.add(staff, REQUEST, wish)
        assert await mall.marketing.add(staff, REQUEST, wish) == row
        with pytest.raises(RequestConflict):
            await mall.marketing.add(staff, REQUEST, text(mall, title="另一个"))
        dearer = text(mall, terms=Terms(value_fen=600))
        assert (await mall.marketing.edit(staff, row.id, dearer)).terms.value_fen == 600
        coupon = await claimed(mall, mall.buyer(), row)
        assert coupon.terms.value_fen == 600
        with pytest.raises(CampaignFixed):
            await mall.marketing.edit(staff, row.id, text(mall))
        more = structs.replace(dearer, title="更多", total=20)
        assert text_of(await mall.marketing.edit(staff, row.id, more)) == more
        await mall.assert_clean()

    async def test_a_title_of_blanks_is_refused_before_anything_is_kept(self, mall: Mall) -> None:
        # req 16.1: what the shop's list could not read again never gets into it
        shop = await mall.open_shop()
        staff = manager(shop)
        row = await offered(mall, shop)
        for attempt in (
            mall.marketing.add(staff, REQUEST, text(mall, title="")),
            mall.marketing.edit(staff, row.id, text(mall, title="")),
        ):
            with pytest.raises(BadCampaign) as caught:
                await attempt
            assert "活动名称" in caught.value.text("zh-CN")
        assert [one.title for one in (await mall.marketing.all_of(staff))[0]] == [row.title]
        await mall.assert_clean()

    async def test_goods_of_others_and_other_shops_campaigns_are_refused(self, mall: Mall) -> None:
        shop, other = await mall.open_shop(), await mall.open_shop("巷口面馆")
        cup, _ = await mall.put_on_sale(other)
        with pytest.raises(BadCampaign):
            await offered(mall, shop, product_ids=(cup.product_id,))
        theirs = await offered(mall, other, product_ids=(cup.product_id,))
        for attempt in (
            mall.marketing.edit(manager(shop), theirs.id, text(mall)),
            mall.marketing.pause(manager(shop), theirs.id, paused=True),
        ):
            with pytest.raises(NotFound):
                await attempt
        assert (await mall.marketing.one(theirs.id)).paused is False

    async def test_paused_stops_claiming_and_leaves_coupons_as_they_are(self, mall: Mall) -> None:
        # req 16.1
        shop, buyer = await mall.open_shop(), mall.buyer()
        row = await offered(mall, shop)
        coupon = await claimed(mall, buyer, row)
        await mall.marketing.pause(manager(shop), row.id, paused=True)
        assert await mall.marketing.claimable(shop.id) == []
        with pytest.raises(ClaimRefused) as refusal:
            await claimed(mall, mall.buyer(), row)
        assert refusal.value.data["why"] == "paused"
        cup, _ = await mall.put_on_sale(shop)
        await mall.buy(buyer, [(cup, 1)], coupon_ids=[coupon.id], expected_payable_fen=1490)
        await mall.marketing.pause(manager(shop), row.id, paused=False)
        await claimed(mall, mall.buyer(), row)
        (listed,), counts = await mall.marketing.all_of(manager(shop))
        assert (listed.claimed, counts[row.id].held, counts[row.id].used) == (2, 1, 0)


class TestClaims:
    async def test_the_same_request_is_one_coupon_and_another_campaign_a_conflict(self, mall: Mall) -> None:
        # req 16.2
        shop, buyer = await mall.open_shop(), mall.buyer()
        row, other = await offered(mall, shop), await offered(mall, shop)
        one = await mall.marketing.claim(buyer, row.id, REQUEST)
        assert await mall.marketing.claim(buyer, row.id, REQUEST) == one
        with pytest.raises(RequestConflict):
            await mall.marketing.claim(buyer, other.id, REQUEST)
        with pytest.raises(ClaimRefused):
            await claimed(mall, buyer, row)
        assert (await mall.marketing.one(row.id)).claimed == 1
        await mall.assert_clean()

    async def test_sixty_four_at_once_for_ten_on_two_nodes(self, mall: Mall, mongo_uri: str, db: Database) -> None:
        # req 16.2: never more than the total; the turnstile of one process is only its politeness
        row = await offered(mall, await mall.open_shop())
        other_db = Database.connect(MongoSettings(uri=mongo_uri, prefix=db._prefix))
        nodes = [mall, Mall(other_db, mall.clock)]
        answers = await asyncio.gather(*(insist(nodes[i % 2], mall.buyer(), row) for i in range(64)))
        await other_db.close()
        told = Counter(one.data["why"] if isinstance(one, DomainError) else "coupon" for one in answers)
        assert told == {"coupon": 10, "gone": 54}
        assert (await mall.marketing.one(row.id)).claimed == 10
        await mall.assert_clean()

    async def test_one_buyer_pressing_twenty_times_gets_his_share(self, mall: Mall) -> None:
        # req 16.2, 16.1
        buyer, row = mall.buyer(), await offered(mall, await mall.open_shop(), per_buyer=3)
        answers = await asyncio.gather(*(insist(mall, buyer, row) for _ in range(20)))
        coupons = [one for one in answers if isinstance(one, Coupon)]
        assert sorted(one.nth for one in coupons) == [1, 2, 3]
        assert {one.data["why"] for one in answers if isinstance(one, DomainError)} == {"enough"}
        assert (await mall.marketing.one(row.id)).claimed == 3
        assert await mall.marketing.claimed_by(buyer, row.shop_id) == {row.id: 3}
        await mall.assert_clean()

    async def test_the_same_claim_many_times_in_flight_is_one_coupon_and_no_refusal(self, mall: Mall) -> None:
        # req 16.2, M6: a twin that finds the share or the last one taken by itself has its coupon
        buyer, row = mall.buyer(), await offered(mall, await mall.open_shop(), total=1, per_buyer=1)
        for _ in range(4):
            request_id = mall.ids.new("Z")
            answers = await asyncio.gather(*(mall.marketing.claim(buyer, row.id, request_id) for _ in range(8)))
            assert len({one.id for one in answers}) == 1
            buyer, row = mall.buyer(), await offered(mall, await mall.open_shop(), total=1, per_buyer=1)
        await mall.assert_clean()


async def insist(node: Mall, buyer: Buyer, row: Campaign) -> Coupon | DomainError:
    """A client: busy and unknown are answered by the same request again."""
    request_id = node.ids.new("Z")
    while True:
        try:
            return await node.marketing.claim(buyer, row.id, request_id)
        except (Busy, UnknownOutcome):
            continue
        except DomainError as refusal:
            return refusal
