"""Freight of one child order by the way it is fulfilled. Used in store: nothing to carry, 0 (1.2)."""

from __future__ import annotations

from octshop_rt.commerce.pricing.model import Freight

IN_STORE = "in_store"


def charge(part: str, fulfilment: str) -> Freight:
    """The freight of a part and the rule that gave it, for the order's snapshot. ValueError on an unknown way."""
    if fulfilment != IN_STORE:
        raise ValueError(fulfilment)
    return Freight(part=part, amount_fen=0, rule=IN_STORE)
