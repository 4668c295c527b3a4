"""Shapes of pricing: a line, an adjustment with its source and cost bearer, and the quote they make."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.money import Bp, Fen

MOST_QUANTITY = 9_999
MOST_UNIT_FEN = 100_000_000

Quantity = Annotated[int, Meta(ge=1, le=MOST_QUANTITY, description="pieces of one SKU")]
UnitFen = Annotated[int, Meta(ge=0, le=MOST_UNIT_FEN, description="integer fen for one piece")]


class Line(Struct, frozen=True, kw_only=True):
    """One SKU in one child order. `part` names the child order: lines of one part share freight and totals.

    `floor_fen` is what the seller wants for the whole line at least; discounts stop there.
    """

    id: str
    part: str
    quantity: Quantity
    unit_price_fen: UnitFen
    floor_fen: Fen = 0


class Adjustment(Struct, frozen=True, kw_only=True):
    """A discount from one source, spread over the lines it may touch in proportion to what each still costs.

    Adjustments apply in the order given; each sees the payables its forerunners left. `shop_bears_bp` of every line's
    share is the shop's cost, the rest is the platform's (0 platform alone, 10000 shop alone).
    """

    source_kind: str
    source_id: str
    amount_fen: Fen
    line_ids: tuple[str, ...]
    shop_bears_bp: Bp


class Freight(Struct, frozen=True, kw_only=True):
    """Freight of one part, with the rule that gave it."""

    part: str
    amount_fen: Fen
    rule: str


class Allocation(Struct, frozen=True, kw_only=True):
    """What one adjustment took off one line, and who bears it: shop_fen + platform_fen = amount_fen."""

    source_kind: str
    source_id: str
    amount_fen: Fen
    shop_fen: Fen
    platform_fen: Fen


class QuotedLine(Struct, frozen=True, kw_only=True):
    """A line with its discounts: list_fen - discount_fen = payable_fen."""

    id: str
    part: str
    quantity: Quantity
    unit_price_fen: UnitFen
    list_fen: Fen
    discount_fen: Fen
    payable_fen: Fen
    allocations: tuple[Allocation, ...]


class QuotedPart(Struct, frozen=True, kw_only=True):
    """Sums of one child order: goods_fen - discount_fen + freight_fen = payable_fen."""

    part: str
    goods_fen: Fen
    discount_fen: Fen
    freight_fen: Fen
    freight_rule: str
    payable_fen: Fen


class Quote(Struct, frozen=True, kw_only=True):
    """A priced checkout. Equal content has an equal `quote_hash`, so a client can say which quote it agreed to."""

    lines: tuple[QuotedLine, ...]
    parts: tuple[QuotedPart, ...]
    goods_fen: Fen
    discount_fen: Fen
    freight_fen: Fen
    payable_fen: Fen
    quote_hash: str
