"""A buyer's after-sale cases: see what could be asked back, ask, look, withdraw."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.commerce.aftersale.model import (
    AlreadyOpen,
    AmountChanged,
    Decided,
    NothingToRefund,
    NotRefundable,
    Reason,
    RefundOffer,
    TooLate,
    TooManyUses,
    Wish,
    Words,
)
from octshop_rt.commerce.aftersale.service import AftersaleService
from octshop_rt.commerce.aftersale.views import AftersaleView, view
from octshop_rt.commerce.api.aftersales import Aftersales, WantedBacks
from octshop_rt.commerce.api.buyer_shops import Cursor
from octshop_rt.core.auth.model import BUYER, Buyer
from octshop_rt.core.clock import MINUTE
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.core.http.routes import Call, Limit, Route
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.core.money import Fen

ASKS = Limit(name="aftersale.ask", burst=10, per_ms=MINUTE)
REFUSALS = (NothingToRefund, NotRefundable, TooManyUses)


class RefundOfferWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What would so many uses give back? No lines: all that is unused."""

    lines: WantedBacks = ()


class Ask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give back these uses (no lines: all that is unused) for exactly `expected_fen`."""

    request_id: RequestId
    order_id: Id
    lines: WantedBacks = ()
    reason: Reason
    words: Words = ""
    expected_fen: Fen


class AftersalesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one order, or of all."""

    order_id: Id | None = None
    cursor: Cursor | None = None


class BuyerAftersales:
    """For signed-in buyers, their own orders and cases only."""

    def __init__(self, cases: AftersaleService) -> None:
        self._cases = cases

    def routes(self) -> list[Route]:
        """Below /buyer/aftersales, and the offer below its order."""
        return [
            Route(
                "POST",
                "/buyer/orders/{order_id}/refund-offers",
                self.offer,
                permission=BUYER,
                body=RefundOfferWish,
                answer=RefundOffer,
                errors=REFUSALS,
                summary="What of an order could be asked back now, and what it is worth",
            ),
            Route(
                "POST",
                "/buyer/aftersales",
                self.ask,
                permission=BUYER,
                body=Ask,
                answer=AftersaleView,
                status=201,
                errors=(NotFound, *REFUSALS, AmountChanged, AlreadyOpen, RequestConflict),
                summary="Ask for the money of unused goods; they cannot be used meanwhile",
                limit=ASKS,
            ),
            Route(
                "GET",
                "/buyer/aftersales",
                self.cases,
                permission=BUYER,
                query=AftersalesQuery,
                answer=Aftersales,
                summary="Own after-sale cases, newest first",
            ),
            Route(
                "GET",
                "/buyer/aftersales/{aftersale_id}",
                self.case,
                permission=BUYER,
                answer=AftersaleView,
                summary="One of one's own cases",
            ),
            Route(
                "POST",
                "/buyer/aftersales/{aftersale_id}/withdraw",
                self.withdraw,
                permission=BUYER,
                answer=AftersaleView,
                errors=(Decided, TooLate),
                summary="Withdraw a request the shop has not answered; the goods can be used again",
            ),
        ]

    async def offer(self, call: Call[Buyer], body: RefundOfferWish) -> RefundOffer:
        return await self._cases.offer(call.who, call.path["order_id"], body.lines)

    async def ask(self, call: Call[Buyer], body: Ask) -> AftersaleView:
        wish = Wish(
            request_id=body.request_id,
            order_id=body.order_id,
            wanted=body.lines,
            reason=body.reason,
            words=body.words,
            expected_fen=body.expected_fen,
        )
        return view(await self._cases.ask(call.who, wish), call.lang)

    async def cases(self, call: Call[Buyer]) -> Aftersales:
        asked: AftersalesQuery = call.query
        rows, following = await self._cases.of_buyer(call.who, order_id=asked.order_id, cursor=asked.cursor)
        return Aftersales(items=[view(case, call.lang) for case in rows], next=following)

    async def case(self, call: Call[Buyer]) -> AftersaleView:
        return view(await self._cases.of(call.who, call.path["aftersale_id"]), call.lang)

    async def withdraw(self, call: Call[Buyer]) -> AftersaleView:
        return view(await self._cases.withdraw(call.who, call.path["aftersale_id"]), call.lang)
