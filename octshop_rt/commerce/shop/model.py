"""Shapes of shops: merchant, shop with its certification, branch, till, points on the map, and their refusals."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.statemachine import Life

Lng = Annotated[float, Meta(ge=-180, le=180, description="degrees east, WGS-84")]
Lat = Annotated[float, Meta(ge=-90, le=90, description="degrees north, WGS-84")]
Hue = Annotated[int, Meta(ge=0, le=359, description="degrees on the colour wheel")]


class ShopPicture(Struct, frozen=True, kw_only=True):
    """A picture that pages draw themselves from a seed and a hue, so that nothing has to be loaded."""

    seed: str
    hue: Hue


class GeoPoint(Struct, frozen=True, kw_only=True):
    """GeoJSON in WGS-84, [lng, lat], as the 2dsphere index wants it."""

    type: Literal["Point"] = "Point"
    coordinates: tuple[Lng, Lat]


class Gcj(Struct, frozen=True, kw_only=True):
    """The same place in GCJ-02, the coordinates Chinese map providers draw with."""

    lng: Lng
    lat: Lat


class Certification(StrEnum):
    """Whether the platform has seen the physical store. Only `certified` opens in-store trade (E4)."""

    NONE = "none"
    PENDING = "pending"
    CERTIFIED = "certified"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    EXPIRED = "expired"


CERTIFICATION = Life(
    "certification",
    {
        Certification.NONE: {Certification.PENDING},
        Certification.PENDING: {Certification.CERTIFIED, Certification.REJECTED},
        Certification.REJECTED: {Certification.PENDING},
        Certification.CERTIFIED: {Certification.SUSPENDED, Certification.REVOKED, Certification.EXPIRED},
        Certification.SUSPENDED: {Certification.CERTIFIED, Certification.REVOKED},
        Certification.EXPIRED: {Certification.PENDING},
        Certification.REVOKED: {Certification.PENDING},
    },
)


class Merchant(Struct, frozen=True, kw_only=True):
    """A company on the platform; `self_run` is the platform itself."""

    id: str
    name: str
    self_run: bool
    created_at: Millis


class Shop(Struct, frozen=True, kw_only=True):
    """A shop of a merchant. `certification` speaks of its physical store at `address` and `point`.

    `score_tenths` is the mean of its ratings in tenths of a star.
    """

    id: str
    merchant_id: str
    name: str
    city: str
    certification: Certification
    self_run: bool
    open: bool
    address: str
    point: GeoPoint
    gcj: Gcj
    hours: str
    phone: str
    notice: str
    score_tenths: int
    picture: ShopPicture
    created_at: Millis

    @property
    def certified(self) -> bool:
        """Whether in-store trade is open."""
        return self.certification is Certification.CERTIFIED


class Branch(Struct, frozen=True, kw_only=True):
    """A store of a shop, certified on its own (E6)."""

    id: str
    shop_id: str
    merchant_id: str
    name: str
    certification: Certification
    address: str
    point: GeoPoint
    gcj: Gcj
    hours: str
    phone: str


class Till(Struct, frozen=True, kw_only=True):
    """A counter where a cashier takes money."""

    id: str
    shop_id: str
    merchant_id: str
    branch_id: str
    name: str


class NearbyShop(Struct, frozen=True, kw_only=True):
    """A shop and how far it is from the place asked about; None when no place was given."""

    shop: Shop
    distance_m: int | None


class ShopClosed(DomainError):
    """The shop takes no orders now."""

    code = "shop.closed"
    status = 409
    zh = "店铺“{shop_name}”暂停营业，暂时不能下单"
    en = "“{shop_name}” takes no orders at the moment"


class NotCertified(DomainError):
    """In-store goods need a store the platform has certified (E4, 1.7)."""

    code = "shop.not_certified"
    status = 409
    zh = "店铺“{shop_name}”尚未通过实体店认证，不能购买到店商品"
    en = "“{shop_name}” is not a certified physical store, so its in-store goods cannot be bought"
