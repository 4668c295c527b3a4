"""Chat and live hints through the whole house: real sign-in, real rights, two nodes that share Redis."""

from __future__ import annotations

from typing import Any

from tests.flow.house import Client as Browser
from tests.flow.house import House, fresh
from tests.flow.test_main_job import check_out, pay, until, vouchers
from tests.im.kit import Client as Socket

RES, ERR, NOTICE, SUB = 27, 28, 35, 19


async def socket_of(browser: Browser, door: str) -> Socket:
    """A greeted socket on the browser's node."""
    port = int(browser.base.rsplit(":", 1)[1])
    socket = await Socket().connect(port)
    return await socket.hello(await browser.ticket(door))


async def test_a_buyer_and_a_shop_chat_over_two_nodes(two_nodes: House) -> None:  # req I1, I2, I4
    async with two_nodes.client(0) as buyer, two_nodes.client(1) as agent, two_nodes.client(1) as clerk:
        await buyer.sign_in("buyer", "13800000001")
        await agent.sign_in("staff", "13900000005")
        await clerk.sign_in("staff", "13900000003")
        asking = await socket_of(buyer, "buyer")
        answering = await socket_of(agent, "staff")
        outside = await socket_of(clerk, "staff")

        c = await asking.open(two_nodes.shop_id)
        assert (await asking.say(c, "在吗？"))["s"] == 1
        assert await answering.sees(c, 1) == ["在吗？"]
        reply = (await answering.say(c, "在的，您说"))["s"]  # the desk and the bot speak too
        await asking.until(lambda: reply in asking.log.get(c, {}))

        (seen,) = await answering.sync()
        assert (seen["head"] >= reply, seen["peer"]["name"]) == (True, "用户0001")
        assert await outside.sync() == []  # a clerk does not answer chats
        assert (await outside.say(c, "?"))["t"] == ERR

        for socket in (asking, answering, outside):
            await socket.close()
    assert await two_nodes.findings() == []


async def test_the_till_and_the_voucher_page_hear_at_once(two_nodes: House) -> None:  # req 7.1
    async with two_nodes.client(0) as buyer, two_nodes.client(1) as cashier, two_nodes.client(1) as clerk:
        await buyer.sign_in("buyer", "13800000001")
        await cashier.sign_in("staff", "13900000004")
        await clerk.sign_in("staff", "13900000003")
        phone = await socket_of(buyer, "buyer")
        till = await socket_of(cashier, "staff")

        assert await watches(till, "till", two_nodes.till_id)
        charges = f"/shop/{two_nodes.shop_id}/tills/{two_nodes.till_id}/charges"
        charge = await cashier.post(charges, {"request_id": fresh(), "amount_fen": 880})
        await two_nodes.phone_api("POST", "/confirm", {"code_url": charge["code_url"], "decision": "pay"})
        told = await till.other(NOTICE)
        assert told["d"]["charge_id"] == charge["id"]
        await until(lambda: cashier.get(f"{charges}/{charge['id']}"), lambda seen: seen["state"] == "paid")

        order_id = (await check_out(buyer, two_nodes, 1))["orders"][0]["id"]
        assert await watches(phone, "order", order_id)
        await pay(buyer, two_nodes, order_id)
        assert (await phone.other(NOTICE))["id"] == order_id
        (voucher,) = await vouchers(buyer, order_id)
        assert await watches(phone, "voucher", voucher["id"])
        shop = f"/shop/{two_nodes.shop_id}"
        await clerk.post(f"{shop}/redemptions", {"request_id": fresh(), "text": voucher["typed_code"], "uses": 1})
        await phone.until(lambda: any(one.get("id") == voucher["id"] for one in phone.others))
        await phone.close()
        await till.close()


async def test_a_shop_sees_only_buyers_it_deals_with(one_node: House) -> None:
    async with one_node.client() as buyer, one_node.client() as stranger, one_node.client() as agent:
        known = (await buyer.sign_in("buyer", "13800000001"))["person"]["id"]
        unknown = (await stranger.sign_in("buyer", "13800000002"))["person"]["id"]
        await agent.sign_in("staff", "13900000005")
        buyers = f"/shop/{one_node.shop_id}/buyers"
        await agent.get(f"{buyers}/{known}", expect=404)
        socket = await socket_of(buyer, "buyer")
        await socket.open(one_node.shop_id)
        assert (await agent.get(f"{buyers}/{known}"))["orders_count"] == 0
        await agent.get(f"{buyers}/{unknown}", expect=404)
        await socket.close()


async def test_nobody_watches_what_he_may_not_fetch(one_node: House) -> None:
    async with one_node.client() as buyer, one_node.client() as other, one_node.client() as agent:
        await buyer.sign_in("buyer", "13800000001")
        await other.sign_in("buyer", "13800000002")
        await agent.sign_in("staff", "13900000005")
        order_id = (await check_out(buyer, one_node, 1))["orders"][0]["id"]
        stranger = await socket_of(other, "buyer")
        staff = await socket_of(agent, "staff")
        assert not await watches(stranger, "order", order_id)
        assert not await watches(stranger, "till", one_node.till_id)
        assert not await watches(staff, "till", one_node.till_id)
        assert not await watches(staff, "order", order_id)
        await stranger.close()
        await staff.close()


async def test_signing_out_closes_the_socket_on_the_other_node(two_nodes: House) -> None:  # req I4, AU1
    async with two_nodes.client(0) as here, two_nodes.client(1) as there:
        await here.sign_in("buyer", "13800000001")
        await there.sign_in("buyer", "13800000001")
        socket = await socket_of(there, "buyer")
        devices: Any = await here.get("/buyer/devices")
        (elsewhere,) = [one for one in devices["items"] if not one["this"]]
        await here.call("DELETE", f"/buyer/devices/{elsewhere['session_id']}")
        assert await socket.ended(5) in range(4000, 5000)
        await there.get("/buyer/session", expect=401)


async def watches(socket: Socket, topic: str, thing_id: str) -> bool:
    """Whether SUB was accepted."""
    answer = await socket.ask({"t": SUB, "k": topic, "ids": [thing_id], "on": True})
    return answer["t"] == RES
