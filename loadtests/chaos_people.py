"""The people of the chaos trial: they lose connections, retry with the same id, and remember every answer."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from typing import Any, cast

import aiohttp
import msgspec

from octshop_rt.commerce.bill import store as bills
from octshop_rt.commerce.member.service import Members
from octshop_rt.commerce.order import store as orders
from octshop_rt.core.auth.passwords import Passwords
from octshop_rt.core.clock import Clock
from octshop_rt.core.http.routes import API
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import Settings
from octshop_rt.demo.people import PASSWORD
from octshop_rt.im.conversation import store as chats
from octshop_rt.verify import store as vouchers

GIVE_UP_SECONDS = 60
_TRANSIENT = (aiohttp.ClientError, TimeoutError, ConnectionError)


class History:
    """What the clients were told. Compared with the store at the end."""

    def __init__(self) -> None:
        self.orders: dict[str, str] = {}  # request id -> group id
        self.redemptions: dict[str, str] = {}  # request id -> redemption id
        self.charges: dict[str, str] = {}  # request id -> bill id
        self.said: dict[tuple[str, str], int] = {}  # (conversation, client id) -> seq
        self.paid: set[str] = set()
        self.count: Counter[str] = Counter()

    def words(self) -> str:
        return ", ".join(f"{value} {name}" for name, value in sorted(self.count.items()))

    def figures(self) -> dict[str, int]:
        return dict(sorted(self.count.items()))

    async def contradictions(self, settings: Settings) -> list[str]:
        """Every answer of success must be in the store, once, as it was told."""
        db = Database.connect(settings.mongo)
        found: list[str] = []
        try:
            for request_id, group_id in self.orders.items():
                rows = await orders.GROUPS.many(db, {"_id": group_id})
                if [row.request_id for row in rows] != [request_id]:
                    found.append(f"order group {group_id} was acknowledged for {request_id} and is not there")
            for request_id, redemption_id in self.redemptions.items():
                rows_used = await vouchers.REDEMPTIONS.many(db, {"_id": redemption_id})
                if [row.request_id for row in rows_used] != [request_id]:
                    found.append(f"redemption {redemption_id} was acknowledged and is not there")
            there = {row.id async for row in bills.BILLS.scan(db, {})}
            lost = set(self.charges.values()) - there
            found += [f"bill {bill_id} was acknowledged and is not there" for bill_id in sorted(lost)]
            for (c, m), seq in self.said.items():
                entries = [row async for row in chats.ENTRIES.scan(db, {"c": c}) if row.m == m]
                if [row.s for row in entries] != [seq]:
                    found.append(f"message {m} was acknowledged as {seq} and is {[row.s for row in entries]}")
        finally:
            await db.close()
        return found


class Insistent:
    """One signed-in person who asks any node until the answer is definite."""

    def __init__(self, http: aiohttp.ClientSession, origins: list[str], history: History) -> None:
        self._http = http
        self._origins = origins
        self._history = history
        self._token = ""

    async def sign_in(self, door: str, phone: str) -> None:
        device = {"id": f"chaos-{secrets.token_hex(6)}", "name": "chaos"}
        body = {"phone": phone, "password": PASSWORD, "device": device, "bearer": True}
        status, answer = await self.ask("POST", f"/{door}/login", body)
        assert status == 200, answer
        self._token = answer["token"]

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """The first definite answer: 2xx or a refusal that no retry changes."""
        pause = 0.05
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while True:
                try:
                    status, answer = await self._once(method, path, body)
                except _TRANSIENT:
                    self._history.count["retries"] += 1
                else:
                    if status < 500 and status != 429:
                        return status, answer
                    self._history.count["told to retry"] += 1
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))
                pause = min(1.0, pause * 2)

    async def _once(self, method: str, path: str, body: object) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        limit = aiohttp.ClientTimeout(total=8)
        url = random.choice(self._origins) + API + path
        async with self._http.request(method, url, json=body, headers=headers, timeout=limit) as answer:
            text = await answer.text()
            return answer.status, msgspec.json.decode(text) if text else None


async def buy_and_use(
    http: aiohttp.ClientSession,
    origins: list[str],
    gateway: str,
    settings: Settings,
    number: int,
    history: History,
    stop: asyncio.Event,
    mark: str,
) -> None:
    """A buyer and a clerk: check out, pay, show the code, write it off; each step until it is certain."""
    phone = f"188{int(mark, 16) % 100_000:05d}{number:03d}"
    await enter(settings, phone)
    buyer, clerk = Insistent(http, origins, history), Insistent(http, origins, history)
    await buyer.sign_in("buyer", phone)
    await clerk.sign_in("staff", "13900000001")
    _, page = await buyer.ask("GET", "/buyer/products")
    products = page["items"]
    while not stop.is_set():
        _, product = await buyer.ask("GET", f"/buyer/products/{random.choice(products)['id']}")
        sku = random.choice(product["skus"])
        lines = [{"sku_id": sku["id"], "quantity": 1}]
        request_id = secrets.token_hex(12)
        wish = {
            "request_id": request_id,
            "lines": lines,
            "fulfilment": "in_store",
            "expected_payable_fen": sku["price_fen"],
        }
        status, bought = await buyer.ask("POST", "/buyer/orders", wish)
        if status != 201:
            history.count["refused orders"] += 1
            await asyncio.sleep(0.5)
            continue
        history.orders[request_id] = bought["group_id"]
        history.count["orders"] += 1
        await _pay_and_use(buyer, clerk, http, gateway, bought["orders"][0], history)
        await asyncio.sleep(random.uniform(0.1, 1.0))


async def _pay_and_use(
    buyer: Insistent,
    clerk: Insistent,
    http: aiohttp.ClientSession,
    gateway: str,
    order: dict[str, Any],
    history: History,
) -> None:
    opened: dict[str, Any] = {}
    async with asyncio.timeout(GIVE_UP_SECONDS):
        wish = {"request_id": secrets.token_hex(12), "order_ids": [order["id"]]}
        while not opened.get("code_url"):
            status, opened = await buyer.ask("POST", "/buyer/payments", wish)
            assert status == 201, opened
        decision = {"code_url": opened["code_url"], "decision": "pay"}
        async with http.post(f"{gateway}/phone/api/confirm", json=decision) as answer:
            assert answer.ok, await answer.text()
        while True:
            _, seen = await buyer.ask("GET", f"/buyer/payments/{opened['payment_id']}")
            if seen["state"] == "paid":
                break
            await asyncio.sleep(0.2)
        history.paid.add(order["id"])
        history.count["paid"] += 1
        while True:
            _, page = await buyer.ask("GET", f"/buyer/vouchers?order_id={order['id']}")
            if page["items"]:
                break
            await asyncio.sleep(0.2)
        voucher = page["items"][0]
        request_id = secrets.token_hex(12)
        status, used = await clerk.ask(
            "POST",
            f"/shop/{order['shop_id']}/redemptions",
            {"request_id": request_id, "text": voucher["typed_code"], "uses": 1},
        )
    if status == 201:
        history.redemptions[request_id] = used["id"]
        history.count["written off"] += 1
    else:
        history.count[f"refused {used['code']}"] += 1


async def charge(
    http: aiohttp.ClientSession, origins: list[str], gateway: str, history: History, stop: asyncio.Event
) -> None:
    """A cashier takes payment codes; an unknown charge is asked about, never charged again."""
    cashier = Insistent(http, origins, history)
    await cashier.sign_in("staff", "13900000004")
    _, me = await cashier.ask("GET", "/staff/session")
    grant = next(one for one in me["grants"] if one["tills"])
    charges = f"/shop/{grant['shop_id']}/tills/{grant['tills'][0]['id']}/charges"
    while not stop.is_set():
        async with http.post(f"{gateway}/phone/api/payment-codes") as answer:
            code = (await answer.json())["auth_code"]
        request_id = secrets.token_hex(12)
        wish = {"request_id": request_id, "amount_fen": random.randrange(1, 30_000), "auth_code": code}
        status, made = await cashier.ask("POST", charges, wish)
        if status == 201:
            history.charges[request_id] = made["id"]
            history.count["charges"] += 1
            async with asyncio.timeout(GIVE_UP_SECONDS):
                while made["state"] in {"waiting", "paying", "unknown"}:
                    _, made = await cashier.ask("POST", f"{charges}/{made['id']}/query")
                    await asyncio.sleep(0.2)
            history.count[f"charges {made['state']}"] += 1
        else:
            history.count[f"refused {made['code']}"] += 1
        await asyncio.sleep(random.uniform(0.3, 1.0))


async def chat(http: aiohttp.ClientSession, origins: list[str], history: History, stop: asyncio.Event) -> None:
    """A buyer says numbered things to a shop over whatever node lives; each keeps its client id until it is sent."""
    buyer = Insistent(http, origins, history)
    await buyer.sign_in("buyer", "13800000001")
    _, page = await buyer.ask("GET", "/buyer/shops")
    shop_id = page["items"][0]["id"]
    waiting = ""
    while not stop.is_set() or waiting:
        try:
            _, ticket = await buyer.ask("POST", "/buyer/ws-ticket")
            url = random.choice(origins) + "/im"
            async with http.ws_connect(url, protocols=["mall.im.v1.json"], timeout=aiohttp.ClientWSTimeout()) as ws:
                await ws.send_json({"t": 1, "v": 1, "tok": ticket["ticket"], "dev": "chaos-chat"})
                c = (await _answer(ws, {"t": 17, "i": 1, "op": "open", "a": {"shop_id": shop_id}}))["d"]["c"]
                while not stop.is_set() or waiting:
                    waiting = waiting or secrets.token_hex(10)
                    body = {"text": f"message {len(history.said)}"}
                    sent = await _answer(ws, {"t": 5, "i": 2, "c": c, "m": waiting, "k": "text", "b": body})
                    if sent["t"] == 4:
                        history.said[c, waiting] = sent["s"]
                        history.count["messages"] += 1
                        waiting = ""
                    await asyncio.sleep(random.uniform(0.2, 0.4))
        except (*_TRANSIENT, KeyError, TypeError):
            history.count["reconnects"] += 1
            await asyncio.sleep(0.2)


async def _answer(ws: aiohttp.ClientWebSocketResponse, frame: dict[str, Any]) -> dict[str, Any]:
    """The answer to `frame`; ConnectionError when the socket ends first."""
    await ws.send_json(frame)
    async with asyncio.timeout(8):
        while True:
            message = await ws.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise ConnectionError
            answer: Any = msgspec.json.decode(message.data)
            frames = cast("list[dict[str, Any]]", answer if isinstance(answer, list) else [answer])
            for one in frames:
                if one.get("i") == frame["i"]:
                    return one
                if one["t"] == 29:
                    await ws.send_json({"t": 30, "n": one["n"]})


async def enter(settings: Settings, phone: str) -> None:
    """A member with the demo's password, entered through the service."""
    db = Database.connect(settings.mongo)
    passwords = Passwords()
    try:
        clock = Clock()
        await Members(db, clock, Ids(clock), passwords).add(phone=phone, password=PASSWORD)
    finally:
        passwords.close()
        await db.close()
