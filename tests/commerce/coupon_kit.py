"""Campaigns, coupons and an order bought with one, for tests that read like sentences."""

from __future__ import annotations

from msgspec import structs

from octshop_rt.commerce.marketing import store
from octshop_rt.commerce.marketing.model import (
    Campaign,
    CampaignText,
    Coupon,
    Terms,
)
from octshop_rt.commerce.order.model import Order
from octshop_rt.commerce.shop.model import Shop
from octshop_rt.core.auth.model import Buyer, Right, ShopStaff
from octshop_rt.core.clock import DAY
from octshop_rt.events import OrderRefunded
from tests.commerce.conftest import Mall


def manager(shop: Shop) -> ShopStaff:
    return ShopStaff(
        session_id="N", person_id="Umanager", name="m", merchant_id=shop.merchant_id, shop_id=shop.id, branch_id=None,
        rights=frozenset(Right),
    )  # fmt: skip


def text(mall: Mall, **changes: object) -> CampaignText:
    now = mall.clock.now()
    plain = CampaignText(
        title="立减 5 元", words="", terms=Terms(value_fen=500), total=10, per_buyer=1, claim_from=now,
        claim_until=now + 30 * DAY, valid_days=7,
    )  # fmt: skip
    return structs.replace(plain, **changes)


async def offered(mall: Mall, shop: Shop, **changes: object) -> Campaign:
    return await mall.marketing.add(manager(shop), mall.ids.new("Z"), text(mall, **changes))


async def claimed(mall: Mall, buyer: Buyer, campaign: Campaign) -> Coupon:
    return await mall.marketing.claim(buyer, campaign.id, mall.ids.new("Z"))


async def row_of(mall: Mall, coupon: Coupon) -> Coupon:
    (row,) = await store.by_ids(mall.db, coupon.buyer_id, [coupon.id])
    return row


async def state(mall: Mall, coupon: Coupon) -> tuple[str, str | None]:
    row = await row_of(mall, coupon)
    return row.state, row.order_id


class Bought:
    """A shop, a cup for 19.90, a buyer with a coupon of 5.00 and the order made with it."""

    shop: Shop
    buyer: Buyer
    coupon: Coupon
    order: Order


async def bought(mall: Mall, *, stock: int = 10) -> Bought:
    made = Bought()
    made.shop, made.buyer = await mall.open_shop(), mall.buyer()
    cup, _ = await mall.put_on_sale(made.shop, stock=stock)
    made.coupon = await claimed(mall, made.buyer, await offered(mall, made.shop))
    (made.order,) = (
        await mall.buy(made.buyer, [(cup, 1)], coupon_ids=[made.coupon.id], expected_payable_fen=1490)
    ).orders
    return made


def refunded(mall: Mall, order: Order, *, whole: bool) -> OrderRefunded:
    return OrderRefunded(
        order_id=order.id, buyer_id=order.buyer_id, shop_id=order.shop_id, aftersale_id="D1", amount_fen=1,
        whole=whole, refunded_at=mall.clock.now(),
    )  # fmt: skip
