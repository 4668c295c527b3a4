"""Visitors who chat without signing in, over HTTP: how they come, and what becomes of it when they sign in."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.commerce.api.identity import DeviceName
from octshop_rt.commerce.member.guests import Guests
from octshop_rt.commerce.member.model import PersonCard, card
from octshop_rt.core.auth.model import BUYER, PUBLIC, Anonymous, Buyer, Device
from octshop_rt.core.clock import MINUTE
from octshop_rt.core.http.routes import Call, Limit, Route

COMING = Limit(name="guest", burst=20, per_ms=10 * MINUTE)


class GuestWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The program that asks."""

    device: DeviceName


class GuestIn(Struct, frozen=True, kw_only=True):
    """`token` goes into the Authorization header (Bearer). It opens chat and nothing that belongs to a member."""

    person: PersonCard
    token: str


class GuestToken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of the guest whom this device was before the sign-in."""

    token: Annotated[str, Meta(min_length=16, max_length=128)]


class GuestApi:
    """Below /buyer/guest."""

    def __init__(self, guests: Guests) -> None:
        self._guests = guests

    def routes(self) -> list[Route]:
        """Both."""
        return [
            Route(
                "POST",
                "/buyer/guest",
                self.come,
                permission=PUBLIC,
                body=GuestWish,
                answer=GuestIn,
                limit=COMING,
                summary="Chat without signing in: a bearer token for a visitor",
            ),
            Route(
                "PUT",
                "/buyer/guest",
                self.recognise,
                permission=BUYER,
                body=GuestToken,
                limit=COMING,
                summary="What was said before signing in joins one's history; asking again is harmless",
            ),
        ]

    async def come(self, call: Call[Anonymous], body: GuestWish) -> GuestIn:
        device = Device(id=body.device.id, name=body.device.name, ip=call.ip, bearer=True)
        row, opened = await self._guests.come(device)
        return GuestIn(person=card(row), token=opened.token)

    async def recognise(self, call: Call[Buyer], body: GuestToken) -> None:
        await self._guests.recognise(body.token, call.who.person_id)
