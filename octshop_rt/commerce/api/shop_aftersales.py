"""The shop's side of after-sale: whoever may read orders sees the cases, whoever runs the shop answers them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.commerce.aftersale.model import Decided, ReasonNeeded, TooLate
from octshop_rt.commerce.aftersale.service import AftersaleService
from octshop_rt.commerce.aftersale.views import AftersaleView, view
from octshop_rt.commerce.api.aftersales import FILTERS, Aftersales, Filter
from octshop_rt.commerce.api.buyer_shops import Cursor
from octshop_rt.commerce.member.service import Members
from octshop_rt.core.auth.model import Right, ShopStaff, at_shop
from octshop_rt.core.http.routes import Call, Route
from octshop_rt.core.ids import Id


class ShopAftersalesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In one state or in all; of one buyer or of all."""

    state: Filter | None = None
    buyer_id: Id | None = None
    cursor: Cursor | None = None


class Refusal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why not: the buyer reads it."""

    reason: Annotated[str, Meta(max_length=300)]


class AftersalesWaiting(Struct, frozen=True, kw_only=True):
    """How many cases wait for the shop."""

    waiting: int


class ShopAftersales:
    """Cases of one shop. An agent sees them beside the conversation; money is given back by who runs the shop."""

    def __init__(self, cases: AftersaleService, members: Members) -> None:
        self._cases = cases
        self._members = members

    def routes(self) -> list[Route]:
        """Below /shop/{shop_id}/aftersales."""
        return [
            Route(
                "GET",
                "/shop/{shop_id}/aftersales",
                self.cases,
                permission=at_shop(Right.ORDERS),
                query=ShopAftersalesQuery,
                answer=Aftersales,
                summary="After-sale cases of the shop, newest first",
            ),
            Route(
                "GET",
                "/shop/{shop_id}/aftersales/count",
                self.count,
                permission=at_shop(Right.ORDERS),
                answer=AftersalesWaiting,
                summary="How many cases wait for the shop",
            ),
            Route(
                "GET",
                "/shop/{shop_id}/aftersales/{aftersale_id}",
                self.case,
                permission=at_shop(Right.ORDERS),
                answer=AftersaleView,
                summary="One case",
            ),
            *self._answers(),
        ]

    def _answers(self) -> list[Route]:
        return [
            Route(
                "POST",
                "/shop/{shop_id}/aftersales/{aftersale_id}/agree",
                self.agree,
                permission=at_shop(Right.MANAGE),
                answer=AftersaleView,
                errors=(Decided,),
                summary="Give the money back, by the way it was paid",
            ),
            Route(
                "POST",
                "/shop/{shop_id}/aftersales/{aftersale_id}/refuse",
                self.refuse,
                permission=at_shop(Right.MANAGE),
                body=Refusal,
                answer=AftersaleView,
                errors=(Decided, TooLate, ReasonNeeded),
                summary="Refuse with a reason; the goods can be used again",
            ),
            Route(
                "POST",
                "/shop/{shop_id}/aftersales/{aftersale_id}/press",
                self.press,
                permission=at_shop(Right.MANAGE),
                answer=AftersaleView,
                errors=(Decided,),
                summary="Ask the channel about a refund that was held up once more",
            ),
        ]

    async def cases(self, call: Call[ShopStaff]) -> Aftersales:
        asked: ShopAftersalesQuery = call.query
        buyer_id = asked.buyer_id
        if buyer_id is not None:  # chat may know a buyer by the guest they were; cases are the member's
            buyer_id = (await self._members.behind([buyer_id])).get(buyer_id, buyer_id)
        states = () if asked.state is None else FILTERS[asked.state]
        rows, following = await self._cases.of_shop(call.who, states=states, buyer_id=buyer_id, cursor=asked.cursor)
        return Aftersales(items=[view(case, call.lang) for case in rows], next=following)

    async def count(self, call: Call[ShopStaff]) -> AftersalesWaiting:
        return AftersalesWaiting(waiting=await self._cases.waiting_at(call.who))

    async def case(self, call: Call[ShopStaff]) -> AftersaleView:
        return view(await self._cases.at(call.who, call.path["aftersale_id"]), call.lang)

    async def agree(self, call: Call[ShopStaff]) -> AftersaleView:
        return view(await self._cases.agree(call.who, call.path["aftersale_id"]), call.lang)

    async def refuse(self, call: Call[ShopStaff], body: Refusal) -> AftersaleView:
        return view(await self._cases.refuse(call.who, call.path["aftersale_id"], body.reason), call.lang)

    async def press(self, call: Call[ShopStaff]) -> AftersaleView:
        return view(await self._cases.press_on(call.who, call.path["aftersale_id"]), call.lang)
