"""The cashier's doors: charge, look, ask, reverse, close, takings. Truth by GET; changes are hinted on the socket.

A till that never had the answer to a charge asks by its request id: that finds out, and calls off, without the payment
code and without ever charging.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from octshop_rt.commerce.bill import model as bills
from octshop_rt.commerce.bill.model import (
    BadDay,
    NotAnAmount,
    NotYoursToGiveBack,
    NotYoursToSetAside,
    Standing,
    TillHeld,
    TillPlace,
    TooEarlyToSetAside,
    TooLateToReverse,
    words_of,
)
from octshop_rt.commerce.bill.service import BillService
from octshop_rt.commerce.payment.model import (
    CodeNotAccepted,
    Method,
    NoChannelAccount,
    NotAPaymentCode,
    RequestForbidden,
)
from octshop_rt.commerce.payment.rules import ChargeState
from octshop_rt.commerce.shop.service import ShopService
from octshop_rt.core.auth.model import Right, ShopStaff, at_shop
from octshop_rt.core.clock import MINUTE, Millis
from octshop_rt.core.errors import Forbidden, NotFound, RequestConflict
from octshop_rt.core.http.routes import Call, Limit, Route
from octshop_rt.core.ids import RequestId
from octshop_rt.core.money import Fen

MOST_CHARGE_FEN = 5_000_000
"""One sale at a till: ¥50,000. The cashier's page stops at the same figure (static/pos/amount.ts)."""
CHARGES = Limit(name="till-charge", burst=60, per_ms=MINUTE)

ScannedText = Annotated[str, Meta(min_length=1, max_length=64, description="as the scanner typed it; never stored")]
ChargeFen = Annotated[int, Meta(ge=1, le=MOST_CHARGE_FEN, description="integer fen")]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)")]


class ChargeWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With `auth_code` the buyer's wallet is charged; without, the answer holds a code for the buyer to scan."""

    request_id: RequestId
    amount_fen: ChargeFen
    auth_code: ScannedText | None = None

    def __repr__(self) -> str:
        """A payment code is money for a minute: it must not reach a log by way of a representation."""
        return f"ChargeWish(request_id={self.request_id!r}, amount_fen={self.amount_fen})"


class TakingsOf(Struct, frozen=True, kw_only=True):
    """A business day, by default today."""

    day: Day | None = None


