"""Visitors, made by hand: their trail, the widget on other sites, and the customers those sites vouch for."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from octshop_rt.app.commerce import Commerce
from octshop_rt.app.foundation import Foundation
from octshop_rt.commerce.member.guests import Guests
from octshop_rt.core.auth.model import Device
from octshop_rt.core.bus import Bus, Notice, notify
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import NotFound
from octshop_rt.core.http.origin import Origins
from octshop_rt.im.api.widget_page import WidgetPage
from octshop_rt.im.desk.service import Desk
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.visitor.service import Visitors

_OWN = re.compile(r"/shop/(?P<kind>p|s|activity)/(?P<id>[A-Za-z0-9_-]{1,64})")


def raise_visitors(on: Foundation, commerce: Commerce, desk: Desk, guard: Guard) -> Visitors:
    """Build them."""
    return Visitors(
        on.db,
        on.clock,
        on.secrets.key("visitor.entry.1"),
        Vouching(commerce.gate.guests).enter,
        Moves(on.bus, desk).told,
        guard,
        Pages(commerce).named,
    )


def mount_widget(app: web.Application, on: Foundation, visitors: Visitors, origins: Origins) -> None:
    """Serve the widget's frame and its loader, if the web pages are served."""
    folder = on.settings.http.web_dir
    if folder:
        hosts = tuple(sorted({urlsplit(origin).netloc for origin in origins.own}))
        WidgetPage(Path(folder), hosts, visitors.frame_sites).install(app)


class Pages:
    """The names of our own pages, by their addresses."""

    def __init__(self, commerce: Commerce) -> None:
        self._catalog = commerce.catalog
        self._shops = commerce.shops
        self._marketing = commerce.marketing

    async def named(self, shop_id: str, path: str) -> str | None:
        """None for what is no page of this shop, or has no name of its own."""
        found = _OWN.fullmatch(path)
        if found is None:
            return None
        try:
            if found["kind"] == "s":
                return (await self._shops.shop(shop_id)).name if found["id"] == shop_id else None
            if found["kind"] == "activity":
                campaign = await self._marketing.one(found["id"])
                return campaign.title if campaign.shop_id == shop_id else None
            product, _ = await self._catalog.product(found["id"])
        except NotFound:
            return None
        return product.title[:120] if product.shop_id == shop_id else None


class Vouching:
    """Lets another site's customer in as a guest."""

    def __init__(self, guests: Guests) -> None:
        self._guests = guests

    async def enter(
        self, shop_id: str, name_there: str, nickname: str, once: str, until: Millis, device: Device
    ) -> tuple[str, str, str] | None:
        """(person, nickname, token)."""
        entered = await self._guests.come_known(shop_id, name_there, nickname, once, until, device)
        return None if entered is None else (entered[0].id, entered[0].nickname, entered[1].token)


class Moves:
    """Whoever watches the case hears that its visitor has gone on."""

    def __init__(self, bus: Bus, desk: Desk) -> None:
        self._bus = bus
        self._desk = desk

    async def told(self, c: str) -> None:
        """A hint; the trail is fetched by GET."""
        case = await self._desk.case_of(c)
        if case is not None:
            await notify(self._bus, Notice(topic="case", id=case.id, rev=case.rev, d={"visit": True}))
