"""A whole running product for flow tests: nodes that share one database, a simulator, a shop with people and goods."""

from __future__ import annotations

import secrets
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
from aiohttp import web

from octshop_rt import app as product
from octshop_rt.commerce.api.channel import notice_path
from octshop_rt.commerce.catalog.model import Fulfilment, Listing, Picture, Product, Sku, Spec, VoucherTerms
from octshop_rt.commerce.inventory.model import Stock
from octshop_rt.commerce.payment.settle import DEFAULT_ACCOUNT
from octshop_rt.commerce.shop.geo import point, to_gcj
from octshop_rt.commerce.shop.model import Branch, Certification, Merchant, Shop, ShopPicture, Till
from octshop_rt.commerce.shop.staff_model import Role
from octshop_rt.core.clock import Clock
from octshop_rt.core.fsck import examine
from octshop_rt.core.http.routes import API
from octshop_rt.core.http.server import runner
from octshop_rt.core.settings import HttpSettings, MongoSettings, PushSettings, RedisSettings, SandboxSettings, Settings
from octshop_rt.sandbox.push import SimulatedPushService
from octshop_rt.sandbox.server import Sandbox

PASSWORD = "a-long-demo-password"


def fresh() -> str:
    """A request id, as a client makes one before it sends."""
    return secrets.token_hex(12)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Client:
    """One person at one browser: cookies, CSRF token, JSON."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.csrf = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.close()

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and decoded answer."""
        headers = {"X-CSRF-Token": self.csrf, "Origin": self.base} if method != "GET" else {}
        async with self.http.request(method, self.base + API + path, json=body, headers=headers) as answer:
            text = await answer.text()
            return answer.status, msgspec.json.decode(text) if text else None

    async def call(self, method: str, path: str, body: object = None, *, expect: int = 0) -> Any:
        """The decoded answer; fails unless the status is `expect` (default: any 2xx)."""
        status, answer = await self.ask(method, path, body)
        assert status == expect if expect else status < 300, f"{method} {path}: {status} {answer}"
        return answer

    async def get(self, path: str, *, expect: int = 0) -> Any:
        return await self.call("GET", path, expect=expect)

    async def post(self, path: str, body: object = None, *, expect: int = 0) -> Any:
        return await self.call("POST", path, body, expect=expect)

    async def sign_in(self, door: str, phone: str) -> Any:
        device = {"id": f"device-{phone}", "name": "test"}
        signed = await self.post(f"/{door}/login", {"phone": phone, "password": PASSWORD, "device": device})
        self.csrf = signed["csrf_token"]
        return signed

    async def ticket(self, door: str) -> str:
        return (await self.post(f"/{door}/ws-ticket"))["ticket"]


class House:
    """Nodes, the simulator, and what was put on sale."""

    def __init__(
        self, nodes: list[product.App], bases: list[str], sandbox: Sandbox, phone: str, push: SimulatedPushService
    ) -> None:
        self.push = push
        self.nodes = nodes
        self.bases = bases
        self.sandbox = sandbox
        self.phone = phone
        self.shop_id = ""
        self.till_id = ""
        self.sku_ids: list[str] = []

    def client(self, node: int = 0) -> Client:
        return Client(self.bases[node])

    async def phone_api(self, method: str, path: str, body: object = None) -> Any:
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, f"{self.phone}/phone/api{path}", json=body) as answer,
        ):
            assert answer.ok, await answer.text()
            return await answer.json()

    async def findings(self) -> list[str]:
        """What fsck says, after all that is due was delivered."""
        await self.nodes[0].dispatcher.drain()
        report = await examine(self.nodes[0].foundation.db, product.CHECKS)
        return [f"{one.check} {one.object_id}: expected {one.expected}, found {one.found}" for one in report.findings]


