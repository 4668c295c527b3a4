"""The whole product with people, shops and goods in it: what the matrix and the fuzzer knock at."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from octshop_rt.app import App, build
from octshop_rt.commerce.catalog.model import Fulfilment, Listing, Picture, Product, Sku, Spec, VoucherTerms
from octshop_rt.commerce.inventory.model import Stock
from octshop_rt.commerce.member import store as member_store
from octshop_rt.commerce.shop.geo import point, to_gcj
from octshop_rt.commerce.shop.model import Branch, Certification, Merchant, Shop, ShopPicture, Till
from octshop_rt.commerce.shop.staff_model import Role
from octshop_rt.core.auth import store as auth_store
from octshop_rt.core.auth.model import Audience, Buyer, Device
from octshop_rt.core.clock import Clock
from octshop_rt.core.http.server import runner
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import HttpSettings, PushSettings, SandboxSettings, Settings
from octshop_rt.im.answer import store as answer_store
from octshop_rt.im.conversation.model import Appended
from octshop_rt.im.guard import store as guard_store
from octshop_rt.im.guard.model import Flag
from octshop_rt.im.wire.fields import Body
from octshop_rt.im.wire.incoming import Send
from octshop_rt.sandbox.server import Sandbox
from tests.http.asked_back import cases
from tests.http.keeping import Keeping
from tests.http.offers import campaigns
from tests.http.parcels import browser, photo
from tests.media.recordings import mp4

PASSWORD = "correct horse"
PLACE = point(120.155, 30.274)
SHOPS = {"S1": "M1", "S2": "M1", "S3": "M2"}
BRANCHES = {"B1": "S1", "B2": "S1", "B3": "S2", "B4": "S3"}
# Persons and what they are. `expired`, `revoked` and `disabled` own shop S1, so that only their session shuts them out.
STAFF: dict[str, tuple[tuple[Role, str], ...]] = {
    "clerk": ((Role.CLERK, "S1"),),
    "cashier": ((Role.CASHIER, "S1"),),
    "agent": ((Role.AGENT, "S1"),),
    "finance": ((Role.FINANCE, "S1"),),
    "manager": ((Role.MANAGER, "S1"),),
    "owner": ((Role.OWNER, "S1"),),
    "clerk_s2": ((Role.CLERK, "S2"),),
    "owner_m2": ((Role.OWNER, "S3"),),
    "expired": ((Role.OWNER, "S1"),),
    "revoked": ((Role.OWNER, "S1"),),
    "disabled": ((Role.OWNER, "S1"),),
}
BUYERS = ("buyer_a", "buyer_b")
NATIVE: dict[str, Audience] = {
    **dict.fromkeys(BUYERS, Audience.BUYER),
    **dict.fromkeys(STAFF, Audience.STAFF),
    "admin": Audience.PLATFORM,
}
# In the order of the columns of matrix.toml.
PRINCIPALS = (
    "anonymous", "expired", "revoked", "disabled", "buyer_a", "buyer_b", "clerk", "cashier", "agent", "finance",
    "manager", "owner", "clerk_s2", "owner_m2", "admin",
)  # fmt: skip


class World:
    """A running product and the objects in it."""

    def __init__(self, app: App, sandbox: Sandbox, client: aiohttp.ClientSession, url: str) -> None:
        self.app = app
        self.sandbox = sandbox
        self.client = client
        self.url = url
        self.api = f"{url}/api/v1"
        self.people: dict[str, str] = {}
        self.phones: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        self._serial = 0
        self.keeping = Keeping(app.commerce.gate.sessions, self.token)

    @property
    def db(self) -> Database:
        return self.app.foundation.db

    def serial(self) -> int:
        """A number never given before."""
        self._serial += 1
        return self._serial

    def request_id(self) -> str:
        return f"request-{self.serial():012d}"

    async def token(self, name: str, audience: Audience) -> str:
        """A fresh bearer token of `name` for that audience, spoiled where the name says so."""
        sessions = self.app.commerce.gate.sessions
        device = Device(id="matrix-device", name="matrix", bearer=True)
        opened = await sessions.open(audience, self.people[name], device)
        if name == "revoked":
            await sessions.revoke(opened.session.id)
        if name == "expired":
            past = self.app.foundation.clock.now() - 1
            await auth_store.SESSIONS.update(
                self.db, {"_id": opened.session.id}, {"$set": {"idle_until": past, "until": past}}
            )
        return opened.token

    async def session_of(self, name: str, audience: Audience) -> str:
        """The id of a fresh session."""
        device = Device(id="other-device", name="other", bearer=True)
        opened = await self.app.commerce.gate.sessions.open(audience, self.people[name], device)
        return opened.session.id

    async def ask(
        self, method: str, path: str, *, token: str = "", body: Any = None, data: bytes | None = None, kind: str = ""
    ) -> tuple[int, bytes]:
        """Status and body."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if kind:
            headers["Content-Type"] = kind
        given: dict[str, Any] = {"json": body} if data is None else {"data": data}
        async with self.client.request(method, self.api + path, headers=headers, **given) as answer:
            return answer.status, await answer.read()

    async def must(self, name: str, method: str, path: str, body: Any = None) -> Any:
        """Ask as `name` and be answered."""
        status, text = await self.ask(method, path, token=await self.keeping.token(name, NATIVE[name]), body=body)
        assert status < 300, (method, path, status, text)
        return json.loads(text) if text else None

    # --- objects ------------------------------------------------------------------------------------------------------

    async def order(self, buyer: str, sku: str, quantity: int = 1) -> str:
        """A new unpaid order."""
        body = {
            "request_id": self.request_id(),
            "lines": [{"sku_id": self.ids[sku], "quantity": quantity}],
            "fulfilment": "in_store",
            "expected_payable_fen": 1990 * quantity,
        }
        return str((await self.must(buyer, "POST", "/buyer/orders", body))["orders"][0]["id"])

    async def payment(self, buyer: str, order_id: str) -> Any:
        """An open payment of an order."""
        body = {"request_id": self.request_id(), "order_ids": [order_id]}
        return await self.must(buyer, "POST", "/buyer/payments", body)

    async def charge(self, staff: str, shop: str, till: str) -> str:
        """A dynamic code waiting at a till; what held the till is taken away first."""
        await self.free_till(staff, shop, till)
        body = {"request_id": self.request_id(), "amount_fen": 800}
        return str((await self.must(staff, "POST", f"/shop/{shop}/tills/{till}/charges", body))["id"])

    async def free_till(self, staff: str, shop: str, till: str) -> None:
        """Nobody can pay at a till any more: it may charge."""
        for one in (await self.must(staff, "GET", f"/shop/{shop}/tills/{till}/takings"))["open"]:
            await self.must(staff, "POST", f"/shop/{shop}/tills/{till}/charges/{one['id']}/close")

    async def voucher(self, buyer: str, sku: str) -> Any:
        """Buy, pay on the simulated phone, wait for the voucher."""
        order_id = await self.order(buyer, sku)
        paying = await self.payment(buyer, order_id)
        trade = self.sandbox.bank.scanned(paying["code_url"])
        assert trade is not None
        self.sandbox.bank.decide(trade, "pay")
        for _ in range(600):
            await self.must(buyer, "GET", f"/buyer/payments/{paying['payment_id']}")
            found = (await self.must(buyer, "GET", f"/buyer/vouchers?order_id={order_id}"))["items"]
            if found:
                return found[0]
            await asyncio.sleep(0.05)
        message = "paid, and no voucher came"
        raise AssertionError(message)

    async def case(self, buyer: str, shop: str, *, queued: bool = True) -> str:
        """A fresh case of the buyer at the shop, waiting for a person; the one that was open is ended."""
        desk = self.app.care.desk
        who = Buyer(session_id="", person_id=self.people[buyer], device_id="world")
        old = await desk.arrive(who, shop, None)
        await desk.end_by_buyer(who, old.id, self.request_id())
        case = await desk.arrive(who, shop, None)
        if queued:
            await desk.ask_person(case.id, "asked", who.person_id)
        return case.id

    async def _answered(self, buyer: str, shop: str, case_id: str) -> None:
        """The welcome of the buyer's case, which is an automatic answer, and a flagged entry."""
        case = await self.app.care.desk.cases.one(case_id)
        self.ids[f"c_{buyer[-1]}"] = case.c
        for _ in range(600):
            given = await answer_store.by_client_id(self.db, case.c, f"welcome-{case_id}")
            if given is not None and given.until is None:
                break
            await asyncio.sleep(0.05)
        else:
            message = "a case was opened, and nobody was welcomed"
            raise AssertionError(message)
        self.ids[f"answer_{buyer[-1]}"] = given.id
        flag = Flag(
            id=self.app.foundation.ids.new("Z"), shop_id=shop, c=case.c, s=1, side="buyer", f=self.people[buyer],
            text="外挂", hits=("外挂",), at=self.app.foundation.clock.now(),
        )  # fmt: skip
        await guard_store.add_flag(self.db, flag)
        self.ids[f"flag_{buyer[-1]}"] = flag.id

    async def ended_case(self, buyer: str, shop: str, owner: str) -> tuple[str, str]:
        """A case that its shop's owner has served to the end, and its conversation."""
        desk = self.app.care.desk
        who = Buyer(session_id="", person_id=self.people[buyer], device_id="world")
        case = await desk.arrive(who, shop, None)
        await desk.ask_person(case.id, "asked", who.person_id)
        place = f"/shop/{shop}/desk/cases/{case.id}"
        await self.must(owner, "POST", f"{place}/accept", {"request_id": self.request_id()})
        await self.must(owner, "POST", f"{place}/end", {"request_id": self.request_id(), "resolved": True})
        return case.id, case.c

    async def insight(self) -> None:
        """An ended case, a label and a quality check of our shop, and those of another's."""
        for buyer, shop, owner in (("buyer_a", "S1", "owner"), ("buyer_b", "S3", "owner_m2")):
            which = buyer[-1]
            self.ids[f"ended_{which}"], self.ids[f"talk_{which}"] = await self.ended_case(buyer, shop, owner)
            body = {"request_id": self.request_id(), "use": "case", "name": "退款", "colour": "red"}
            self.ids[f"label_{which}"] = (await self.must(owner, "POST", f"/shop/{shop}/desk/labels", body))["id"]
            quality, now = f"/shop/{shop}/desk/quality", self.app.foundation.clock.now()
            await self.must(owner, "PUT", f"{quality}/sheet", {"items": [{"name": "一切", "points": 100}]})
            span = {"since": now - 3_600_000, "until": now + 1_000, "size": 1}
            drawn = await self.must(owner, "POST", f"{quality}/samples", {"request_id": self.request_id(), **span})
            self.ids[f"check_{which}"] = drawn["items"][0]["id"]

    async def left_message(self, buyer: str, case_id: str) -> str:
        """A message left with a case."""
        body = {"request_id": self.request_id(), "text": "请回电"}
        return str((await self.must(buyer, "POST", f"/buyer/cases/{case_id}/messages", body))["id"])

    async def quiet(self) -> None:
        """Wait until nothing that a request has set in motion is on its way."""
        while len(self.app.foundation.tasks):
            await asyncio.sleep(0.02)

    async def film(self, name: str, folder: str) -> str:
        """A film that `name` has uploaded."""
        asked = f"{folder}?kind=video&name=a.mp4&request_id={self.request_id()}"
        token = await self.token(name, NATIVE[name])
        status, body = await self.ask("POST", asked, token=token, data=mp4(), kind="video/mp4")
        assert status == 201, body
        return str(json.loads(body)["id"])

    async def file(self, buyer: str, shop_id: str | None = None) -> str:
        """A picture that `buyer` has uploaded, and sent to the shop if one is named."""
        token = await self.token(buyer, Audience.BUYER)
        asked = f"/buyer/files?kind=image&name=qr.png&request_id={self.request_id()}"
        status, body = await self.ask("POST", asked, token=token, data=photo("a file"), kind="image/png")
        assert status == 201, body
        file_id: str = json.loads(body)["id"]
        if shop_id is not None:
            who = await self.app.commerce.gate.sessions.resolve(Audience.BUYER, token, bearer=True)
            assert isinstance(who, Buyer)
            conversation = await self.app.im.conversations.open(who, shop_id, None)
            said = Send(i=1, c=conversation.id, m=self.request_id(), k="image", b=Body(file=file_id))
            outcome = await (await self.app.im.conversations.submit(who, said, ""))
            assert isinstance(outcome, Appended), outcome
        return file_id

    async def settle(self) -> None:
        """People, shops, goods, and of each kind of thing one of ours and one of somebody else's."""
        await self._shops()
        gate = self.app.commerce.gate
        for number, name in enumerate([*BUYERS, *STAFF, "admin"]):
            phone = f"138{number:08d}"
            row = await gate.members.add(phone=phone, nickname=name, password=PASSWORD, admin=name == "admin")
            self.people[name], self.phones[name] = row.id, phone
            for role, shop_id in STAFF.get(name, ()):
                await gate.staff.give(row.id, role, shop_id)
        self.ids["voucher_a"] = (await self.voucher("buyer_a", "K1"))["id"]
        voucher_b = await self.voucher("buyer_b", "K3")
        self.ids["voucher_b"] = voucher_b["id"]
        for buyer, sku in (("buyer_a", "K1"), ("buyer_b", "K3")):
            order_id = await self.order(buyer, sku)
            self.ids[f"order_{buyer[-1]}"] = order_id
            self.ids[f"payment_{buyer[-1]}"] = (await self.payment(buyer, order_id))["payment_id"]
        await self.insight()
        for buyer, shop in (("buyer_a", "S1"), ("buyer_b", "S3")):
            self.ids[f"case_{buyer[-1]}"] = case_id = await self.case(buyer, shop)
            self.ids[f"message_{buyer[-1]}"] = await self.left_message(buyer, case_id)
            await self._answered(buyer, shop, case_id)
        for person, shop in (("owner", "S1"), ("owner_m2", "S3")):
            made = await self.must(person, "POST", f"/shop/{shop}/desk/groups", {"name": "专家"})
            self.ids[f"group_{shop.lower()}"] = made["id"]
        self.ids["agent_s1"] = (await self.must("manager", "POST", "/shop/S1/desk/me/beat"))["id"]
        self.ids["charge_s1"] = await self.charge("owner", "S1", "T1")
        self.ids["charge_s3"] = await self.charge("owner_m2", "S3", "T4")
        for buyer, shop_id in (("buyer_a", "S1"), ("buyer_b", "S3")):
            self.ids[f"file_{buyer[-1]}"] = await self.file(buyer, shop_id)
        self.ids["file_unsent"] = await self.file("buyer_a")
        for buyer in BUYERS:
            self.ids[f"film{buyer.removeprefix('buyer')}"] = await self.film(buyer, "/buyer/files")
        for name in ("buyer_a", "buyer_b", "owner_m2"):
            await self.must(name, "PUT", f"/{NATIVE[name]}/push", browser(name))
        await campaigns(self)
        await cases(self)
        self.ids["film_owner"] = await self.film("owner", "/shop/S1/files")
        # Behind the doors' back: only the door's own look at the person can keep this one out.
        await member_store.set_disabled(self.db, self.people["disabled"], 1)

    async def _shops(self) -> None:
        shops, now = self.app.commerce.shops, self.app.foundation.clock.now()
        for shop_id, merchant_id in SHOPS.items():
            merchant = Merchant(id=merchant_id, name=merchant_id, self_run=False, created_at=now)
            shop = Shop(
                id=shop_id, merchant_id=merchant_id, name=f"店 {shop_id}", city="杭州",
                certification=Certification.CERTIFIED, self_run=False, open=True, address="一号", point=PLACE,
                gcj=to_gcj(PLACE), hours="9-21", phone="0571-1", notice="", score_tenths=48,
                picture=ShopPicture(seed=shop_id, hue=20), created_at=now,
            )  # fmt: skip
            branches = [
                Branch(
                    id=one, shop_id=shop_id, merchant_id=merchant_id, name=one,
                    certification=Certification.CERTIFIED, address="一号", point=PLACE, gcj=to_gcj(PLACE),
                    hours="9-21", phone="0571-1",
                )
                for one, place in BRANCHES.items()
                if place == shop_id
            ]  # fmt: skip
            tills = [
                Till(id=f"T{one.id[1:]}", shop_id=shop_id, merchant_id=merchant_id, branch_id=one.id, name="前台")
                for one in branches
            ]
            await shops.add(merchant, shop, branches, tills)
        for name, shop_id in (("K1", "S1"), ("K3", "S3")):
            await self._goods(name, shop_id)

    async def _goods(self, name: str, shop_id: str) -> None:
        ids, now = self.app.foundation.ids, self.app.foundation.clock.now()
        product_id, sku_id = ids.new("G"), ids.new("K")
        self.ids[name], self.ids[f"G{name[1:]}"] = sku_id, product_id
        sku = Sku(id=sku_id, product_id=product_id, shop_id=shop_id, spec={"杯型": "中杯"}, price_fen=1990)
        product = Product(
            id=product_id, shop_id=shop_id, merchant_id=SHOPS[shop_id], title="拿铁", subtitle="", description="",
            tags=("咖啡",), picture=Picture(seed="a", hue=30), specs=(Spec(name="杯型", values=("中杯",)),),
            fulfilments=(Fulfilment.IN_STORE,), voucher=VoucherTerms(uses_each=50), refundable=True, price_fen=1990,
            listing=Listing.LISTED, created_at=now,
        )  # fmt: skip
        await self.app.commerce.catalog.publish(product, [sku])
        stock = Stock(id=sku_id, product_id=product_id, shop_id=shop_id, total=10_000, available=10_000)
        await self.app.commerce.inventory.add(stock)


