"""The demo's data: sown twice it is there once, everybody can sign in, goods can be bought, fsck is clean."""

from __future__ import annotations

from octshop_rt.commerce.catalog.service import CatalogService
from octshop_rt.commerce.inventory.service import InventoryService
from octshop_rt.commerce.member.service import Members
from octshop_rt.commerce.order.people import People
from octshop_rt.commerce.shop.geo import distance_m, point
from octshop_rt.commerce.shop.staff import StaffService
from octshop_rt.core import mongo
from octshop_rt.core.auth.model import Buyer, Right
from octshop_rt.core.auth.passwords import Passwords
from octshop_rt.core.clock import TestClock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.demo import ACCOUNTS, PASSWORD, seed
from octshop_rt.demo.goods import GOODS
from octshop_rt.demo.shops import SHOPS
from tests.commerce.conftest import Mall


async def rows(db: Database) -> dict[str, int]:
    return {one.name: await one.count(db, {}) for one in mongo.declared}


async def test_sowing_again_adds_nothing_and_changes_nothing_back(db: Database, clock: TestClock) -> None:
    await seed(db, clock)
    before = await rows(db)
    catalog = CatalogService(db)
    (product, *_), _ = await catalog.on_sale(shop_ids=None, words=None, cursor=None)
    (sku, *_) = (await catalog.product(product.id))[1]
    inventory = InventoryService(db)
    await inventory.adjust(sku.id, -1)
    left = (await inventory.of([sku.id]))[sku.id].available
    await seed(db, clock)
    assert await rows(db) == before
    assert (await inventory.of([sku.id]))[sku.id].available == left


async def test_everybody_can_come_in_and_a_buyer_can_buy(db: Database, clock: TestClock) -> None:
    # req 10: a certified shop with a store on the map; a product with two specs and stock
    await seed(db, clock)
    ids, passwords = Ids(clock), Passwords()
    members, staff = Members(db, clock, ids, passwords), StaffService(db, clock, ids)
    for account in ACCOUNTS:
        person = await members.by_phone(account.phone)
        assert person is not None
        assert await passwords.verify(person.password_hash, PASSWORD)
        grants = await staff.grants(person.id)
        assert bool(grants) == (account.kind == "staff")
    passwords.close()
    mall = Mall(db, clock)
    people = People(members, staff)
    mall.orders._works_at, mall.orders._masked = people.works_at, people.masked
    shops, _ = await mall.shops.find(city="杭州", place=point(120.155, 30.274), cursor=None)
    assert len(shops) == len(SHOPS)
    assert all(one.shop.certified for one in shops)
    assert [one.distance_m for one in shops] == sorted(one.distance_m or 0 for one in shops)
    for one in shops:
        assert await staff.holders(one.shop.id, Right.CHAT)
        assert await mall.shops.tills(one.shop.id)
        assert abs((one.distance_m or 0) - distance_m(point(120.155, 30.274), one.shop.point)) <= 100  # req 15.1
    goods, following = await mall.catalog.on_sale(shop_ids=None, words=None, cursor=None)
    assert (len(goods), following) == (len(GOODS), None)
    assert all(len(product.specs) == 2 for product in goods)
    found, _ = await mall.catalog.on_sale(shop_ids=None, words="咖啡", cursor=None)
    assert {product.shop_id for product in found} == {shops[0].shop.id}
    buyer = await members.by_phone("13800000001")
    assert buyer is not None
    who = Buyer(session_id="N", person_id=buyer.id, device_id="d")
    _, skus = await mall.catalog.product(goods[0].id)
    made = await mall.buy(who, [(skus[0], 1)])
    assert made.orders[0].buyer_masked == "138****0001"
    await mall.assert_clean()
