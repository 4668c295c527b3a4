"""Pure rules of goods: which combinations make SKUs, and what a price list shows."""

from __future__ import annotations

from collections.abc import Sequence

from octshop_rt.commerce.catalog.model import BadSpecs, Sku, Spec
from octshop_rt.core.money import Fen


def check_skus(specs: Sequence[Spec], skus: Sequence[Sku]) -> None:
    """BadSpecs unless each SKU names every spec once, with a declared value, and no two are the same."""
    allowed = {spec.name: set(spec.values) for spec in specs}
    seen: set[tuple[tuple[str, str], ...]] = set()
    if not skus:
        raise BadSpecs(reason="no SKU")
    for sku in skus:
        if sku.spec.keys() != allowed.keys() or any(value not in allowed[name] for name, value in sku.spec.items()):
            raise BadSpecs(reason=spec_text(sku.spec))
        identity = tuple(sorted(sku.spec.items()))
        if identity in seen:
            raise BadSpecs(reason=spec_text(sku.spec))
        seen.add(identity)


def lowest_price_fen(skus: Sequence[Sku]) -> Fen:
    """What a list shows as "from"."""
    return min(sku.price_fen for sku in skus if not sku.retired)


def spec_text(spec: dict[str, str]) -> str:
    """The chosen values for a person, in the product's order: `大杯 / 燕麦奶`."""
    return " / ".join(spec.values())
