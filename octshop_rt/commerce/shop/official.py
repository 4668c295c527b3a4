"""The platform's own official service, as a row among shops."""

from __future__ import annotations

from typing import Final

from octshop_rt.commerce.shop.geo import point, to_gcj
from octshop_rt.commerce.shop.model import Certification, Merchant, Shop, ShopPicture
from octshop_rt.core.clock import Millis

OFFICIAL: Final = "platform"


def official(now: Millis) -> tuple[Merchant, Shop]:
    """The platform's own service: to chat a shop like any other, with staff, settings and a board; it sells nothing and
    stands in no list.
    """
    place = point(120.155, 30.274)
    merchant = Merchant(id=OFFICIAL, name="平台", self_run=True, created_at=now)
    shop = Shop(
        id=OFFICIAL, merchant_id=OFFICIAL, name="平台客服", city="", certification=Certification.NONE,
        self_run=True, open=False, address="", point=place, gcj=to_gcj(place), hours="", phone="", notice="",
        score_tenths=50, picture=ShopPicture(seed=OFFICIAL, hue=210), created_at=now,
    )  # fmt: skip
    return merchant, shop