class Charge(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the till shows. `unknown` offers query and reverse, never another charge; `reason` is for the cashier.

    `returnable` (in `last` of the takings): whoever asked may give this sale back now, by reversing it. `aside_from`:
    from then on a manager may set this unanswered charge aside; `aside`: one has, and it holds the till no more.
    """

    id: str
    payment_id: str
    method: Method
    state: ChargeState
    amount_fen: Fen
    created_at: Millis
    expires_at: Millis
    channel: str | None = None
    code_url: str | None = None
    reason: str | None = None
    reason_code: str | None = None
    paid_at: Millis | None = None
    returnable: bool = False
    aside_from: Millis | None = None
    aside: bool = False


class Asked(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a request to charge. `absent`: it has not come here and may still be on its way; `void`: it will
    be refused when it comes; `charged`: there is the charge, however it stands.
    """

    standing: Standing
    charge: Charge | None = None


class ChannelTakings(Struct, frozen=True, kw_only=True):
    """One channel's share."""

    channel: str
    total_fen: Fen
    count: int


class Takings(Struct, frozen=True, kw_only=True):
    """A till's day, and in `open` what holds it now: charges that may still be paid, oldest first. In `aside` those a
    manager has set aside and whose outcome is still unknown.
    """

    total_fen: Fen
    count: int
    by_channel: list[ChannelTakings]
    last: list[Charge]
    open: list[Charge]
    aside: list[Charge]


class TillApi:
    """Routes below /shop/{shop_id}/tills/{till_id}."""

    def __init__(self, bill_service: BillService, shops: ShopService) -> None:
        self._bills = bill_service
        self._shops = shops

    def routes(self) -> list[Route]:
        """The table."""
        till = "/shop/{shop_id}/tills/{till_id}"
        one = till + "/charges/{charge_id}"
        may = at_shop(Right.CHARGE)
        return [
            Route(
                "POST",
                f"{till}/charges",
                self._charge,
                permission=may,
                body=ChargeWish,
                answer=Charge,
                status=201,
                errors=(
                    NotAnAmount,
                    NotAPaymentCode,
                    CodeNotAccepted,
                    NoChannelAccount,
                    RequestConflict,
                    RequestForbidden,
                    TillHeld,
                    NotFound,
                ),
                summary="Charge at a till: a scanned payment code, or a code to be scanned",
                limit=CHARGES,
            ),
            *self._of_charge(one),
            *self._by_request(f"{till}/requests/{{request_id}}"),
            Route(
                "GET",
                f"{till}/takings",
                self._takings,
                permission=may,
                query=TakingsOf,
                answer=Takings,
                errors=(NotFound, BadDay),
                summary="What the till took on a day",
            ),
        ]

    def _of_charge(self, one: str) -> list[Route]:
        may = at_shop(Right.CHARGE)
        return [
            Route("GET", one, self._get, permission=may, answer=Charge, errors=(NotFound,), summary="One charge"),
            Route(
                "POST",
                f"{one}/query",
                self._query,
                permission=may,
                answer=Charge,
                errors=(NotFound,),
                summary="Ask the channel what became of a charge",
            ),
            Route(
                "POST",
                f"{one}/reverse",
                self._reverse,
                permission=may,
                answer=Charge,
                errors=(NotFound, NotYoursToGiveBack, TooLateToReverse),
                summary="Void a charge; one that turns out to be paid is given back. Again is the same act",
            ),
            Route(
                "POST",
                f"{one}/close",
                self._close,
                permission=may,
                answer=Charge,
                errors=(NotFound,),
                summary="Take away a code nobody has paid. Again is the same act",
            ),
            Route(
                "POST",
                f"{one}/aside",
                self._set_aside,
                permission=may,
                answer=Charge,
                errors=(NotFound, NotYoursToSetAside, TooEarlyToSetAside),
                summary="Go on without the outcome of a reversed charge; money taken goes back. Again is the same act",
            ),
        ]

    def _by_request(self, asked: str) -> list[Route]:
        may = at_shop(Right.CHARGE)
        return [
            Route(
                "GET",
                asked,
                self._asked,
                permission=may,
                answer=Asked,
                errors=(NotFound,),
                summary="What became of a request to charge whose answer was lost; charges nobody",
            ),
            Route(
                "POST",
                f"{asked}/reverse",
                self._call_off,
                permission=may,
                answer=Asked,
                errors=(NotFound, NotYoursToGiveBack, TooLateToReverse),
                summary="Void a charge by its request; one that has not come here is refused when it comes",
            ),
        ]

    async def _charge(self, call: Call[ShopStaff], body: ChargeWish) -> Charge:
        place = await self._place(call)
        charge = await self._bills.charge(
            place, request_id=body.request_id, amount_fen=body.amount_fen, auth_code=body.auth_code
        )
        return _view(charge, call.lang)

    async def _get(self, call: Call[ShopStaff]) -> Charge:
        place = await self._place(call)
        return _view(await self._bills.get(place.till_id, call.path["charge_id"]), call.lang)

    async def _query(self, call: Call[ShopStaff]) -> Charge:
        place = await self._place(call)
        return _view(await self._bills.query(place.till_id, call.path["charge_id"], by=_by(call)), call.lang)

    async def _reverse(self, call: Call[ShopStaff]) -> Charge:
        place = await self._place(call)
        charge = await self._bills.reverse(
            place.till_id, call.path["charge_id"], by=_by(call), manages=_manages(call, place)
        )
        return _view(charge, call.lang)

    async def _asked(self, call: Call[ShopStaff]) -> Asked:
        place = await self._place(call)
        return _asked_view(await self._bills.asked(place.till_id, _request_id(call)), call.lang)

    async def _call_off(self, call: Call[ShopStaff]) -> Asked:
        place = await self._place(call)
        asked = await self._bills.call_off(
            place.till_id, _request_id(call), by=_by(call), manages=_manages(call, place)
        )
        return _asked_view(asked, call.lang)

    async def _close(self, call: Call[ShopStaff]) -> Charge:
        place = await self._place(call)
        return _view(await self._bills.close(place.till_id, call.path["charge_id"], by=_by(call)), call.lang)

    async def _set_aside(self, call: Call[ShopStaff]) -> Charge:
        place = await self._place(call)
        charge = await self._bills.set_aside(
            place.till_id, call.path["charge_id"], by=_by(call), manages=_manages(call, place)
        )
        return _view(charge, call.lang)

    async def _takings(self, call: Call[ShopStaff]) -> Takings:
        place = await self._place(call)
        asked: TakingsOf = call.query
        day = await self._bills.takings(place.till_id, asked.day, by=_by(call), manages=_manages(call, place))
        return Takings(
            total_fen=day.total_fen,
            count=day.count,
            by_channel=[
                ChannelTakings(channel=one.channel, total_fen=one.total_fen, count=one.count) for one in day.by_channel
            ],
            last=[_view(one, call.lang) for one in day.last],
            open=[_view(one, call.lang) for one in day.open],
            aside=[_view(one, call.lang) for one in day.aside],
        )

    async def _place(self, call: Call[ShopStaff]) -> TillPlace:
        """The till in the path, if it is this shop's and within reach of this person's grants."""
        till = await self._shops.till(call.path["shop_id"], call.path["till_id"])
        if not call.who.may_at(till.branch_id):
            raise Forbidden
        shop = await self._shops.shop(till.shop_id)
        return TillPlace(
            merchant_id=till.merchant_id,
            shop_id=till.shop_id,
            shop_name=shop.name,
            branch_id=till.branch_id,
            till_id=till.id,
            cashier_id=call.who.person_id,
        )


def _by(call: Call[ShopStaff]) -> str:
    return f"person:{call.who.person_id}"


def _manages(call: Call[ShopStaff], place: TillPlace) -> bool:
    return call.who.holds_at(place.branch_id, Right.MANAGE)


def _request_id(call: Call[ShopStaff]) -> RequestId:
    """The one in the path. NotFound for what no charge can have been asked with."""
    try:
        return msgspec.convert(call.path["request_id"], RequestId)
    except msgspec.ValidationError:
        raise NotFound from None


def _asked_view(asked: bills.Asked, lang: str) -> Asked:
    return Asked(standing=asked.standing, charge=None if asked.charge is None else _view(asked.charge, lang))


def _view(charge: bills.Charge, lang: str) -> Charge:
    return Charge(
        id=charge.id,
        payment_id=charge.payment_id,
        method=charge.method,
        state=charge.state,
        amount_fen=charge.amount_fen,
        created_at=charge.created_at,
        expires_at=charge.expires_at,
        channel=charge.channel,
        code_url=charge.code_url,
        reason=words_of(charge.reason_code, lang),
        reason_code=charge.reason_code or None,
        paid_at=charge.paid_at,
        returnable=charge.returnable,
        aside_from=charge.aside_from,
        aside=charge.aside,
    )
