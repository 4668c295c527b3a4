"""What the doors of after-sale share: the shapes of requests and answers on both sides."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from octshop_rt.commerce.aftersale.model import MOST_LINES, CaseState, WantedBack
from octshop_rt.commerce.aftersale.views import AftersaleView

WantedBacks = Annotated[tuple[WantedBack, ...], Meta(max_length=MOST_LINES)]
Filter = Literal["waiting", "refunding", "ended"]
FILTERS: dict[Filter, tuple[CaseState, ...]] = {
    "waiting": (CaseState.ASKED, CaseState.FAILED),
    "refunding": (CaseState.AGREED, CaseState.REFUNDING),
    "ended": (CaseState.REFUNDED, CaseState.REFUSED, CaseState.WITHDRAWN),
}


class Aftersales(Struct, frozen=True, kw_only=True):
    """One page of cases, newest first."""

    items: list[AftersaleView]
    next: str | None
