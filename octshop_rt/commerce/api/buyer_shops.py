"""Shops as buyers see them: the list, nearest first for those who say where they are, and one shop with its stores."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.commerce.shop.geo import asked_place, distance_m
from octshop_rt.commerce.shop.model import Branch, Certification, Gcj, GeoPoint, Lat, Lng, Shop, ShopPicture
from octshop_rt.commerce.shop.service import ShopService
from octshop_rt.core.auth.model import PUBLIC, Anonymous
from octshop_rt.core.http.routes import Call, Route
from octshop_rt.core.ids import Id

City = Annotated[str, Meta(min_length=1, max_length=30)]
Cursor = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$(?!\n)")]
Score = Annotated[float, Meta(ge=0, le=5, description="mean of its ratings in stars")]


class ShopsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`lng` and `lat` (WGS-84) sort by distance and keep to certified stores."""

    city: City | None = None
    lng: Lng | None = None
    lat: Lat | None = None
    cursor: Cursor | None = None


class PlaceQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the buyer is, to tell distances."""

    lng: Lng | None = None
    lat: Lat | None = None


class ShopCard(Struct, frozen=True, kw_only=True):
    """A shop in a list."""

    id: Id
    name: str
    certified: bool
    self_run: bool
    city: str
    address: str
    distance_m: int | None
    lng: Lng
    lat: Lat
    gcj: Gcj
    hours: str
    phone: str
    score: Score
    picture: ShopPicture


class Shops(Struct, frozen=True, kw_only=True):
    """One page of shops."""

    items: list[ShopCard]
    next: str | None


class BranchView(Struct, frozen=True, kw_only=True):
    """A store of a shop."""

    id: Id
    name: str
    certified: bool
    address: str
    distance_m: int | None
    lng: Lng
    lat: Lat
    gcj: Gcj
    hours: str
    phone: str


class ShopPage(ShopCard, frozen=True, kw_only=True):
    """A shop with its stores."""

    notice: str
    open: bool
    branches: list[BranchView]


def shop_card(shop: Shop, place: GeoPoint | None) -> ShopCard:
    """A shop as seen from `place`."""
    return ShopCard(
        id=shop.id,
        name=shop.name,
        certified=shop.certified,
        self_run=shop.self_run,
        city=shop.city,
        address=shop.address,
        distance_m=None if place is None else distance_m(place, shop.point),
        lng=shop.point.coordinates[0],
        lat=shop.point.coordinates[1],
        gcj=shop.gcj,
        hours=shop.hours,
        phone=shop.phone,
        score=shop.score_tenths / 10,
        picture=shop.picture,
    )


def branch_view(branch: Branch, place: GeoPoint | None) -> BranchView:
    """A store as seen from `place`."""
    return BranchView(
        id=branch.id,
        name=branch.name,
        certified=branch.certification is Certification.CERTIFIED,
        address=branch.address,
        distance_m=None if place is None else distance_m(place, branch.point),
        lng=branch.point.coordinates[0],
        lat=branch.point.coordinates[1],
        gcj=branch.gcj,
        hours=branch.hours,
        phone=branch.phone,
    )


def shop_page(shop: Shop, branches: list[Branch], place: GeoPoint | None) -> ShopPage:
    """A shop's own page."""
    card = shop_card(shop, place)
    return ShopPage(
        **{name: getattr(card, name) for name in card.__struct_fields__},
        notice=shop.notice,
        open=shop.open,
        branches=[branch_view(branch, place) for branch in branches],
    )


class BuyerShops:
    """Open to everybody."""

    def __init__(self, shops: ShopService) -> None:
        self._shops = shops

    def routes(self) -> list[Route]:
        """Below /buyer/shops."""
        return [
            Route(
                "GET",
                "/buyer/shops",
                self.shops,
                permission=PUBLIC,
                query=ShopsQuery,
                answer=Shops,
                summary="Shops, nearest first when lng and lat are given",
            ),
            Route(
                "GET",
                "/buyer/shops/{shop_id}",
                self.shop,
                permission=PUBLIC,
                query=PlaceQuery,
                answer=ShopPage,
                summary="One shop with its stores",
            ),
        ]

    async def shops(self, call: Call[Anonymous]) -> Shops:
        asked: ShopsQuery = call.query
        place = asked_place(asked.lng, asked.lat)
        found, following = await self._shops.find(city=asked.city, place=place, cursor=asked.cursor)
        return Shops(items=[shop_card(one.shop, place) for one in found], next=following)

    async def shop(self, call: Call[Anonymous]) -> ShopPage:
        asked: PlaceQuery = call.query
        shop = await self._shops.shop(call.path["shop_id"])
        return shop_page(shop, await self._shops.branches(shop.id), asked_place(asked.lng, asked.lat))
