"""A small town for tests of the edge: people, a few routes of every kind, a running server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import aiohttp
import msgspec
from aiohttp import web
from msgspec import Meta

from octshop_rt.core.auth.model import (
    BUYER,
    PLATFORM,
    PUBLIC,
    STAFF,
    Admin,
    Anonymous,
    Audience,
    Buyer,
    Device,
    Grant,
    Person,
    Right,
    ShopStaff,
    Staff,
    at_shop,
)
from octshop_rt.core.auth.sessions import OpenedSession, Sessions
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import Clock, TestClock
from octshop_rt.core.errors import Busy, DomainError, UnknownOutcome
from octshop_rt.core.http.routes import Call, Limit, Raw, Route
from octshop_rt.core.http.server import build_app, runner
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.ratelimit import LocalLimiter
from octshop_rt.core.settings import HttpSettings, Settings
from octshop_rt.core.tasks import TaskRegistry

SHOP = "S1"


class Word(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request."""

    text: Annotated[str, Meta(min_length=1, max_length=20)]
    count: Annotated[int, Meta(ge=0, le=100)] = 1


class Paging(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A query."""

    cursor: Annotated[str, Meta(max_length=10)] | None = None
    most: Annotated[int, Meta(ge=1, le=50)] = 20
    near: Annotated[float, Meta(ge=0)] | None = None
    tag: tuple[Annotated[str, Meta(max_length=5)], ...] = ()


class Echo(msgspec.Struct, frozen=True, kw_only=True):
    """An answer."""

    text: str
    count: int


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Who was let in, as what."""

    kind: str
    rights: list[str] = []


class SoldOut(DomainError):
    """A refusal."""

    code = "town.sold_out"
    status = 409
    zh = "只剩 {left} 件"
    en = "Only {left} left"


class Town:
    """Routes of every kind; `done` counts effects."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.gate: Any = None

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/echo", self.echo, permission=PUBLIC, body=Word, answer=Echo, summary="Echo",
                  max_body=1024),
            Route("GET", "/echo", self.page, permission=PUBLIC, query=Paging, answer=Echo, summary="A page"),
            Route("POST", "/raw", self.raw, permission=PUBLIC, body=bytes, answer=Raw, summary="Bytes",
                  takes=("image/png",), max_body=2048),
            Route("GET", "/fault/{kind}", self.fault, permission=PUBLIC, answer=Echo, errors=(SoldOut,),
                  summary="Fails"),
            Route("GET", "/buyer/me", self.buyer, permission=BUYER, answer=Seen, summary="Who"),
            Route("POST", "/buyer/words", self.write, permission=BUYER, body=Word, answer=Echo, status=201,
                  summary="Write"),
            Route("DELETE", "/buyer/words", self.drop, permission=BUYER, summary="Drop"),
            Route("POST", "/buyer/slow", self.slow, permission=BUYER, summary="Takes time"),
            Route("POST", "/buyer/rare", self.drop, permission=BUYER, summary="Rarely",
                  limit=Limit(name="rare", burst=2, per_ms=60_000)),
            Route("GET", "/staff/me", self.staff, permission=STAFF, answer=Seen, summary="Who"),
            Route("GET", "/platform/me", self.admin, permission=PLATFORM, answer=Seen, summary="Who"),
            Route("GET", "/shop/{shop_id}/me", self.shop, permission=at_shop(), answer=Seen, summary="Who"),
            Route("PUT", "/shop/{shop_id}/money", self.money, permission=at_shop(Right.FINANCE), body=Word,
                  answer=Echo, summary="Money"),
        ]  # fmt: skip

    async def echo(self, call: Call[Anonymous], body: Word) -> Echo:
        return Echo(text=body.text, count=body.count)

    async def page(self, call: Call[Anonymous]) -> Echo:
        query: Paging = call.query
        return Echo(text=",".join(query.tag) or call.ip, count=query.most)

    async def raw(self, call: Call[Anonymous], body: bytes) -> Raw:
        return Raw(body=body, content_type="image/png")

    async def fault(self, call: Call[Anonymous]) -> Echo:
        faults: dict[str, Exception] = {
            "sold_out": SoldOut(left=3),
            "busy": Busy(),
            "unknown": UnknownOutcome(),
            "bug": RuntimeError("secret 13812345678"),
            "not_found": web.HTTPNotFound(),
            "late": TimeoutError(),
        }
        raise faults[call.path["kind"]]

    async def buyer(self, call: Call[Buyer]) -> Seen:
        return Seen(kind=f"buyer {call.who.person_id}")

    async def write(self, call: Call[Buyer], body: Word) -> Echo:
        self.done.append(body.text)
        return Echo(text=body.text, count=body.count)

    async def drop(self, call: Call[Buyer]) -> None:
        self.done.append("dropped")

    async def slow(self, call: Call[Buyer]) -> None:
        await self.gate.wait()
        self.done.append("slow")

    async def staff(self, call: Call[Staff]) -> Seen:
        return Seen(kind=f"staff {call.who.person_id}")

    async def admin(self, call: Call[Admin]) -> Seen:
        return Seen(kind=f"admin {call.who.person_id}")

    async def shop(self, call: Call[ShopStaff]) -> Seen:
        return Seen(kind=f"{call.who.shop_id}", rights=sorted(call.who.rights))

    async def money(self, call: Call[ShopStaff], body: Word) -> Echo:
        self.done.append(body.text)
        return Echo(text=body.text, count=body.count)


class People:
    """Whom sessions know."""

    def __init__(self) -> None:
        grant = Grant(merchant_id="M1", shop_id=SHOP, role="finance", rights=frozenset({Right.FINANCE}))
        weak = Grant(merchant_id="M1", shop_id=SHOP, role="clerk", rights=frozenset({Right.REDEEM}))
        other = Grant(merchant_id="M1", shop_id="S2", role="finance", rights=frozenset({Right.FINANCE}))
        self.people = {
            "U1": Person(id="U1", name="Lin", admin=True),
            "Ufinance": Person(id="Ufinance", name="Fang", grants=(grant,)),
            "Uclerk": Person(id="Uclerk", name="Ke", grants=(weak,)),
            "Uother": Person(id="Uother", name="Bie", grants=(other,)),
        }

    async def person(self, audience: Audience, person_id: str) -> Person | None:
        return self.people.get(person_id)


class City:
    """A running server."""

    def __init__(self, url: str, town: Town, sessions: Sessions, tasks: TaskRegistry, client: Any, app: Any) -> None:
        self.url = url
        self.api = f"{url}/api/v1"
        self.town = town
        self.sessions = sessions
        self.tasks = tasks
        self.client: aiohttp.ClientSession = client
        self.app = app
        self.port = int(url.rsplit(":", 1)[1])

    async def open(self, audience: Audience, person_id: str, *, bearer: bool = True) -> OpenedSession:
        return await self.sessions.open(audience, person_id, Device(id="d1", name="test", bearer=bearer))

    async def bearer(self, audience: Audience, person_id: str) -> dict[str, str]:
        opened = await self.open(audience, person_id)
        return {"Authorization": f"Bearer {opened.token}"}


@asynccontextmanager
async def running(
    db: Database,
    *,
    http: HttpSettings | None = None,
    extra: Sequence[Route] = (),
    mode: Any = "test",
    still: bool = False,
) -> AsyncGenerator[City]:
    """Serve the town on a free port. With `still` no time passes for limits, however slow the machine is."""
    clock = Clock()
    ids = Ids(clock)
    bus = LocalBus()
    tasks = TaskRegistry()
    town = Town()
    sessions = Sessions(db=db, bus=bus, clock=clock, ids=ids, people=People(), resume_key=b"k" * 32)
    app = build_app(
        [*town.routes(), *extra],
        sessions=sessions,
        settings=Settings(mode=mode, http=http or HttpSettings(public_url="http://shop.test")),
        limiter=LocalLimiter(TestClock() if still else clock),
        tasks=tasks,
        ids=ids,
    )
    server = runner(app)
    await server.setup()
    site = web.TCPSite(server, "127.0.0.1", 0)
    await site.start()
    port = site.port
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        yield City(f"http://127.0.0.1:{port}", town, sessions, tasks, client, app)
    await tasks.drain(seconds=2)
    await server.cleanup()
    sessions.close()
