"""The platform's door to what holds at every desk where the shop has set nothing; which shops have set their own."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.core.auth.model import PLATFORM, Admin
from octshop_rt.core.clock import Clock, Millis
from octshop_rt.core.errors import Busy
from octshop_rt.core.http.routes import Call, Route
from octshop_rt.core.ids import Id
from octshop_rt.im.api.desk_hours import HoursView, HoursWish, meant
from octshop_rt.im.api.desk_views import Named, ShopNames
from octshop_rt.im.desk.model import BadHours
from octshop_rt.im.desk.office import Office
from octshop_rt.im.desk.settings import PLATFORM_SCOPE, SENSELESS, BadHoliday, DeskPatch, DeskSettings, Layers


class OwnQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the last page."""

    cursor: Id | None = None


class OwnValues(Struct, frozen=True, kw_only=True):
    """A shop that has set values of its own: which, and when it last changed any."""

    shop: Named
    fields: list[str]
    at: Millis


class OwnPage(Struct, frozen=True, kw_only=True):
    """By id of the shop."""

    items: list[OwnValues]
    next: str | None


class DeskOfPlatform:
    """For administrators of the platform. `names`: what shops are called."""

    def __init__(self, office: Office, clock: Clock, names: ShopNames) -> None:
        self._office = office
        self._clock = clock
        self._names = names

    def routes(self) -> list[Route]:
        """Below /platform/desk."""
        desk = "/platform/desk/settings"
        return [
            Route("GET", desk, self.settings, permission=PLATFORM, answer=DeskSettings,
                  summary="What holds where a shop has set nothing"),
            Route("PUT", desk, self.set, permission=PLATFORM, body=DeskPatch, answer=DeskSettings,
                  errors=(Busy, *SENSELESS), summary="Set the values beneath all shops'; null takes back what was set"),
            Route("GET", f"{desk}/layers", self.layers, permission=PLATFORM, answer=Layers,
                  summary="What the platform has set, and the product's defaults beneath"),
            Route("POST", f"{desk}/hours", self.hours, permission=PLATFORM, body=HoursWish, answer=HoursView,
                  errors=(BadHours, BadHoliday), summary="What certain hours would mean: now, next, and for two weeks"),
            Route("GET", f"{desk}/shops", self.shops, permission=PLATFORM, query=OwnQuery, answer=OwnPage,
                  summary="Shops that have set values of their own, and which"),
        ]  # fmt: skip

    async def settings(self, call: Call[Admin]) -> DeskSettings:
        return await self._office.platform_settings()

    async def set(self, call: Call[Admin], body: DeskPatch) -> DeskSettings:
        return await self._office.set(PLATFORM_SCOPE, body, call.who.person_id)

    async def layers(self, call: Call[Admin]) -> Layers:
        return await self._office.platform_layers()

    async def hours(self, call: Call[Admin], body: HoursWish) -> HoursView:
        return meant(body, self._clock.now())

    async def shops(self, call: Call[Admin]) -> OwnPage:
        asked: OwnQuery = call.query
        rows, following = await self._office.deviating(asked.cursor)
        names = await self._names([one.shop_id for one in rows])
        return OwnPage(
            items=[
                OwnValues(
                    shop=Named(id=one.shop_id, name=names.get(one.shop_id, "")), fields=list(one.fields), at=one.at
                )
                for one in rows
            ],
            next=following,
        )
