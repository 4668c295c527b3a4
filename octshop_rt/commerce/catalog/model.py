"""Shapes of goods: product, spec, SKU, the promise of its voucher, and refusals about what is on sale."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.commerce.pricing.model import UnitFen
from octshop_rt.core.clock import Millis
from octshop_rt.core.errors import DomainError
from octshop_rt.core.money import Fen
from octshop_rt.core.statemachine import Life


class Fulfilment(StrEnum):
    """How a line reaches its buyer. Express and the others join with the freight domain's templates."""

    IN_STORE = "in_store"


class Listing(StrEnum):
    """Whether a product is on sale."""

    DRAFT = "draft"
    LISTED = "listed"
    UNLISTED = "unlisted"


LISTING = Life(
    "listing",
    {
        Listing.DRAFT: {Listing.LISTED},
        Listing.LISTED: {Listing.UNLISTED},
        Listing.UNLISTED: {Listing.LISTED},
    },
)


class Spec(Struct, frozen=True, kw_only=True):
    """One dimension of choice, its values in the order shown."""

    name: str
    values: tuple[str, ...]


class Picture(Struct, frozen=True, kw_only=True):
    """A picture that pages draw themselves from a seed and a hue, so that nothing has to be loaded."""

    seed: str
    hue: Annotated[int, Meta(ge=0, le=359)]


class VoucherTerms(Struct, frozen=True, kw_only=True):
    """What a bought piece becomes: a voucher for `uses_each` uses (1; more for a times card), valid `valid_days`.

    `valid_days` None: as many as the shop's business settings say.
    """

    valid_days: Annotated[int, Meta(ge=1, le=3_650)] | None = None
    uses_each: Annotated[int, Meta(ge=1, le=1_000)] = 1


class Product(Struct, frozen=True, kw_only=True):
    """A product of a shop. `price_fen` is its lowest live SKU's, for lists."""

    id: str
    shop_id: str
    merchant_id: str
    title: str
    subtitle: str
    description: str
    tags: tuple[str, ...]
    picture: Picture
    specs: tuple[Spec, ...]
    fulfilments: tuple[Fulfilment, ...]
    voucher: VoucherTerms
    refundable: bool
    branch_ids: tuple[str, ...] = ()  # stores that honour it; empty: all of the shop
    price_fen: Fen
    market_price_fen: Fen | None = None
    listing: Listing
    created_at: Millis

    @property
    def on_sale(self) -> bool:
        """Whether it can be bought."""
        return self.listing is Listing.LISTED


class Sku(Struct, frozen=True, kw_only=True):
    """One combination of spec values. Retired, never deleted: orders and stock keep pointing at it."""

    id: str
    product_id: str
    shop_id: str
    spec: dict[str, str]
    price_fen: UnitFen
    retired: bool = False


class Offer(Struct, frozen=True, kw_only=True):
    """A SKU with its product, as a checkout needs them."""

    sku: Sku
    product: Product


class NotOnSale(DomainError):
    """The product or this combination is not on sale (19.5)."""

    code = "catalog.not_on_sale"
    status = 409
    zh = "“{title}”已下架或所选规格已停售"
    en = "“{title}” or the chosen option is no longer on sale"


class CannotFulfil(DomainError):
    """The product is not sold in the way that was asked for."""

    code = "catalog.cannot_fulfil"
    status = 409
    zh = "“{title}”不支持所选的取货方式"
    en = "“{title}” is not offered that way"


class BadSpecs(DomainError):
    """SKUs must name every spec exactly once, with a declared value, no combination twice."""

    code = "catalog.bad_specs"
    status = 400
    zh = "规格组合有误：{reason}"
    en = "The combinations of options are wrong: {reason}"
