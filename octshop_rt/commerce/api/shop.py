"""The shop's own door: its orders, the buyers it deals with, its profile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from octshop_rt.commerce.api.buyer_orders import Orders
from octshop_rt.commerce.api.buyer_shops import Cursor, ShopPage, shop_page
from octshop_rt.commerce.member.service import Members
from octshop_rt.commerce.order.service import OrderService
from octshop_rt.commerce.order.views import view
from octshop_rt.commerce.shop.policy import Policy
from octshop_rt.commerce.shop.service import ShopService
from octshop_rt.commerce.shop.staff_model import TillView
from octshop_rt.core.auth.model import Right, ShopStaff, at_shop
from octshop_rt.core.errors import NotFound
from octshop_rt.core.http.routes import Call, Route
from octshop_rt.core.ids import Id


class ShopOrdersQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one buyer, or of all."""

    buyer_id: Id | None = None
    cursor: Cursor | None = None


class BuyerCard(Struct, frozen=True, kw_only=True):
    """A buyer as a shop may see it."""

    id: Id
    nickname: str
    phone_masked: str
    orders_count: int


class ShopProfile(ShopPage, frozen=True, kw_only=True):
    """The shop with what only its staff sees."""

    tills: list[TillView]
    policy: Policy


class ShopDesk:
    """For staff of the shop in the path. `have_spoken(shop, buyer)` says whether the two have a conversation."""

    def __init__(
        self,
        orders: OrderService,
        shops: ShopService,
        members: Members,
        have_spoken: Callable[[str, str], Awaitable[bool]],
    ) -> None:
        self._orders = orders
        self._shops = shops
        self._members = members
        self._have_spoken = have_spoken

    def routes(self) -> list[Route]:
        """Below /shop/{shop_id}."""
        return [
            Route(
                "GET",
                "/shop/{shop_id}/orders",
                self.orders,
                permission=at_shop(Right.ORDERS),
                query=ShopOrdersQuery,
                answer=Orders,
                summary="The shop's orders, newest first",
            ),
            Route(
                "GET",
                "/shop/{shop_id}/buyers/{buyer_id}",
                self.buyer,
                permission=at_shop(Right.ORDERS),
                answer=BuyerCard,
                summary="A buyer, and how many orders he has made here",
            ),
            Route(
                "GET",
                "/shop/{shop_id}/profile",
                self.profile,
                permission=at_shop(),
                answer=ShopProfile,
                summary="The shop with its stores, counters and settings",
            ),
        ]

    async def orders(self, call: Call[ShopStaff]) -> Orders:
        asked: ShopOrdersQuery = call.query
        buyer_id = asked.buyer_id
        if buyer_id is not None:  # chat may know a buyer by the guest they were; orders are the member's
            buyer_id = (await self._members.behind([buyer_id])).get(buyer_id, buyer_id)
        rows, following = await self._orders.of_shop(call.who, buyer_id=buyer_id, cursor=asked.cursor)
        return Orders(items=[view(order, call.lang) for order in rows], next=following)

    async def buyer(self, call: Call[ShopStaff]) -> BuyerCard:
        card = await self._members.card(call.path["buyer_id"])
        count = await self._orders.count_of(call.who, card.id)
        # a shop sees the people it deals with, not everyone whose id it can name
        if not count and not await self._spoken(call.who.shop_id, {call.path["buyer_id"], card.id}):
            raise NotFound
        return BuyerCard(id=card.id, nickname=card.nickname, phone_masked=card.phone_masked, orders_count=count)

    async def _spoken(self, shop_id: str, ids: set[str]) -> bool:
        return any([await self._have_spoken(shop_id, one) for one in ids])

    async def profile(self, call: Call[ShopStaff]) -> ShopProfile:
        shop = await self._shops.shop(call.who.shop_id)
        page = shop_page(shop, await self._shops.branches(shop.id), None)
        tills = await self._shops.tills(shop.id)
        return ShopProfile(
            **{name: getattr(page, name) for name in page.__struct_fields__},
            tills=[TillView(id=till.id, name=till.name, branch_id=till.branch_id) for till in tills],
            policy=await self._shops.policy(shop.id),
        )
