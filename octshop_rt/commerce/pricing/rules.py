"""The one function that makes a price: lines, adjustments and freight in, a quote that closes to the fen out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from octshop_rt.commerce.pricing.model import Adjustment, Allocation, Freight, Line, Quote, QuotedLine, QuotedPart
from octshop_rt.commerce.pricing.shares import spread
from octshop_rt.core.money import Fen, share_half_up


def quote(lines: Sequence[Line], adjustments: Sequence[Adjustment], freight: Sequence[Freight]) -> Quote:
    """Price `lines`. Order of steps: list price, adjustments as given, freight (requirements M2).

    Freight is never discounted here and never weighs in a split (M2). ValueError on our own mistakes: a line id twice,
    an adjustment or freight that names nothing in the quote, freight twice for one part.
    """
    _check(lines, adjustments, freight)
    allocations: dict[str, list[Allocation]] = {line.id: [] for line in lines}
    payables = {line.id: line.unit_price_fen * line.quantity for line in lines}
    floors = {line.id: line.floor_fen for line in lines}
    for adjustment in adjustments:
        _apply(adjustment, payables, floors, allocations)
    quoted = tuple(_quoted(line, payables[line.id], tuple(allocations[line.id])) for line in lines)
    parts = _parts(quoted, freight)
    goods_fen = sum(part.goods_fen for part in parts)
    discount_fen = sum(part.discount_fen for part in parts)
    freight_fen = sum(part.freight_fen for part in parts)
    return Quote(
        lines=quoted,
        parts=parts,
        goods_fen=goods_fen,
        discount_fen=discount_fen,
        freight_fen=freight_fen,
        payable_fen=goods_fen - discount_fen + freight_fen,
        quote_hash=hashlib.sha256(msgspec.msgpack.encode((quoted, parts))).hexdigest()[:32],
    )


def platform_borne_fen(line: QuotedLine) -> Fen:
    """The platform's share of the line's discounts, owed to the seller at settlement."""
    return sum(allocation.platform_fen for allocation in line.allocations)


def commission_base_fen(line: QuotedLine) -> Fen:
    """What commission is counted on: the buyer's payable and what the platform adds to it (facts: commerce 4.8)."""
    return line.payable_fen + platform_borne_fen(line)


def _apply(
    adjustment: Adjustment,
    payables: dict[str, int],
    floors: dict[str, int],
    allocations: dict[str, list[Allocation]],
) -> None:
    touched = [line_id for line_id in payables if line_id in set(adjustment.line_ids)]
    weights = [payables[line_id] for line_id in touched]
    ceilings = [max(0, payables[line_id] - floors[line_id]) for line_id in touched]
    for line_id, taken_fen in zip(touched, spread(adjustment.amount_fen, weights, ceilings), strict=True):
        if taken_fen == 0:
            continue
        payables[line_id] -= taken_fen
        shop_fen = share_half_up(taken_fen, adjustment.shop_bears_bp)
        allocations[line_id].append(
            Allocation(
                source_kind=adjustment.source_kind,
                source_id=adjustment.source_id,
                amount_fen=taken_fen,
                shop_fen=shop_fen,
                platform_fen=taken_fen - shop_fen,
            )
        )


def _quoted(line: Line, payable_fen: Fen, allocations: tuple[Allocation, ...]) -> QuotedLine:
    list_fen = line.unit_price_fen * line.quantity
    return QuotedLine(
        id=line.id,
        part=line.part,
        quantity=line.quantity,
        unit_price_fen=line.unit_price_fen,
        list_fen=list_fen,
        discount_fen=list_fen - payable_fen,
        payable_fen=payable_fen,
        allocations=allocations,
    )


def _parts(lines: Sequence[QuotedLine], freight: Sequence[Freight]) -> tuple[QuotedPart, ...]:
    by_part = {one.part: one for one in freight}
    parts: list[QuotedPart] = []
    for part in dict.fromkeys(line.part for line in lines):
        mine = [line for line in lines if line.part == part]
        goods_fen = sum(line.list_fen for line in mine)
        discount_fen = sum(line.discount_fen for line in mine)
        charge = by_part.get(part)
        freight_fen = charge.amount_fen if charge else 0
        parts.append(
            QuotedPart(
                part=part,
                goods_fen=goods_fen,
                discount_fen=discount_fen,
                freight_fen=freight_fen,
                freight_rule=charge.rule if charge else "",
                payable_fen=goods_fen - discount_fen + freight_fen,
            )
        )
    return tuple(parts)


def _check(lines: Sequence[Line], adjustments: Sequence[Adjustment], freight: Sequence[Freight]) -> None:
    ids = {line.id for line in lines}
    parts = {line.part for line in lines}
    if len(ids) != len(lines):
        message = "a line id occurs twice"
        raise ValueError(message)
    if any(not set(adjustment.line_ids) <= ids for adjustment in adjustments):
        message = "an adjustment names a line that is not in the quote"
        raise ValueError(message)
    if len({one.part for one in freight}) != len(freight) or any(one.part not in parts for one in freight):
        message = "freight names a part twice or one that is not in the quote"
        raise ValueError(message)
