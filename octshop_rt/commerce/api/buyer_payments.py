"""A buyer pays orders: open a payment for one or several of them, and look how it stands."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.commerce.order.model import NothingToPay, NotPayable
from octshop_rt.commerce.order.service import OrderService
from octshop_rt.commerce.payment.model import AlreadyPaid, ChannelRefused, NoChannelAccount, PayView, TimeIsUp, Wish
from octshop_rt.commerce.payment.service import PaymentService
from octshop_rt.core.auth.model import BUYER, Buyer
from octshop_rt.core.clock import MINUTE
from octshop_rt.core.errors import NotFound, RequestConflict
from octshop_rt.core.http.routes import Call, Limit, Route
from octshop_rt.core.ids import Id, RequestId

OrderIds = Annotated[tuple[Id, ...], Meta(min_length=1, max_length=20)]
PAYMENTS = Limit(name="payment.open", burst=30, per_ms=MINUTE)


class PaymentWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pay these orders together."""

    request_id: RequestId
    order_ids: OrderIds
    channel: Literal["wechat"] = "wechat"
    method: Literal["native"] = "native"


class BuyerPayments:
    """For signed-in buyers, their own orders and payments only."""

    def __init__(self, orders: OrderService, payments: PaymentService) -> None:
        self._orders = orders
        self._payments = payments

    def routes(self) -> list[Route]:
        """Below /buyer/payments."""
        return [
            Route(
                "POST",
                "/buyer/payments",
                self.open,
                permission=BUYER,
                body=PaymentWish,
                answer=PayView,
                status=201,
                errors=(
                    NotFound,
                    NotPayable,
                    NothingToPay,
                    AlreadyPaid,
                    ChannelRefused,
                    NoChannelAccount,
                    RequestConflict,
                    TimeIsUp,
                ),
                summary="Open a payment for orders; its code_url is to be shown or opened",
                limit=PAYMENTS,
            ),
            Route(
                "GET",
                "/buyer/payments/{payment_id}",
                self.payment,
                permission=BUYER,
                answer=PayView,
                summary="How a payment stands; while it waits, the channel is asked",
            ),
        ]

    async def open(self, call: Call[Buyer], body: PaymentWish) -> PayView:
        payable = await self._orders.payable(call.who, body.order_ids)
        wish = Wish(
            opener=_opener(call.who),
            request_id=body.request_id,
            buyer_id=call.who.person_id,
            parts=payable.parts,
            method=body.method,
            description=payable.description,
            expires_at=payable.until,
        )
        return await self._payments.open(wish)

    async def payment(self, call: Call[Buyer]) -> PayView:
        return await self._payments.refresh(call.path["payment_id"], opener=_opener(call.who))


def _opener(buyer: Buyer) -> str:
    """Who may repeat and see a payment."""
    return f"buyer:{buyer.person_id}"
