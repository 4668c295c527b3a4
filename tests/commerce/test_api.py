"""The buyers' and the shops' doors over HTTP, on the whole product: what they answer, and what they refuse to whom."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from octshop_rt.core.clock import Clock
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from octshop_rt.demo import PASSWORD, seed
from octshop_rt.demo.goods import GOODS
from octshop_rt.demo.ids import fixed
from tests.flow.house import Client, House, fresh, house
from tests.flow.test_main_job import until

COFFEE, NOODLES = fixed("S", 1), fixed("S", 2)
HERE = "lng=120.155&lat=30.274"


@pytest.fixture
async def mall(db: Database, mongo_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """The product on the demo's data instead of the flow tests' own."""
    await seed(db, Clock())

    async def furnish(_built: House) -> None:
        return None

    monkeypatch.setattr("tests.flow.house.furnish", furnish)
    async with house(MongoSettings(uri=mongo_uri, prefix=f"t{os.getpid()}"), tmp_path) as built:
        yield built


async def come_in(client: Client, door: str, phone: str) -> None:
    device = {"id": f"device-{phone}", "name": "test"}
    signed = await client.post(f"/{door}/login", {"phone": phone, "password": PASSWORD, "device": device})
    client.csrf = signed["csrf_token"]


def order_body(sku_id: str, fen: int, *, request_id: str = "", quantity: int = 1) -> dict[str, Any]:
    return {
        "request_id": request_id or fresh(),
        "lines": [{"sku_id": sku_id, "quantity": quantity}],
        "fulfilment": "in_store",
        "expected_payable_fen": fen,
    }


async def test_anybody_may_look_around(mall: House) -> None:
    # req 15.1, 18.2, 20.1, 20.5
    async with mall.client() as visitor:
        shops = await visitor.get(f"/buyer/shops?{HERE}")
        away = [one["distance_m"] for one in shops["items"]]
        assert away == sorted(away)
        assert (shops["items"][0]["id"], shops["items"][0]["certified"], shops["next"]) == (COFFEE, True, None)
        assert (await visitor.get("/buyer/shops?city=上海"))["items"] == []
        assert {one["distance_m"] for one in (await visitor.get("/buyer/shops?city=杭州"))["items"]} == {None}
        one = await visitor.get(f"/buyer/shops/{COFFEE}?{HERE}")
        assert [branch["name"] for branch in one["branches"]] == ["武林店", "钱江新城店"]
        assert one["gcj"]["lng"] != one["lng"]

        products = await visitor.get(f"/buyer/products?{HERE}")
        assert len(products["items"]) == len(GOODS)
        mine = await visitor.get(f"/buyer/products?shop_id={NOODLES}")
        assert {card["shop_name"] for card in mine["items"]} == {"巷口面馆"}
        assert [card["title"] for card in (await visitor.get("/buyer/products?q=次卡"))["items"]] == [
            "美式咖啡 10 次卡",
            "洗吹 5 次卡",
        ]
        assert (await visitor.get("/buyer/products?q=.*"))["items"] == []  # words, not a pattern
        for signs in ("!\"#$%&'()*+,-./:", ";<=>?@[\\]^_`{|}~", "é ß 🐙 \u200b"):
            assert (await visitor.get(f"/buyer/products?q={quote(signs)}"))["items"] == []
        card = await visitor.get(f"/buyer/products/{fixed('G', 6)}")
        assert card["voucher"] == {"valid_days": 180, "uses_each": 10}
        assert len(card["skus"]) == 4
        assert min(sku["price_fen"] for sku in card["skus"]) == card["price_fen"]
        assert card["skus"][0]["spec"] == {"杯型": "中杯", "豆子": "拼配"}


BAD_QUESTIONS = (
    "/buyer/shops?lng=nan&lat=30",
    "/buyer/shops?lng=120",
    "/buyer/shops?lng=181&lat=0",
    "/buyer/shops?cursor=$gt",
    "/buyer/shops?shop_id=1",
    "/buyer/products?lat=inf&lng=1",
    "/buyer/products?q=" + "x" * 41,
    "/buyer/products?q=a%00b",
)


async def test_bad_and_vain_questions_are_refused(mall: House) -> None:
    async with mall.client() as visitor:
        for path in BAD_QUESTIONS:
            assert (await visitor.get(path, expect=400))["code"] == "core.bad_input"
        for path in ("/buyer/shops/S1", "/buyer/products/G1"):
            assert (await visitor.get(path, expect=404))["code"] == "core.not_found"
        wish = {"lines": [{"sku_id": "K1", "quantity": 1}], "fulfilment": "in_store"}
        await visitor.post("/buyer/quotes", wish, expect=404)


async def test_buy_look_cancel(mall: House) -> None:
    # req 17.1, B7, M4
    sku_id = fixed("K", 102)
    async with mall.client() as buyer, mall.client() as other:
        await come_in(buyer, "buyer", "13800000001")
        await come_in(other, "buyer", "13800000002")
        lines = [{"sku_id": sku_id, "quantity": 2}, {"sku_id": fixed("K", 201), "quantity": 1}]
        priced = await buyer.post("/buyer/quotes", {"lines": lines, "fulfilment": "in_store"})
        assert priced["payable_fen"] == 2 * 2500 + 3800 == priced["goods_fen"]
        assert priced["freight_fen"] == 0
        body = {
            "request_id": fresh(),
            "lines": lines,
            "fulfilment": "in_store",
            "expected_payable_fen": priced["payable_fen"],
        }
        answers = await asyncio.gather(*(buyer.post("/buyer/orders", body, expect=201) for _ in range(20)))
        assert all(answer == answers[0] for answer in answers)
        orders = answers[0]["orders"]
        assert sorted(order["shop_name"] for order in orders) == ["巷口面馆", "豆芽咖啡"]
        one = next(order for order in orders if order["shop_id"] == COFFEE)
        assert (one["label"], one["lines"][0]["spec_text"]) == ("待付款", "中杯 / 燕麦奶")
        assert await buyer.get(f"/buyer/orders/{one['id']}") == one
        assert len((await buyer.get("/buyer/orders?state=unpaid"))["items"]) == 2
        assert (await buyer.get("/buyer/orders?state=done"))["items"] == []
        assert (await buyer.get(f"/buyer/products/{fixed('G', 1)}"))["skus"][1]["available"] == 198

        # somebody else's look missing
        await other.get(f"/buyer/orders/{one['id']}", expect=404)
        await other.post(f"/buyer/orders/{one['id']}/cancel", {"request_id": fresh()}, expect=404)
        wish = {"request_id": fresh(), "order_ids": [one["id"]]}
        await other.post("/buyer/payments", wish, expect=404)

        cancelled = await buyer.post(f"/buyer/orders/{one['id']}/cancel", {"request_id": fresh(), "reason": "不想要了"})
        assert (cancelled["state"], cancelled["label"]) == ("closed", "已取消")
        refused = await buyer.post("/buyer/payments", wish, expect=409)
        assert (refused["code"], refused["detail"]) == ("order.not_payable", "订单当前状态为“已取消”，不能付款")
        back = await until(
            lambda: buyer.get(f"/buyer/products/{fixed('G', 1)}"), lambda seen: seen["skus"][1]["available"] == 200
        )
        assert back["id"] == fixed("G", 1)
    assert await mall.findings() == []


async def test_refusals_speak_and_carry_figures(mall: House) -> None:
    # req B6, 17.16: the last plant; the price that has changed
    last = fixed("K", 1001)
    async with mall.client() as buyer, mall.client() as other:
        await come_in(buyer, "buyer", "13800000001")
        await come_in(other, "buyer", "13800000002")
        changed = await buyer.post("/buyer/orders", order_body(last, 1), expect=409)
        assert (changed["code"], changed["data"]["payable_fen"]) == ("order.price_changed", 8800)
        both = await asyncio.gather(
            buyer.ask("POST", "/buyer/orders", order_body(last, 8800)),
            other.ask("POST", "/buyer/orders", order_body(last, 8800)),
        )
        assert sorted(status for status, _ in both) == [201, 409]
        gone = next(answer for status, answer in both if status == 409)
        assert (gone["code"], gone["detail"], gone["data"]["left"]) == (
            "inventory.out_of_stock",
            "库存不足，仅剩 0 件",
            0,
        )
        for bad in ({"lines": []}, {"expected_payable_fen": -1}, {"request_id": "short"}, {"extra": 1}):
            answer = await buyer.post("/buyer/orders", order_body(last, 8800) | bad, expect=400)
            assert answer["code"] == "core.bad_input"
    async with mall.client() as owner:
        await come_in(owner, "buyer", "13900000001")
        assert (await owner.post("/buyer/orders", order_body(last, 8800), expect=403))["code"] == "order.own_shop"


async def test_a_payment_wish_repeated_is_one_payment(mall: House) -> None:
    # req M6
    async with mall.client() as buyer:
        await come_in(buyer, "buyer", "13800000001")
        made = await buyer.post("/buyer/orders", order_body(fixed("K", 101), 2200))
        wish = {"request_id": fresh(), "order_ids": [made["orders"][0]["id"]]}
        first = await buyer.post("/buyer/payments", wish, expect=201)
        again = await buyer.post("/buyer/payments", wish, expect=201)
        assert first == again
        assert first["expires_at"] <= made["orders"][0]["pay_until"]
        await mall.phone_api("POST", "/confirm", {"code_url": first["code_url"], "decision": "pay"})
        seen: Any = None
        order: Any = None
        for _ in range(100):
            seen = await buyer.get(f"/buyer/payments/{first['payment_id']}")
            order = await buyer.get(f"/buyer/orders/{made['orders'][0]['id']}")
            if seen["state"] == "paid" and order["state"] == "to_use":
                break
            await asyncio.sleep(0.05)
        assert (seen["state"], order["label"]) == ("paid", "待消费")
        assert (await buyer.post("/buyer/payments", wish, expect=201))["state"] == "paid"
        other_wish = wish | {"request_id": fresh()}
        assert (await buyer.post("/buyer/payments", other_wish, expect=409))["code"] == "payment.already_paid"
        refused = await buyer.post(f"/buyer/orders/{order['id']}/cancel", {"request_id": fresh()}, expect=409)
        assert refused["code"] == "order.not_cancellable"
    assert await mall.findings() == []


async def test_the_shop_sees_its_own_orders_and_buyers(mall: House) -> None:
    async with mall.client() as buyer, mall.client() as agent, mall.client() as cashier, mall.client() as noodles:
        await come_in(buyer, "buyer", "13800000001")
        await come_in(agent, "staff", "13900000005")
        await come_in(cashier, "staff", "13900000004")
        await come_in(noodles, "staff", "13900000007")
        made = await buyer.post("/buyer/orders", order_body(fixed("K", 101), 2200))
        buyer_id = fixed("U", 1)
        seen = await agent.get(f"/shop/{COFFEE}/orders?buyer_id={buyer_id}")
        assert [order["id"] for order in seen["items"]] == [made["orders"][0]["id"]]
        assert (await agent.get(f"/shop/{NOODLES}/orders"))["items"] == []
        card = await agent.get(f"/shop/{COFFEE}/buyers/{buyer_id}")
        assert card == {"id": buyer_id, "nickname": "小满", "phone_masked": "138****0001", "orders_count": 1}
        await agent.get(f"/shop/{COFFEE}/buyers/U1", expect=404)
        await cashier.get(f"/shop/{COFFEE}/orders", expect=403)
        profile = await cashier.get(f"/shop/{COFFEE}/profile")
        assert len(profile["tills"]) == 3
        assert profile["policy"]["unpaid_timeout_s"] == 1_800
        await noodles.get(f"/shop/{COFFEE}/orders", expect=404)
        await noodles.get(f"/shop/{COFFEE}/profile", expect=404)
        await buyer.get(f"/shop/{COFFEE}/profile", expect=401)
