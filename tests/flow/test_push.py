"""Push through the whole house: a browser subscribes over HTTP, its owner leaves, an agent on another node answers; and
the other way round, a buyer waits and nobody of the shop is there.
"""

from __future__ import annotations

import asyncio

from tests.flow.house import House
from tests.flow.test_chat_and_notices import socket_of
from tests.flow.test_main_job import until


async def test_both_sides_are_told_when_they_are_away(two_nodes: House) -> None:  # req I5
    async with two_nodes.client(0) as buyer, two_nodes.client(1) as agent, two_nodes.client(1) as clerk:
        await buyer.sign_in("buyer", "13800000001")
        await agent.sign_in("staff", "13900000005")
        await clerk.sign_in("staff", "13900000003")
        key = (await buyer.get("/buyer/push"))["key"]
        assert await agent.get("/staff/push") == {"key": key, "simulated": True}
        phone, desk, till = (two_nodes.push.subscribe(key) for _ in range(3))
        kept = await buyer.call("PUT", "/buyer/push", {**phone.body, "preview": True})
        await agent.call("PUT", "/staff/push", desk.body)
        await clerk.call("PUT", "/staff/push", till.body)
        await buyer.call("PUT", "/buyer/push", {**phone.body, "endpoint": "https://10.0.0.1/x"}, expect=422)

        asking = await socket_of(buyer, "buyer")
        c = await asking.open(two_nodes.shop_id)
        await asking.say(c, "人工")
        await until(lambda: asyncio.sleep(0, desk.got), bool, seconds=20)
        assert desk.got[0].body | {"n": 0} == {
            "c": c, "side": "staff", "shop_id": two_nodes.shop_id, "shop": "豆芽咖啡", "n": 0,
        }  # fmt: skip
        assert desk.got[0].urgency == "high"

        answering = await socket_of(agent, "staff")
        await asking.close()
        await answering.say(c, "在的，您说")
        await until(lambda: asyncio.sleep(0, phone.got), bool, seconds=20)
        assert (phone.got[0].body["side"], phone.got[0].body["text"]) == ("buyer", "在的，您说")
        assert [len(phone.got), len(desk.got), len(till.got)] == [1, 1, 0]  # a clerk does not answer chats
        await buyer.call("DELETE", f"/buyer/push/{kept['id']}")
        await answering.close()
    assert await two_nodes.findings() == []
