"""Exact splitting: an amount over lines with ceilings, a line over its units, units over refunds and uses."""

from __future__ import annotations

from collections.abc import Sequence

from octshop_rt.core.money import Fen, split


def spread(amount_fen: Fen, weights: Sequence[int], ceilings: Sequence[int]) -> list[Fen]:
    """Split `amount_fen` by largest remainder in proportion to `weights`, no share above its ceiling.

    What a full share cannot take goes to the others by the same rule. The shares add up to the amount, or to the sum
    of the ceilings that carry weight if that is less. Ties go to the earlier share.
    """
    room = [ceiling if weight else 0 for weight, ceiling in zip(weights, ceilings, strict=True)]
    shares = [0 for _ in room]
    left_fen = min(amount_fen, sum(room))
    while left_fen:
        open_weights = [weight if room[i] > shares[i] else 0 for i, weight in enumerate(weights)]
        for i, extra in enumerate(split(left_fen, open_weights)):
            taken = min(extra, room[i] - shares[i])
            shares[i] += taken
            left_fen -= taken
    return shares


def unit_shares(line_fen: Fen, quantity: int) -> list[Fen]:
    """The value of each unit of a line; the earlier units carry the odd fen. The values add up to `line_fen`."""
    base_fen, odd = divmod(line_fen, quantity)
    return [base_fen + 1] * odd + [base_fen] * (quantity - odd)


def units_fen(line_fen: Fen, quantity: int, first: int, count: int) -> Fen:
    """The value of `count` units from index `first` on, without building the list.

    Giving units back (or using them) in order, in any grouping, gives exactly `line_fen` in the end. The same function
    serves every amount that hangs on the line: payable, platform share, points, commission. ValueError when the
    line has no such units.
    """
    if quantity < 1 or first < 0 or count < 0 or first + count > quantity:
        message = f"units {first}..{first + count} of {quantity}"
        raise ValueError(message)
    base_fen, odd = divmod(line_fen, quantity)
    return base_fen * count + max(0, min(first + count, odd) - first)
