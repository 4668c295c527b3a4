"""Money: integer fen, rates in basis points, and the only two ways to round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

MOST_FEN = 10**13

Fen = Annotated[int, Meta(ge=0, le=MOST_FEN, description="integer fen (CNY/100)")]
SignedFen = Annotated[int, Meta(ge=-MOST_FEN, le=MOST_FEN, description="integer fen, may be negative")]
Bp = Annotated[int, Meta(ge=0, le=10_000, description="basis points, 1/100 of a percent")]

WHOLE_BP = 10_000


def share_half_up(amount_fen: Fen, rate_bp: Bp) -> Fen:
    """`rate_bp` of `amount_fen`, rounded half up to a whole fen."""
    return (amount_fen * rate_bp * 2 + WHOLE_BP) // (2 * WHOLE_BP)


def split(total_fen: Fen, weights: Sequence[int]) -> list[Fen]:
    """Split `total_fen` in proportion to `weights` so that the shares add up exactly (largest remainder).

    Ties go to the earlier share, so the same input always splits the same way. All weights zero: only a total of
    zero can be split. ValueError otherwise, and on negative weights.
    """
    whole = sum(weights)
    if min(weights, default=0) < 0 or (whole == 0 and total_fen != 0):
        message = "weights must be non-negative and not all zero"
        raise ValueError(message)
    if whole == 0:
        return [0 for _ in weights]
    parts = [divmod(total_fen * weight, whole) for weight in weights]
    shares = [share for share, _ in parts]
    left_over = total_fen - sum(shares)
    by_remainder = sorted(range(len(parts)), key=lambda i: (-parts[i][1], i))
    for i in by_remainder[:left_over]:
        shares[i] += 1
    return shares
