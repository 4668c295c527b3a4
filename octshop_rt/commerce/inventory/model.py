"""Shapes of stock: the document of one SKU with its live reservations, and the refusal."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.errors import DomainError

Pieces = Annotated[int, Meta(ge=0, le=2**40)]


class Reservation(Struct, frozen=True, kw_only=True):
    """Pieces set aside for an order that is not paid yet."""

    order_id: str
    pieces: Pieces


class Stock(Struct, frozen=True, kw_only=True):
    """Stock of the SKU `id`: sold + reserved + available = total, none negative; `entries` add up to reserved.

    `available` is kept, not computed, so that one conditional update can ask for it and take it.
    """

    id: str
    product_id: str
    shop_id: str
    total: Pieces
    reserved: Pieces = 0
    sold: Pieces = 0
    available: Pieces
    entries: tuple[Reservation, ...] = ()


class Want(Struct, frozen=True, kw_only=True):
    """Pieces of one SKU; an order's wants are merged by SKU and sorted."""

    sku_id: str
    pieces: Pieces


class OutOfStock(DomainError):
    """Fewer pieces are left than were asked for. Nothing was taken."""

    code = "inventory.out_of_stock"
    status = 409
    zh = "库存不足，仅剩 {left} 件"
    en = "Only {left} left"


def merged(wants: list[Want]) -> list[Want]:
    """One want per SKU, by id: two lines of one SKU are taken together, and all orders take in the same order."""
    sums: dict[str, int] = {}
    for want in wants:
        sums[want.sku_id] = sums.get(want.sku_id, 0) + want.pieces
    return [Want(sku_id=sku_id, pieces=pieces) for sku_id, pieces in sorted(sums.items())]
