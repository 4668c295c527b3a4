"""Real people behind the real doors: members, grants, sign-in, on a test clock and a running server."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from octshop_rt.commerce.api.identity import Identity
from octshop_rt.commerce.api.people import CommercePeople
from octshop_rt.commerce.member.service import Members
from octshop_rt.commerce.member.sign_in import SignIn
from octshop_rt.commerce.shop import store as shop_store
from octshop_rt.commerce.shop.model import Branch, Certification, Gcj, GeoPoint, Shop, ShopPicture, Till
from octshop_rt.commerce.shop.staff import StaffService
from octshop_rt.commerce.shop.staff_model import Role
from octshop_rt.core.auth.codes import InboxSender, LoginCodes
from octshop_rt.core.auth.passwords import Passwords
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.auth.throttle import LoginThrottle
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import TestClock
from octshop_rt.core.http.server import build_app, runner
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.ratelimit import LocalLimiter
from octshop_rt.core.settings import HttpSettings, Settings
from octshop_rt.core.tasks import TaskRegistry

OWN = {"Origin": "http://shop.test"}
PASSWORD = "correct horse"
BUYER_PHONE = "13800000001"
STAFF_PHONE = "13800000002"
ADMIN_PHONE = "13800000003"
POINT = GeoPoint(coordinates=(121.47, 31.23))


class Town:
    """The parts, wired as the product wires them."""

    def __init__(self, db: Database, clock: TestClock) -> None:
        ids = Ids(clock)
        self.db = db
        self.clock = clock
        self.bus = LocalBus()
        self.tasks = TaskRegistry()
        self.passwords = Passwords()
        self.members = Members(db, clock, ids, self.passwords)
        self.staff = StaffService(db, clock, ids)
        people = CommercePeople(self.members, self.staff)
        self.sessions = Sessions(db=db, bus=self.bus, clock=clock, ids=ids, people=people, resume_key=b"r" * 32)
        self.members.on_disabled(self.sessions.revoke_person)
        self.staff.on_change(self.sessions.rights_changed)
        self.limiter = LocalLimiter(clock)
        self.inbox = InboxSender(clock)
        self.throttle = LoginThrottle(db=db, clock=clock, limiter=self.limiter)
        self.codes = LoginCodes(
            db=db, clock=clock, limiter=self.limiter, sender=self.inbox, key=b"c" * 32, tasks=self.tasks
        )
        self.sign_in = SignIn(
            members=self.members,
            people=people,
            sessions=self.sessions,
            passwords=self.passwords,
            throttle=self.throttle,
            codes=self.codes,
        )
        identity = Identity(sign_in=self.sign_in, sessions=self.sessions, members=self.members, staff=self.staff)
        self.app = build_app(
            identity.routes(),
            sessions=self.sessions,
            settings=Settings(mode="test", http=HttpSettings(public_url="http://shop.test", proxies=("127.0.0.1/32",))),
            limiter=self.limiter,
            tasks=self.tasks,
            ids=ids,
        )
        self.api = ""
        self.client: Any = None

    async def settle(self) -> None:
        """A shop with two branches, an owner, an admin."""
        for shop_id in ("S1", "S2"):
            await shop_store.add_shop(self.db, shop(shop_id))
        for branch_id in ("B1", "B2"):
            await shop_store.add_branch(self.db, branch(branch_id))
            await shop_store.add_till(
                self.db, Till(id=f"T{branch_id}", shop_id="S1", merchant_id="M1", branch_id=branch_id, name="前台")
            )
        person = await self.members.add(phone=STAFF_PHONE, nickname="林", password=PASSWORD)
        self.staff_id = person.id
        await self.staff.give(person.id, Role.CLERK, "S1", branch_id="B1")
        await self.staff.give(person.id, Role.AGENT, "S1")
        self.admin_id = (await self.members.add(phone=ADMIN_PHONE, password=PASSWORD, admin=True)).id
        self.buyer_id = (await self.members.add(phone=BUYER_PHONE, password=PASSWORD)).id

    async def ask(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, ip: str = "192.0.2.1"
    ) -> tuple[int, Any, Any]:
        """Status, body, headers."""
        given = {"X-Forwarded-For": ip, **(headers or {})}
        async with self.client.request(method, self.api + path, json=body, headers=given) as answer:
            text = await answer.read()
            return answer.status, (await answer.json(content_type=None)) if text else None, answer.headers

    async def login(self, folder: str, **proof: Any) -> tuple[int, Any, Any]:
        """Sign in with a bearer token by default."""
        ip = proof.pop("ip", "192.0.2.1")
        device = {"id": proof.pop("device", "device-0001"), "name": "test"}
        body = {"device": device, "bearer": True, **proof}
        return await self.ask("POST", f"/{folder}/login", body, ip=ip)

    async def code(self, phone: str, folder: str = "buyer") -> str:
        """Ask for a code and read it from the inbox."""
        status, _, _ = await self.ask("POST", f"/{folder}/login-codes", {"phone": phone})
        assert status == 204
        await self.tasks.drain(seconds=1)
        return self.inbox.messages(phone)[0].code


def shop(shop_id: str, merchant_id: str = "M1") -> Shop:
    """A shop."""
    return Shop(
        id=shop_id, merchant_id=merchant_id, name="老街面馆", city="上海", certification=Certification.CERTIFIED,
        self_run=False, open=True, address="一号", point=POINT, gcj=Gcj(lng=121.4, lat=31.2), hours="9-21",
        phone="021-1", notice="", score_tenths=48, picture=ShopPicture(seed="a", hue=1), created_at=1,
    )  # fmt: skip


def branch(branch_id: str, shop_id: str = "S1", merchant_id: str = "M1") -> Branch:
    """A branch."""
    return Branch(
        id=branch_id, shop_id=shop_id, merchant_id=merchant_id, name="店", certification=Certification.CERTIFIED,
        address="一号", point=POINT, gcj=Gcj(lng=121.4, lat=31.2), hours="9-21", phone="021-1",
    )  # fmt: skip


@asynccontextmanager
async def living(db: Database, clock: TestClock) -> AsyncGenerator[Town]:
    """The town, settled and served."""
    town = Town(db, clock)
    await town.settle()
    server = runner(town.app)
    await server.setup()
    site = web.TCPSite(server, "127.0.0.1", 0)
    await site.start()
    town.api = f"http://127.0.0.1:{site.port}/api/v1"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        town.client = client
        yield town
    await town.tasks.drain(seconds=2)
    await server.cleanup()
    town.sessions.close()
    town.passwords.close()
