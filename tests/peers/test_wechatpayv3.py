"""The PyPI SDK wechatpayv3, in its own environment, talks to the simulator; both sides refuse tampered bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from octshop_rt.core.clock import Clock
from octshop_rt.sandbox.model import Merchant, Switches
from octshop_rt.sandbox.server import Sandbox
from tests.peers.environment import clean_environment, python_with

NOTIFY = "http://127.0.0.1:9/notify"


class Peer:
    """A running SDK process for one account."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, setup: dict[str, Any]) -> Peer:
        python = await asyncio.to_thread(python_with, "wechatpayv3", "2.0.4")
        script = Path(__file__).with_name("wechat_peer.py")
        process = await asyncio.create_subprocess_exec(
            python, script, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=clean_environment()
        )
        peer = cls(process)
        assert await peer.say(setup) == {"ready": True}
        return peer

    async def say(self, line: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        answer = await asyncio.wait_for(self.process.stdout.readline(), 30)
        assert answer, "the peer died; its complaint stands above"
        return json.loads(answer)

    async def call(self, name: str, **args: Any) -> tuple[int, Any]:
        answer = await self.say({"call": name, "args": args})
        assert "fault" not in answer, answer
        code, text = answer["result"]
        return code, json.loads(text) if text else None

    async def fault(self, name: str, **args: Any) -> str:
        answer = await self.say({"call": name, "args": args})
        return answer.get("fault", "")

    async def callback(self, headers: dict[str, str], body: bytes) -> Any:
        answer = await self.say({"call": "callback", "args": {"headers": headers, "body": body.decode()}})
        return answer.get("result")

    async def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()


class Stage:
    """A simulator on a port, and accounts on it."""

    def __init__(self, sandbox: Sandbox, url: str) -> None:
        self.sandbox = sandbox
        self.url = url
        self.merchant = sandbox.merchant("1900000109", "wxd678efh567hg6787", "老街面馆")

    def account(self, merchant: Merchant, **changes: Any) -> dict[str, Any]:
        return {
            "gateway": self.url,
            "mchid": merchant.mchid,
            "appid": merchant.appid,
            "serial_no": merchant.serial_no,
            "private_key_file": merchant.private_key_file,
            "apiv3_key_file": merchant.apiv3_key_file,
            "notify_url": NOTIFY,
        } | changes

    async def phone(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        async with aiohttp.ClientSession() as http, http.request(method, self.url + path, json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    sandbox = Sandbox(tmp_path, Clock(), production=False)
    stage = Stage(sandbox, await sandbox.start("127.0.0.1", 0))
    yield stage
    await sandbox.stop()


@pytest.fixture
async def peer(stage: Stage) -> AsyncIterator[Peer]:
    peer = await Peer.start(stage.account(stage.merchant))
    yield peer
    await peer.stop()


def amount(total: int) -> dict[str, Any]:
    return {"total": total, "currency": "CNY"}


async def test_native_from_order_to_refund(stage: Stage, peer: Peer) -> None:  # req 11
    code, body = await peer.call("pay", description="牛肉面 大碗", out_trade_no="A0001", amount=amount(1280))
    assert (code, body["code"]) == (400, "PARAM_ERROR")  # numbers have at least six characters
    code, body = await peer.call("pay", description="牛肉面 大碗", out_trade_no="A00000001", amount=amount(1280))
    assert code == 200
    assert body["code_url"].startswith("weixin://wxpay/bizpayurl?pr=")
    code, body = await peer.call("query", out_trade_no="A00000001")
    assert (code, body["trade_state"], "amount" in body) == (200, "NOTPAY", False)
    await stage.phone("POST", "/phone/api/confirm", {"out_trade_no": "A00000001", "decision": "pay"})
    code, body = await peer.call("query", out_trade_no="A00000001")
    assert (code, body["trade_state"], body["amount"]["total"]) == (200, "SUCCESS", 1280)
    code, by_id = await peer.call("query", transaction_id=body["transaction_id"])
    assert (code, by_id) == (200, body)
    code, body = await peer.call("close", out_trade_no="A00000001")
    assert (code, body["code"]) == (400, "ORDER_PAID")
    part = {"refund": 280, "total": 1280, "currency": "CNY"}
    code, body = await peer.call("refund", out_refund_no="R1", out_trade_no="A00000001", amount=part, reason="少了肉")
    assert (code, body["status"]) == (200, "PROCESSING")
    code, body = await peer.call("query_refund", out_refund_no="R1")
    assert (code, body["status"], body["amount"]["refund"]) == (200, "SUCCESS", 280)
    code, again = await peer.call("refund", out_refund_no="R1", out_trade_no="A00000001", amount=part)
    assert (code, again["refund_id"]) == (200, body["refund_id"])
    too_much = {"refund": 1001, "total": 1280, "currency": "CNY"}
    code, body = await peer.call("refund", out_refund_no="R2", out_trade_no="A00000001", amount=too_much)
    assert (code, body["code"]) == (400, "INVALID_REQUEST")


async def test_ordering_again_and_closing(stage: Stage, peer: Peer) -> None:
    _, first = await peer.call("pay", description="面", out_trade_no="A00000002", amount=amount(100))
    _, second = await peer.call("pay", description="面", out_trade_no="A00000002", amount=amount(100))
    assert first["code_url"] != second["code_url"]
    code, body = await peer.call("pay", description="面", out_trade_no="A00000002", amount=amount(101))
    assert (code, body["code"]) == (403, "OUT_TRADE_NO_USED")
    assert await peer.call("close", out_trade_no="A00000002") == (204, None)  # a signed 204 passes the SDK
    assert await peer.call("close", out_trade_no="A00000002") == (204, None)
    code, body = await peer.call("query", out_trade_no="A00000002")
    assert body["trade_state"] == "CLOSED"
    code, body = await peer.call("query", out_trade_no="A99999999")
    assert (code, body["code"]) == (404, "ORDER_NOT_EXIST")


async def test_bar_code_paid_waiting_and_reversed(stage: Stage, peer: Peer) -> None:
    async def pay(number: str, total: int, text: str) -> tuple[int, Any]:
        scene = {"device_id": "T1"}
        payer = {"auth_code": text}
        args = {"description": "收银", "out_trade_no": number, "amount": amount(total)}
        return await peer.call("codepay", payer=payer, scene_info=scene, **args)

    small = await stage.phone("POST", "/phone/api/payment-codes")
    assert len(small["auth_code"]) == 18
    assert small["auth_code"][:2] in {"10", "11", "12", "13", "14", "15"}
    code, body = await pay("B00000001", 1000, small["auth_code"])
    assert (code, body["trade_state"], body["trade_type"]) == (200, "SUCCESS", "MICROPAY")
    code, body = await pay("B00000002", 1000, small["auth_code"])  # used once
    assert (code, body["code"]) == (400, "AUTH_CODE_INVALID")
    big = await stage.phone("POST", "/phone/api/payment-codes")
    code, body = await pay("B00000003", 100_001, big["auth_code"])
    assert (code, body["code"]) == (202, "USERPAYING")
    waiting = await stage.phone("GET", "/phone/api/pending")
    assert [one["out_trade_no"] for one in waiting["items"]] == ["B00000003"]
    code, body = await peer.call("close", out_trade_no="B00000003")
    assert (code, body["code"]) == (400, "INVALID_REQUEST")
    code, _ = await peer.call("codepay_reverse", out_trade_no="B00000003")
    assert code == 200
    _, body = await peer.call("query", out_trade_no="B00000003")
    assert body["trade_state"] == "REVOKED"


async def test_notice_opens_in_the_sdk_and_tampered_ones_do_not(stage: Stage, peer: Peer) -> None:  # req 11
    taken: list[tuple[dict[str, str], bytes]] = []

    async def receive(request: web.Request) -> web.Response:
        taken.append((dict(request.headers), await request.read()))
        return web.Response(status=204)

    shop = web.Application()
    shop.router.add_post("/notify", receive)
    runner = web.AppRunner(shop)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/notify"
    await peer.call("pay", description="面", out_trade_no="A00000003", amount=amount(100), notify_url=url)
    await stage.phone("POST", "/phone/api/confirm", {"out_trade_no": "A00000003", "decision": "pay"})
    await stage.sandbox.courier.deliver_due()
    headers, body = taken[0]
    opened = await peer.callback(headers, body)
    assert opened["event_type"] == "TRANSACTION.SUCCESS"
    assert (opened["resource"]["out_trade_no"], opened["resource"]["amount"]["total"]) == ("A00000003", 100)
    for at in range(0, len(body), 17):
        assert not await peer.callback(headers, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
    for name in ("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial"):
        assert not await peer.callback(headers | {name: "1" + headers[name][1:][::-1]}, body)
    stage.sandbox.bank.switch(Switches(notice_forged=True))
    notice = next(iter(stage.sandbox.bank.notices.values()))
    assert not await peer.callback(*stage.sandbox.courier.letter(notice))
    stage.sandbox.bank.switch(Switches(notice_probe=True))
    assert not await peer.callback(*stage.sandbox.courier.letter(notice))
    await runner.cleanup()


async def test_the_simulator_refuses_what_the_merchant_did_not_sign(stage: Stage) -> None:  # req 11
    other = stage.sandbox.merchant("1900000110", "wxother", "别家店")
    thief = await Peer.start(stage.account(stage.merchant, appid="wxother"))
    code, body = await thief.call("pay", description="面", out_trade_no="A00000004", amount=amount(1))
    assert (code, body["code"]) == (400, "APPID_MCHID_NOT_MATCH")
    code, body = await thief.call("query", out_trade_no="A00000004", mchid=other.mchid)
    assert (code, body["code"]) == (403, "NO_AUTH")
    await thief.stop()
    # another's key under our number: even the first call, which fetches the certificates, is refused
    wrong = stage.account(stage.merchant, private_key_file=other.private_key_file)
    wrong |= {"public_key_file": str(stage.sandbox.keys.public_key_file)}
    wrong |= {"public_key_id": stage.sandbox.keys.public.serial_no}
    impostor = await Peer.start(wrong)
    code, body = await impostor.call("query", out_trade_no="A00000004")
    assert (code, body["code"]) == (401, "SIGN_ERROR")
    await impostor.stop()


async def test_public_key_mode_and_rotated_certificates(stage: Stage, peer: Peer) -> None:
    await peer.call("pay", description="面", out_trade_no="A00000005", amount=amount(1))
    stage.sandbox.keys.rotate()
    code, _ = await peer.call("query", out_trade_no="A00000005")  # fetches the new certificate by itself
    assert code == 200
    public = {"public_key_file": str(stage.sandbox.keys.public_key_file)}
    modern = await Peer.start(
        stage.account(stage.merchant, public_key_id=stage.sandbox.keys.public.serial_no, **public)
    )
    assert (await modern.call("query", out_trade_no="A00000005"))[0] == 200
    await modern.stop()


async def test_the_sdk_refuses_an_answer_changed_on_the_way(stage: Stage) -> None:  # req 11
    async def pass_on(request: web.Request) -> web.Response:
        async with (
            aiohttp.ClientSession() as http,
            http.request(
                request.method, stage.url + request.raw_path, headers=request.headers, data=await request.read()
            ) as answer,
        ):
            body = await answer.read()
            if b"trade_state" in body:
                body = body.replace(b"NOTPAY", b"NOTPAX")
            headers = {name: value for name, value in answer.headers.items() if name.startswith("Wechatpay")}
            return web.Response(status=answer.status, body=body, headers=headers, content_type="application/json")

    relay = web.Application()
    relay.router.add_route("*", "/{rest:.*}", pass_on)
    runner = web.AppRunner(relay)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there = f"http://127.0.0.1:{runner.addresses[0][1]}"
    peer = await Peer.start(stage.account(stage.merchant) | {"gateway": there})
    assert (await peer.call("pay", description="面", out_trade_no="A00000006", amount=amount(1)))[0] == 200
    assert "failed to verify" in await peer.fault("query", out_trade_no="A00000006")
    await peer.stop()
    await runner.cleanup()
