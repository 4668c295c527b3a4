"""Visitors over HTTP: where they are, what agents see of it, a shop's widget and the entry of its own customers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.auth.model import PUBLIC, VISITOR, Anonymous, Buyer, Device, Right, ShopStaff, at_shop
from octshop_rt.core.clock import MINUTE, Millis
from octshop_rt.core.http.routes import Call, Limit, Route
from octshop_rt.core.ids import Id
from octshop_rt.im.visitor.model import Address, BadEntry, Cart, Name, NotTalking, NoVisit, PageView, Site, Visit
from octshop_rt.im.visitor.service import Visitors

LOOKS = Limit(name="visits", burst=60, per_ms=MINUTE)
ENTRIES = Limit(name="entry", burst=30, per_ms=10 * MINUTE)


class Looking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The page that is looked at now. What stands behind `?` and `#` is not kept, phone numbers are masked."""

    page: Annotated[str, Meta(min_length=1, max_length=500)]
    title: Name = ""
    referrer: Address = ""
    device: Annotated[str, Meta(max_length=60)] = ""
    cart: Cart | None = None


class VisitView(Struct, frozen=True, kw_only=True):
    """The visit as agents see it: pages newest last; the last one is being looked at."""

    started_at: Millis
    at: Millis
    referrer: str
    device: str
    pages: list[PageView]
    cart: Cart | None


class VisitOf(Struct, frozen=True, kw_only=True):
    """Null: nothing is known of where this buyer has been."""

    visit: VisitView | None


class WidgetSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`sites`: origins (https://www.example.com) on which the shop's chat may stand."""

    on: bool
    sites: Annotated[list[Site], Meta(max_length=20)]


class WidgetView(Struct, frozen=True, kw_only=True):
    """`signed`: whether the shop's server has a secret with which it can vouch for its customers."""

    on: bool
    sites: list[str]
    signed: bool
    updated_at: Millis


class WidgetSecret(Struct, frozen=True, kw_only=True):
    """Shown once."""

    secret: str


class Entering(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`entry`: base64url of {shop, sub, name, iat, jti} as JSON, a dot, its HMAC-SHA256 in hex under the secret."""

    shop_id: Id
    entry: Annotated[str, Meta(min_length=16, max_length=1_500)]
    device_id: Annotated[str, Meta(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$(?!\n)")]
    device_name: Annotated[str, Meta(min_length=1, max_length=60)]


class Entered(Struct, frozen=True, kw_only=True):
    """As of POST /buyer/guest."""

    person_id: str
    nickname: str
    token: str


class VisitorApi:
    """Below /buyer/visits, /buyer/entry and /shop/{shop_id}/desk."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    def routes(self) -> list[Route]:
        """All of them."""
        desk, chat, manage = "/shop/{shop_id}/desk", at_shop(Right.CHAT), at_shop(Right.MANAGE)
        return [
            Route("PUT", "/buyer/visits/{visited_id}", self.look, permission=VISITOR, body=Looking, limit=LOOKS,
                  errors=(NotTalking,), summary="What one looks at now, for the shop one talks to"),
            Route("POST", "/buyer/entry", self.enter, permission=PUBLIC, body=Entering, answer=Entered, limit=ENTRIES,
                  errors=(BadEntry,), summary="Come in as a customer of the shop's own site, by its signed word"),
            Route("GET", f"{desk}/visits/{{c}}", self.visit, permission=chat, answer=VisitOf, errors=(NoVisit,),
                  summary="What the visitor of a conversation looks at"),
            Route("GET", f"{desk}/widget", self.widget, permission=manage, answer=WidgetView,
                  summary="On which sites the shop's chat may stand"),
            Route("PUT", f"{desk}/widget", self.set_widget, permission=manage, body=WidgetSettings, answer=WidgetView,
                  summary="Set on which sites the shop's chat may stand"),
            Route("POST", f"{desk}/widget/secret", self.new_secret, permission=manage, answer=WidgetSecret,
                  summary="A new secret to sign entries with; the one before it is void"),
        ]  # fmt: skip

    async def look(self, call: Call[Buyer], body: Looking) -> None:
        await self._visitors.look(
            call.who,
            call.path["visited_id"],
            path=body.page,
            title=body.title,
            referrer=body.referrer,
            device=body.device,
            cart=body.cart,
        )

    async def enter(self, call: Call[Anonymous], body: Entering) -> Entered:
        device = Device(id=body.device_id, name=body.device_name, ip=call.ip, bearer=True)
        person_id, nickname, token = await self._visitors.enter(body.shop_id, body.entry, device)
        return Entered(person_id=person_id, nickname=nickname, token=token)

    async def visit(self, call: Call[ShopStaff]) -> VisitOf:
        row = await self._visitors.visit(call.who.shop_id, call.path["c"])
        return VisitOf(visit=None if row is None else _visit(row))

    async def widget(self, call: Call[ShopStaff]) -> WidgetView:
        row = await self._visitors.widget(call.who.shop_id)
        return WidgetView(on=row.on, sites=list(row.sites), signed=row.key_no > 0, updated_at=row.updated_at)

    async def set_widget(self, call: Call[ShopStaff], body: WidgetSettings) -> WidgetView:
        await self._visitors.set_widget(call.who.shop_id, on=body.on, sites=tuple(dict.fromkeys(body.sites)))
        return await self.widget(call)

    async def new_secret(self, call: Call[ShopStaff]) -> WidgetSecret:
        return WidgetSecret(secret=(await self._visitors.new_secret(call.who.shop_id))[1])


def _visit(row: Visit) -> VisitView:
    return VisitView(
        started_at=row.started_at, at=row.at, referrer=row.referrer, device=row.device, pages=list(row.pages),
        cart=row.cart,
    )  # fmt: skip
