"""From the first word to a person: welcome, an answer from the shop's knowledge, a vote, the queue; over two nodes."""

from __future__ import annotations

import asyncio
from typing import Any

from octshop_rt.core.mongo import Database
from octshop_rt.im.guard import store as guard_store
from tests.flow.house import House, fresh
from tests.flow.test_chat_and_notices import socket_of
from tests.im.kit import Client


async def said_by(socket: Client, c: str, role: str, count: int) -> list[dict[str, Any]]:
    """What `role` has said in it, when there is that much."""
    await socket.until(lambda: sum(one["fr"] == role for one in socket.log.get(c, {}).values()) >= count)
    return [one for _, one in sorted(socket.log[c].items()) if one["fr"] == role]


async def test_a_buyer_is_answered_by_the_shop_s_knowledge_and_gets_a_person_when_asking(
    two_nodes: House, db: Database
) -> None:  # req I2, I7, I10
    shop = f"/shop/{two_nodes.shop_id}/desk"
    async with two_nodes.client(0) as manager, two_nodes.client(0) as buyer, two_nodes.client(1) as agent:
        await manager.sign_in("staff", "13900000001")
        await buyer.sign_in("buyer", "13800000001")
        await agent.sign_in("staff", "13900000005")
        faq = await manager.post(
            f"{shop}/faqs",
            {
                "request_id": fresh(),
                "question": "可以开发票吗",
                "similar": ["怎么开票"],
                "zh": "可以，{shop}当天开好。",
            },
        )
        tried = await manager.post(f"{shop}/answers/try", {"text": "能开发票不"})
        assert (tried["sureness"], tried["candidates"][0]["faq_id"]) == ("sure", faq["id"])
        await manager.post(f"{shop}/guard/words", {"request_id": fresh(), "words": ["投诉"], "level": "flag"})

        case = await buyer.post("/buyer/cases", {"request_id": fresh(), "shop_id": two_nodes.shop_id})
        socket = await socket_of(buyer, "buyer")
        c = case["c"]
        await socket.sync()
        (welcome,) = await said_by(socket, c, "bot", 1)
        assert "欢迎" in welcome["b"]["text"]

        await socket.say(c, "请问能开发票吗？")
        answer = (await said_by(socket, c, "bot", 2))[1]
        assert answer["b"]["text"].endswith("当天开好。")
        assert (await buyer.get(f"/buyer/cases/{case['id']}"))["state"] == "bot"
        await buyer.call("PUT", f"/buyer/answers/{answer['b']['id']}/vote", {"helpful": True}, expect=204)
        (row,) = (await manager.get(f"{shop}/faqs"))["items"]
        assert (row["asked"], row["helpful"]) == (1, 1)

        await socket.say(c, "我要投诉，转人工")
        async with asyncio.timeout(20):
            while (await buyer.get(f"/buyer/cases/{case['id']}"))["state"] not in {"queued", "human"}:
                await asyncio.sleep(0.05)
            while not await guard_store.FLAGS.many(db, {"shop_id": two_nodes.shop_id, "state": "open"}):
                await asyncio.sleep(0.05)
        answering = await socket_of(agent, "staff")
        reply = (await answering.say(c, "您好，我来处理"))["s"]
        await socket.until(lambda: reply in socket.log[c])
        await socket.say(c, "能开发票吗")  # a person is there: the bot is silent
        await socket.say(c, "好的")
        assert len(await said_by(socket, c, "bot", 2)) == 2
        for one in (socket, answering):
            await one.close()
    assert await two_nodes.findings() == []
