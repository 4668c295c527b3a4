"""The main job, end to end over HTTP: buy, pay, QR, write-off; the cashier; and the books agree afterwards."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.flow.house import Client, House, fresh


async def until(ask: Any, holds: Any, *, seconds: float = 8) -> Any:
    """Ask again until it holds."""
    async with asyncio.timeout(seconds):
        while True:
            answer = await ask()
            if holds(answer):
                return answer
            await asyncio.sleep(0.05)


async def check_out(buyer: Client, house: House, quantity: int = 2, *, request_id: str = "") -> Any:
    lines = [{"sku_id": house.sku_ids[0], "quantity": quantity}]
    quote = await buyer.post("/buyer/quotes", {"lines": lines, "fulfilment": "in_store"})
    return await buyer.post(
        "/buyer/orders",
        {
            "request_id": request_id or fresh(),
            "lines": lines,
            "fulfilment": "in_store",
            "expected_payable_fen": quote["payable_fen"],
        },
    )


async def pay(buyer: Client, house: House, order_id: str) -> None:
    opened = await buyer.post(
        "/buyer/payments",
        {"request_id": fresh(), "order_ids": [order_id], "channel": "wechat", "method": "native"},
    )
    assert opened["state"] == "waiting"
    await house.phone_api("POST", "/confirm", {"code_url": opened["code_url"], "decision": "pay"})
    await until(lambda: buyer.get(f"/buyer/payments/{opened['payment_id']}"), lambda seen: seen["state"] == "paid")


async def vouchers(buyer: Client, order_id: str) -> list[Any]:
    page = await until(lambda: buyer.get(f"/buyer/vouchers?order_id={order_id}"), lambda seen: seen["items"])
    return page["items"]


async def test_buy_pay_and_write_off(one_node: House) -> None:  # req 17.1, 12.1, 12.2, 12.4
    async with one_node.client() as buyer, one_node.client() as clerk, one_node.client() as manager:
        await buyer.sign_in("buyer", "13800000001")
        await clerk.sign_in("staff", "13900000003")
        await manager.sign_in("staff", "13900000002")
        bought = await check_out(buyer, one_node)
        order_id = bought["orders"][0]["id"]
        await pay(buyer, one_node, order_id)
        held = await vouchers(buyer, order_id)
        shown = await buyer.get(f"/buyer/vouchers/{held[0]['id']}/code")
        assert shown["digits"].isdigit()
        assert len(shown["digits"]) > 24

        shop = f"/shop/{one_node.shop_id}"
        scan = await clerk.post(f"{shop}/scans", {"text": shown["digits"]})
        assert (scan["kind"], scan["voucher"]["title"]) == ("voucher", "燕麦拿铁")
        wish = {"request_id": fresh(), "scan_token": scan["scan_token"], "uses": 1}
        used = await clerk.post(f"{shop}/redemptions", wish)
        assert await clerk.post(f"{shop}/redemptions", wish) == used  # the same request again
        again = await clerk.post(
            f"{shop}/redemptions", {"request_id": fresh(), "text": shown["digits"], "uses": 1}, expect=409
        )
        assert again["detail"]

        order = await until(
            lambda: buyer.get(f"/buyer/orders/{order_id}"),
            lambda seen: seen["state"] in {"partly_used", "done"},
        )
        assert [one["uses_done"] for one in order["lines"]] == [1]
        assert len(order["timeline"]) >= 3  # made, paid, used

        # the other piece by its typed code, in groups of four as a clerk reads it
        rest = next(one for one in await vouchers(buyer, order_id) if one["uses_left"])
        code = rest["typed_code"]
        groups = f"{code[:4]} {code[4:8]} {code[8:]}"
        await manager.post(f"{shop}/redemptions", {"request_id": fresh(), "text": groups, "uses": 1})
        await until(lambda: buyer.get(f"/buyer/orders/{order_id}"), lambda seen: seen["state"] == "done")
    assert await one_node.findings() == []


async def test_a_double_submit_makes_one_order(one_node: House) -> None:  # req B7
    async with one_node.client() as buyer:
        await buyer.sign_in("buyer", "13800000001")
        request_id = fresh()
        made = await asyncio.gather(*(check_out(buyer, one_node, request_id=request_id) for _ in range(6)))
        assert len({one["group_id"] for one in made}) == 1
        assert len((await buyer.get("/buyer/orders"))["items"]) == 1
    assert await one_node.findings() == []


async def test_the_last_unit_goes_to_one_buyer(two_nodes: House) -> None:  # req B6, D3
    inventory = two_nodes.nodes[0].commerce.inventory
    await inventory.adjust(two_nodes.sku_ids[0], -19)
    body = {
        "lines": [{"sku_id": two_nodes.sku_ids[0], "quantity": 1}],
        "fulfilment": "in_store",
        "expected_payable_fen": 1990,
    }
    async with two_nodes.client(0) as one, two_nodes.client(1) as other:
        await one.sign_in("buyer", "13800000001")
        await other.sign_in("buyer", "13800000002")

        async def attempt(client: Client) -> int:
            status, answer = await client.ask("POST", "/buyer/orders", body | {"request_id": fresh()})
            assert status == 201 or answer["code"] == "inventory.out_of_stock"
            return status

        answers = await asyncio.gather(*(attempt(client) for client in (one, other) for _ in range(3)))
        assert answers.count(201) == 1
    assert await two_nodes.findings() == []


async def test_a_qr_scanned_at_once_on_two_nodes_is_used_once(two_nodes: House) -> None:  # req 12.4
    async with two_nodes.client(0) as buyer, two_nodes.client(0) as here, two_nodes.client(1) as there:
        await buyer.sign_in("buyer", "13800000001")
        await here.sign_in("staff", "13900000003")
        await there.sign_in("staff", "13900000002")
        bought = await check_out(buyer, two_nodes, 1)
        order_id = bought["orders"][0]["id"]
        await pay(buyer, two_nodes, order_id)
        (voucher,) = await vouchers(buyer, order_id)
        digits = (await buyer.get(f"/buyer/vouchers/{voucher['id']}/code"))["digits"]

        async def redeem(clerk: Client) -> int:
            body = {"request_id": fresh(), "text": digits, "uses": 1}
            status, answer = await clerk.ask("POST", f"/shop/{two_nodes.shop_id}/redemptions", body)
            assert status == 201 or answer["code"].startswith("verify.")
            return status

        answers = await asyncio.gather(*(redeem(clerk) for clerk in (here, there) for _ in range(8)))
        assert answers.count(201) == 1
    assert await two_nodes.findings() == []


async def test_the_cashier_takes_a_payment_code(one_node: House) -> None:  # req 7.4
    till = f"/shop/{one_node.shop_id}/tills/{one_node.till_id}"
    async with one_node.client() as cashier:
        await cashier.sign_in("staff", "13900000004")
        code = (await one_node.phone_api("POST", "/payment-codes"))["auth_code"]
        wish = {"request_id": fresh(), "amount_fen": 1250, "auth_code": code}
        first, second = await asyncio.gather(
            cashier.post(f"{till}/charges", wish), cashier.post(f"{till}/charges", wish)
        )
        assert first["id"] == second["id"]
        paid = await until(lambda: cashier.get(f"{till}/charges/{first['id']}"), lambda seen: seen["state"] == "paid")
        assert paid["amount_fen"] == 1250
        takings = await until(lambda: cashier.get(f"{till}/takings"), lambda seen: seen["count"])
        assert (takings["total_fen"], takings["count"]) == (1250, 1)

        await cashier.post(f"{till}/charges", wish | {"amount_fen": 1}, expect=409)
        voucher_like = {"request_id": fresh(), "amount_fen": 100, "auth_code": "7" * 45}
        await cashier.post(f"{till}/charges", voucher_like, expect=400)
    assert await one_node.findings() == []


async def test_the_cashier_shows_a_code(one_node: House) -> None:  # req 7.4, 7.7
    till = f"/shop/{one_node.shop_id}/tills/{one_node.till_id}"
    async with one_node.client() as cashier:
        await cashier.sign_in("staff", "13900000004")
        charge = await cashier.post(f"{till}/charges", {"request_id": fresh(), "amount_fen": 880})
        assert charge["state"] == "waiting"
        await one_node.phone_api("POST", "/confirm", {"code_url": charge["code_url"], "decision": "pay"})
        await until(lambda: cashier.get(f"{till}/charges/{charge['id']}"), lambda seen: seen["state"] == "paid")
    assert await one_node.findings() == []


@pytest.mark.parametrize("switches", [{"notice_lost": True}, {"notice_double": True}, {"notice_forged": True}])
async def test_the_money_arrives_whatever_the_notices_do(one_node: House, switches: dict[str, Any]) -> None:  # req B9
    await one_node.phone_api("PUT", "/switches", switches)
    async with one_node.client() as buyer:
        await buyer.sign_in("buyer", "13800000001")
        bought = await check_out(buyer, one_node)
        await pay(buyer, one_node, bought["orders"][0]["id"])
        assert await vouchers(buyer, bought["orders"][0]["id"])
    assert await one_node.findings() == []