@asynccontextmanager
async def house(mongo: MongoSettings, folder: Path, *, redis_url: str = "", nodes: int = 1) -> AsyncGenerator[House]:
    """Start everything, furnish it, stop everything."""
    async with AsyncExitStack() as stack:
        sandbox = Sandbox(folder / "sandbox", Clock(), production=False, notice_speed=20)
        merchant = sandbox.merchant("1900000109", "wxd678efh567hg6787", "八爪鱼生活")
        gateway = await sandbox.start("127.0.0.1", 0)
        stack.push_async_callback(sandbox.stop)
        push = SimulatedPushService(Clock(), production=False)
        push_url = await push.start("127.0.0.1", 0)
        stack.push_async_callback(push.stop)
        ports = [free_port() for _ in range(nodes)]
        bases = [f"http://127.0.0.1:{port}" for port in ports]
        notify = f"{bases[-1]}{API}{notice_path(DEFAULT_ACCOUNT)}"
        apps: list[product.App] = []
        for port in ports:
            settings = Settings(
                mode="test",
                data_dir=str(folder),
                mongo=mongo,
                redis=RedisSettings(url=redis_url),
                http=HttpSettings(port=port),
                wechat={DEFAULT_ACCOUNT: sandbox.settings(merchant, gateway, notify)},
                sandbox=SandboxSettings(url=gateway),
                push=PushSettings(sandbox_url=push_url, grace_s=1),
            )
            one = await stack.enter_async_context(product.running(settings))
            serving = runner(one.web)
            await serving.setup()
            stack.push_async_callback(serving.cleanup)
            await web.TCPSite(serving, "127.0.0.1", port).start()
            apps.append(one)
        built = House(apps, bases, sandbox, gateway, push)
        await furnish(built)
        yield built


async def furnish(built: House) -> None:
    """A certified shop with a branch and a till, a drink in two sizes, one person for each role, two buyers."""
    app = built.nodes[0]
    ids, now, commerce = app.foundation.ids, app.foundation.clock.now(), app.commerce
    place = point(120.155, 30.274)
    merchant = Merchant(id=ids.new("M"), name="八爪鱼生活", self_run=False, created_at=now)
    shop = Shop(
        id=ids.new("S"),
        merchant_id=merchant.id,
        name="豆芽咖啡",
        city="杭州",
        certification=Certification.CERTIFIED,
        self_run=False,
        open=True,
        address="西湖区武林路 1 号",
        point=place,
        gcj=to_gcj(place),
        hours="09:00-21:00",
        phone="0571-88880000",
        notice="",
        score_tenths=48,
        picture=ShopPicture(seed="豆芽", hue=20),
        created_at=now,
    )
    branch = Branch(
        id=ids.new("B"),
        shop_id=shop.id,
        merchant_id=merchant.id,
        name="武林店",
        certification=Certification.CERTIFIED,
        address=shop.address,
        point=place,
        gcj=shop.gcj,
        hours=shop.hours,
        phone=shop.phone,
    )
    till = Till(id=ids.new("T"), shop_id=shop.id, merchant_id=merchant.id, branch_id=branch.id, name="一号收银台")
    await commerce.shops.add(merchant, shop, [branch], [till])
    built.shop_id, built.till_id = shop.id, till.id
    await _put_on_sale(built, shop)
    roles = (Role.OWNER, Role.MANAGER, Role.CLERK, Role.CASHIER, Role.AGENT, Role.FINANCE)
    for number, role in enumerate(roles, 1):
        person = await commerce.gate.members.add(phone=f"1390000000{number}", password=PASSWORD)
        await commerce.gate.staff.give(person.id, role, shop.id)
    for number in (1, 2):
        await commerce.gate.members.add(phone=f"1380000000{number}", password=PASSWORD)


async def _put_on_sale(built: House, shop: Shop) -> None:
    app = built.nodes[0]
    ids = app.foundation.ids
    product_id = ids.new("G")
    skus = [
        Sku(id=ids.new("K"), product_id=product_id, shop_id=shop.id, spec={"杯型": cup}, price_fen=fen)
        for cup, fen in (("中杯", 1990), ("大杯", 2290))
    ]
    latte = Product(
        id=product_id,
        shop_id=shop.id,
        merchant_id=shop.merchant_id,
        title="燕麦拿铁",
        subtitle="",
        description="",
        tags=("咖啡",),
        picture=Picture(seed="拿铁", hue=30),
        specs=(Spec(name="杯型", values=("中杯", "大杯")),),
        fulfilments=(Fulfilment.IN_STORE,),
        voucher=VoucherTerms(uses_each=1),
        refundable=True,
        price_fen=1990,
        listing=Listing.LISTED,
        created_at=app.foundation.clock.now(),
    )
    await app.commerce.catalog.publish(latte, skus)
    for sku in skus:
        await app.commerce.inventory.add(
            Stock(id=sku.id, product_id=product_id, shop_id=shop.id, total=20, available=20)
        )
    built.sku_ids = [sku.id for sku in skus]
