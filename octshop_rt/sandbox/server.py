"""The simulator as an HTTP server: proves each merchant's request, answers signed, makes the trouble switched on."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from octshop_rt.core.clock import Clock
from octshop_rt.core.settings import WechatSettings
from octshop_rt.sandbox import refusals
from octshop_rt.sandbox.bank import Bank
from octshop_rt.sandbox.journal import Journal
from octshop_rt.sandbox.keys import KeyRing, PlatformKey, SigningKey
from octshop_rt.sandbox.model import Merchant, SandboxInProduction
from octshop_rt.sandbox.notices import Courier
from octshop_rt.sandbox.phone import Phone
from octshop_rt.sandbox.push import SimulatedPushService
from octshop_rt.sandbox.refusals import Refusal
from octshop_rt.sandbox.signing import Door, authorization_fields, seal, signed_headers

BODY_BYTES = 64 * 1024

Answer = dict[str, Any] | None
Act = Callable[[Merchant, web.Request, bytes], Answer]


class Sandbox:
    """One channel below `folder`, and a push service. Keys, trades, switches and browsers survive a restart."""

    def __init__(self, folder: Path, clock: Clock, *, production: bool, notice_speed: int = 1) -> None:
        if production:
            raise SandboxInProduction
        self.keys = KeyRing(folder / "keys", clock)
        journal = Journal(folder)
        self.bank = Bank(clock, journal)
        self.push = SimulatedPushService(clock, production=production, journal=journal)
        self._clock = clock
        self._merchants: dict[str, Merchant] = {}
        self._doors: dict[str, Door] = {}
        self._by_certificate: set[str] = set()
        self.courier = Courier(
            self.bank,
            clock,
            signing_key=self._signing_key,
            apiv3_key=lambda mchid: self._doors[mchid].apiv3_key,
            speed=notice_speed,
        )
        self._runner: web.AppRunner | None = None

    def merchant(self, mchid: str, appid: str, name: str) -> Merchant:
        """Open an account; call it at every start for every merchant."""
        merchant = self.keys.merchant(mchid, appid, name)
        self._merchants[mchid] = merchant
        self._doors[mchid] = Door(merchant)
        return merchant

    def settings(self, merchant: Merchant, gateway_url: str, notify_url: str) -> WechatSettings:
        """What the shop writes into its settings to use this account."""
        return WechatSettings(
            mchid=merchant.mchid,
            appid=merchant.appid,
            serial_no=merchant.serial_no,
            private_key_file=merchant.private_key_file,
            api_v3_key_file=merchant.apiv3_key_file,
            platform_key_id=self.keys.public.serial_no,
            platform_key_file=str(self.keys.public_key_file),
            gateway_url=gateway_url,
            notify_url=notify_url,
        )

    async def start(self, host: str, port: int, *, deliver: bool = True) -> str:
        """Listen; returns the base URL (port 0 picks one). Without `deliver` notices go out by `deliver_due()` only."""
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=2)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        if deliver:
            self.courier.start()
        url = f"http://{host}:{self._runner.addresses[0][1]}"
        self.push.at(url)
        return url

    async def stop(self) -> None:
        """Stop listening and delivering."""
        await self.courier.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        self.bank.close()

    def application(self) -> web.Application:
        """All routes."""
        app = web.Application(client_max_size=BODY_BYTES)
        bank = self.bank
        trades = "/v3/pay/transactions"
        app.add_routes(
            [
                web.post(f"{trades}/native", self._signed(lambda who, _, body: bank.order_native(who, body))),
                web.post(f"{trades}/codepay", self._signed(lambda who, _, body: bank.pay_by_code(who, body))),
                web.get(f"{trades}/out-trade-no/{{no}}", self._signed(self._query)),
                web.get(f"{trades}/id/{{id}}", self._signed(self._query_by_id)),
                web.post(f"{trades}/out-trade-no/{{no}}/close", self._signed(self._close)),
                web.post(f"{trades}/out-trade-no/{{no}}/reverse", self._signed(self._reverse)),
                web.post("/v3/refund/domestic/refunds", self._signed(lambda who, _, body: bank.refund(who, body))),
                web.get("/v3/refund/domestic/refunds/{no}", self._signed(self._query_refund)),
                web.get("/v3/certificates", self._signed(self._certificates)),
                *Phone(bank, self._merchants).routes(),
                *self.push.routes(),
            ]
        )
        return app

    # --- the signed door ----------------------------------------------------------------------------------------------

    def _signed(self, act: Act) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            try:
                merchant = self._prove(request, body)
                if self.bank.use_up("fail_5xx"):
                    raise refusals.gateway_error()
                answer = act(merchant, request, body)
            except Refusal as refusal:
                return await self._answer(request, refusal.status, _body(refusal), signed=refusal.signed)
            if answer is None:
                return await self._answer(request, 204, b"")
            return await self._answer(request, 200, msgspec.json.encode(answer))

        return handle

    def _prove(self, request: web.Request, body: bytes) -> Merchant:
        fields = authorization_fields(request.headers.get("Authorization", ""))
        door = self._doors.get(fields.get("mchid", ""))
        if door is None:
            raise refusals.sign_error("mchid")
        door.check(fields, request.method, request.raw_path, body, self._clock.now())
        if request.headers.get("Wechatpay-Serial") == self.keys.public.serial_no:
            self._by_certificate.discard(door.merchant.mchid)
        else:
            self._by_certificate.add(door.merchant.mchid)
        return door.merchant

    def _signing_key(self, mchid: str) -> SigningKey:
        """The public key for merchants in that mode (their last request named it), else the newest certificate."""
        return self.keys.newest if mchid in self._by_certificate else self.keys.public

    async def _answer(self, request: web.Request, status: int, body: bytes, *, signed: bool = True) -> web.Response:
        if self.bank.switches.slow_ms:
            await asyncio.sleep(self.bank.switches.slow_ms / 1000)
        if self.bank.use_up("drop_answers"):
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=500)
        headers = {"Request-ID": secrets.token_hex(12).upper()}
        if signed:
            fields = authorization_fields(request.headers["Authorization"])
            headers = signed_headers(self._signing_key(fields["mchid"]), body, self._clock.now())
        if not body:
            return web.Response(status=status, headers=headers)
        return web.Response(status=status, body=body, headers=headers, content_type="application/json")

    # --- acts that read the path --------------------------------------------------------------------------------------

    def _query(self, who: Merchant, request: web.Request, body: bytes) -> Answer:
        return self.bank.query(who, request.query.get("mchid", ""), out_trade_no=request.match_info["no"])

    def _query_by_id(self, who: Merchant, request: web.Request, body: bytes) -> Answer:
        return self.bank.query(who, request.query.get("mchid", ""), transaction_id=request.match_info["id"])

    def _close(self, who: Merchant, request: web.Request, body: bytes) -> Answer:
        self.bank.close_order(who, request.match_info["no"], body)
        return None

    def _reverse(self, who: Merchant, request: web.Request, body: bytes) -> Answer:
        return self.bank.reverse(who, request.match_info["no"], body)

    def _query_refund(self, who: Merchant, request: web.Request, body: bytes) -> Answer:
        return self.bank.query_refund(who, request.match_info["no"])

    def _certificates(self, who: Merchant, request: web.Request, body: bytes) -> Answer:
        apiv3_key = self._doors[who.mchid].apiv3_key
        return {"data": [_sealed_certificate(key, apiv3_key) for key in self.keys.platform]}


def _sealed_certificate(key: PlatformKey, apiv3_key: bytes) -> dict[str, Any]:
    return {
        "serial_no": key.serial_no,
        "effective_time": key.certificate.not_valid_before_utc.isoformat(),
        "expire_time": key.certificate.not_valid_after_utc.isoformat(),
        "encrypt_certificate": seal(apiv3_key, key.pem.encode(), "certificate"),
    }


def _body(refusal: Refusal) -> bytes:
    return msgspec.json.encode({"code": refusal.code, "message": refusal.message})
