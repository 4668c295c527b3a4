"""The service part of the im wing, made by hand: the desk, and what stands on it; their routes and checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from octshop_rt.app.answering import Answering, raise_answering
from octshop_rt.app.between import ChatDirectory
from octshop_rt.app.commerce import Commerce
from octshop_rt.app.foundation import Foundation
from octshop_rt.app.insight import Insight, raise_insight
from octshop_rt.app.pushing import Pushing, raise_pushing
from octshop_rt.app.visiting import raise_visitors
from octshop_rt.commerce.shop.official import official
from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.errors import NotFound
from octshop_rt.core.fsck import Check
from octshop_rt.core.http.routes import Route
from octshop_rt.im.answer import checks as answer_checks
from octshop_rt.im.api.desk_board import DeskOfManagers
from octshop_rt.im.api.desk_buyer import DeskOfBuyers
from octshop_rt.im.api.desk_platform import DeskOfPlatform
from octshop_rt.im.api.desk_staff import DeskOfStaff
from octshop_rt.im.api.visitors import VisitorApi
from octshop_rt.im.conversation.model import ShopFacts
from octshop_rt.im.desk import checks as desk_checks
from octshop_rt.im.desk.handover import Handover
from octshop_rt.im.desk.model import PLATFORM_SHOP, Card
from octshop_rt.im.desk.service import Desk
from octshop_rt.im.desk.supervise import Supervise
from octshop_rt.im.guard import checks as guard_checks
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.insight import checks as insight_checks
from octshop_rt.im.push import checks as push_checks
from octshop_rt.im.visitor import checks as visitor_checks
from octshop_rt.im.visitor.service import Visitors
from octshop_rt.im.wire.fields import Context
from octshop_rt.im.ws.server import ImServer

CHECKS: tuple[Check, ...] = (
    *desk_checks.CHECKS,
    *answer_checks.CHECKS,
    *guard_checks.CHECKS,
    *insight_checks.CHECKS,
    *visitor_checks.CHECKS,
    *push_checks.CHECKS,
)

_LEVELS = (1, 3, 10, 30)  # orders made at the shop from which a buyer is of level 1, 2, 3, 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Care:
    """Customer service of one process. Started after chat, stopped before it."""

    desk: Desk
    handover: Handover
    answering: Answering
    insight: Insight
    visitors: Visitors
    pushing: Pushing
    routes: list[Route]
    foundation: Foundation
    commerce: Commerce

    async def start(self) -> None:
        """Make sure that the platform's own service is there, then serve."""
        await self.commerce.shops.add(*official(self.foundation.clock.now()), [], [])
        self.desk.start()
        self.answering.start()
        await self.insight.start()
        self.pushing.watch.start()

    async def stop(self) -> None:
        """No new work."""
        await self.pushing.watch.stop()
        await self.insight.stop()
        await self.answering.stop()
        await self.desk.stop()


def raise_care(on: Foundation, commerce: Commerce, im: ImServer, guard: Guard) -> Care:
    """Build it on chat and commerce."""
    desk = Desk(
        db=on.db,
        clock=on.clock,
        ids=on.ids,
        bus=on.bus,
        tasks=on.tasks,
        conversations=im.conversations,
        around=AroundDesk(commerce),
        connected=im.presence.staff,
        guard=guard,
    )
    directory = ChatDirectory(commerce.shops, commerce.gate.members)
    supervise = Supervise(on.db, on.clock, desk, im.conversations)
    handover = Handover(on.db, on.clock, desk, im.conversations)
    answering = raise_answering(on, commerce, im, desk, guard)
    insight = raise_insight(on, commerce, im, guard)
    visitors = raise_visitors(on, commerce, desk, guard)
    pushing = raise_pushing(on, commerce, im)
    return Care(
        desk=desk,
        handover=handover,
        answering=answering,
        insight=insight,
        visitors=visitors,
        pushing=pushing,
        routes=[
            *DeskOfStaff(desk, handover, on.clock).routes(),
            *DeskOfManagers(desk, supervise, on.clock, directory.shop_names).routes(),
            *DeskOfPlatform(desk.office, on.clock, directory.shop_names).routes(),
            *DeskOfBuyers(desk, on.clock, guard).routes(),
            *answering.routes,
            *insight.routes,
            *VisitorApi(visitors).routes(),
            *pushing.routes,
        ],
        foundation=on,
        commerce=commerce,
    )


