"""Proves the HTTP code sender: what it posts, what it takes for an answer, what it gives up on."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from aiohttp import web

from octshop_rt.core.auth.codes import HttpSender, InboxSender
from octshop_rt.core.auth.model import CodeNotSent
from octshop_rt.core.clock import TestClock


async def test_it_posts_and_believes_2xx_only() -> None:
    got: list[tuple[Any, str | None]] = []
    status = 202

    async def gateway(request: web.Request) -> web.Response:
        got.append((await request.json(), request.headers.get("Authorization")))
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_post("/sms", gateway)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession() as session:
        sender = HttpSender(session, f"http://127.0.0.1:{site.port}/sms", "gateway-token")
        await sender.send("13800000001", "123456", "login")
        assert got == [({"phone": "+8613800000001", "code": "123456", "purpose": "login"}, "Bearer gateway-token")]
        for status in (302, 400, 500):  # noqa: B007  (read by the gateway)
            with pytest.raises(CodeNotSent):
                await sender.send("13800000001", "123456", "login")
        assert len(got) == 4  # redirects are not followed
        with pytest.raises(CodeNotSent):
            await HttpSender(session, "http://127.0.0.1:1/sms").send("13800000001", "123456", "login")
    await runner.cleanup()


async def test_the_inbox_shows_the_newest_first_and_forgets() -> None:
    inbox = InboxSender(TestClock(), most=3)
    for number in range(5):
        await inbox.send(f"1380000000{number}", "123456", "login")
    assert [one.phone[-1] for one in inbox.messages()] == ["4", "3", "2"]
    assert [one.phone for one in inbox.messages("13800000003")] == ["13800000003"]
