"""Shops: the map's two datums, nearest lists in pages, certification's table, settings that overlay each other."""

from __future__ import annotations

import pytest

from octshop_rt.commerce.shop.geo import asked_place, distance_m, point, to_gcj
from octshop_rt.commerce.shop.model import Certification
from octshop_rt.commerce.shop.policy import PLATFORM_SCOPE, Policy, PolicyPatch
from octshop_rt.commerce.shop.service import PAGE
from octshop_rt.core.errors import BadInput, Busy, NotFound
from tests.commerce.conftest import Mall


def test_gcj_is_the_published_transform() -> None:
    # req 15.2; the pair stands in the documentation of the coordtransform package
    shifted = to_gcj(point(116.404, 39.915))
    assert (shifted.lng, shifted.lat) == (116.410244, 39.916404)
    abroad = to_gcj(point(-0.1276, 51.5072))
    assert (abroad.lng, abroad.lat) == (-0.1276, 51.5072)


def test_distances() -> None:
    # req 15.1: West Lake's Broken Bridge to Leifeng Pagoda, 3.1 km on the map
    assert distance_m(point(120.1514, 30.2585), point(120.1488, 30.2313)) == pytest.approx(3_035, abs=20)
    assert distance_m(point(120.0, 30.0), point(120.0, 30.0)) == 0
    assert distance_m(point(0.0, 0.0), point(180.0, 0.0)) == pytest.approx(20_015_114, rel=1e-5)


def test_half_a_place_is_no_place() -> None:
    assert asked_place(None, None) is None
    for lng, lat in ((120.0, None), (None, 30.0), (float("nan"), 30.0), (120.0, float("inf"))):
        with pytest.raises(BadInput):
            asked_place(lng, lat)


async def test_lists_come_in_pages_and_leave_out_whom_they_must(mall: Mall) -> None:
    # req E4, 7: an uncertified shop is no neighbour, a closed one is nowhere
    shops = []
    for number in range(PAGE + 3):
        mall.clock.advance(1)
        shops.append(await mall.open_shop(f"店{number}"))
    mall.clock.advance(1)
    hidden = await mall.open_shop("未认证", certified=False)
    await mall.shops.set_open(shops[0].id, is_open=False)
    here = point(120.0, 30.0)
    first, cursor = await mall.shops.find(city="杭州", place=here, cursor=None)
    rest, end = await mall.shops.find(city="杭州", place=here, cursor=cursor)
    assert (len(first), len(rest), end) == (PAGE, 2, None)
    assert {one.shop.id for one in first + rest} == {shop.id for shop in shops[1:]}
    by_id, cursor = await mall.shops.find(city=None, place=None, cursor=None)
    more, end = await mall.shops.find(city=None, place=None, cursor=cursor)
    assert [one.shop.id for one in by_id + more] == [*(shop.id for shop in shops[1:]), hidden.id]
    assert end is None


async def test_certification_follows_its_table(mall: Mall) -> None:
    shop = await mall.open_shop(certified=False)
    with pytest.raises(Busy):
        await mall.shops.certify(shop.id, Certification.CERTIFIED)
    for step in (Certification.PENDING, Certification.CERTIFIED, Certification.SUSPENDED, Certification.REVOKED):
        await mall.shops.certify(shop.id, step)
    assert not (await mall.shops.shop(shop.id)).certified
    with pytest.raises(NotFound):
        await mall.shops.shop("S")


async def test_settings_overlay_and_keep_every_version(mall: Mall) -> None:
    shop = await mall.open_shop()
    assert await mall.shops.policy(shop.id) == Policy()
    await mall.shops.set_policy(PLATFORM_SCOPE, PolicyPatch(unpaid_timeout_s=600, commission_bp=300), "admin")
    await mall.shops.set_policy(shop.id, PolicyPatch(commission_bp=0), "owner")
    second = await mall.shops.set_policy(shop.id, PolicyPatch(voucher_valid_days=7), "owner")
    assert second.version == 2
    now = await mall.shops.policy(shop.id)
    assert (now.unpaid_timeout_s, now.commission_bp, now.voucher_valid_days, now.versions) == (600, 0, 7, (1, 2))