@asynccontextmanager
async def living(db: Database, folder: Path) -> AsyncGenerator[World]:
    """The product, served on a free port, with the payment simulator behind it; settled."""
    # One free port, known before the product is built: its notify_url holds it.
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    port = door.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    sandbox = Sandbox(folder / "sandbox", Clock(), production=False)
    merchant = sandbox.merchant("1900000109", "wx1900000109", "老街面馆")
    gateway = await sandbox.start("127.0.0.1", 0, deliver=False)
    wechat = sandbox.settings(merchant, gateway, f"{url}/api/v1/channel/wechat/default/notify")
    settings = Settings(
        mode="test",
        data_dir=str(folder),
        http=HttpSettings(public_url=url, port=port),
        wechat={"default": wechat},
        sandbox=SandboxSettings(url=gateway),
        push=PushSettings(services=("push.invalid",)),
    )
    app = await build(settings, db=db)
    server = runner(app.web)
    try:
        await server.setup()
        await web.SockSite(server, door).start()
        await app.start()
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
            world = World(app, sandbox, client, url)
            try:
                await world.settle()
            finally:
                # From here on nothing moves by itself: what changes was changed by a request.
                await app.dispatcher.stop()
                await app.care.stop()
            yield world
    finally:
        await server.cleanup()
        # Not app.stop(): it would stop the dispatcher a second time.
        await app.im.stop()
        await app.media.close()
        app.commerce.gate.sessions.close()
        app.commerce.gate.passwords.close()
        app.verify.pictures.close()
        await app.foundation.stop()
        await sandbox.stop()