class AroundDesk:
    """Shops, people, goods and orders, as the desk asks for them."""

    def __init__(self, commerce: Commerce) -> None:
        self._commerce = commerce

    async def shop(self, shop_id: str) -> ShopFacts | None:
        """A shop a buyer may talk to."""
        try:
            shop = await self._commerce.shops.shop(shop_id)
        except NotFound:
            return None
        return ShopFacts(id=shop.id, merchant_id=shop.merchant_id, name=shop.name)

    async def names(self, person_ids: Sequence[str]) -> Mapping[str, str]:
        """Nicknames by id."""
        cards = await self._commerce.gate.members.cards(person_ids)
        return {person_id: card.nickname for person_id, card in cards.items()}

    async def card(self, buyer_id: str, shop_id: str, ctx: Context) -> Card | None:
        """The thing as it is now, if it is of this shop (any shop, for the platform's service) and, where it is an
        order or an after-sale case, of this buyer.
        """
        looks = {
            "shop": self._shop,
            "product": self._product,
            "order": self._order,
            "aftersale": self._case,
            "activity": self._activity,
        }
        try:
            thing_shop_id, card = await looks[ctx.k](buyer_id, ctx.id)
        except NotFound:
            return None
        return card if _fits(thing_shop_id, shop_id) else None

    async def _shop(self, _: str, thing_id: str) -> tuple[str, Card]:
        shop = await self._commerce.shops.shop(thing_id)
        return shop.id, Card(k="shop", id=shop.id, title=shop.name)

    async def _product(self, _: str, thing_id: str) -> tuple[str, Card]:
        product, _skus = await self._commerce.catalog.product(thing_id)
        picture = f"{product.picture.seed}/{product.picture.hue}"
        card = Card(k="product", id=product.id, title=product.title, price_fen=product.price_fen, picture=picture)
        return product.shop_id, card

    async def _order(self, buyer_id: str, thing_id: str) -> tuple[str, Card]:
        order = await self._commerce.orders.of(await self._asking(buyer_id), thing_id)
        line = order.lines[0]
        picture = f"{line.picture.seed}/{line.picture.hue}"
        return order.shop_id, Card(
            k="order", id=order.id, title=line.title, price_fen=order.payable_fen, picture=picture, state=order.state
        )

    async def _case(self, buyer_id: str, thing_id: str) -> tuple[str, Card]:
        case = await self._commerce.cases.of(await self._asking(buyer_id), thing_id)
        line = case.lines[0]
        picture = f"{line.picture.seed}/{line.picture.hue}"
        return case.shop_id, Card(
            k="aftersale", id=case.id, title=line.title, price_fen=case.amount_fen, picture=picture, state=case.state
        )

    async def _activity(self, _: str, thing_id: str) -> tuple[str, Card]:
        campaign = await self._commerce.marketing.one(thing_id)
        return campaign.shop_id, Card(k="activity", id=thing_id, title=campaign.title)

    async def _asking(self, buyer_id: str) -> Buyer:
        return Buyer(session_id="", person_id=await self._member(buyer_id), device_id="")

    async def _member(self, buyer_id: str) -> str:
        """Who a guest has become; everybody else is who he is."""
        return (await self._commerce.gate.members.behind([buyer_id])).get(buyer_id, buyer_id)

    async def level(self, buyer_id: str, shop_id: str) -> int:
        """By the number of orders made at the shop."""
        count = await self._commerce.orders.made_at(shop_id, await self._member(buyer_id))
        return sum(1 for least in _LEVELS if count >= least)


def _fits(thing_shop_id: str, shop_id: str) -> bool:
    return shop_id in {thing_shop_id, PLATFORM_SHOP}
