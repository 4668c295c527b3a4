"""A chat node on a real port, and a client made of `websockets` and `msgpack`: nothing of ours on the client's side."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import msgpack
import websockets
from aiohttp import web

from octshop_rt.core.auth.model import Audience, Buyer, Device, Grant, Person, Right, Staff
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.bus import Bus, LocalBus
from octshop_rt.core.clock import Clock
from octshop_rt.core.http.origin import ClientAddress, Origins
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import Outbox
from octshop_rt.core.tasks import TaskRegistry
from octshop_rt.im.conversation.model import Conversation, Party, ShopFacts
from octshop_rt.im.conversation.net import Mesh
from octshop_rt.im.media.objects import GridFs
from octshop_rt.im.media.service import Media
from octshop_rt.im.poll.server import Polls
from octshop_rt.im.session import Policy, Rate
from octshop_rt.im.wire.fields import Body, CardKind, Context
from octshop_rt.im.ws.server import ImServer
from tests.im.frames import packed

FAST = Policy(
    send=Rate(10_000, 10_000), send_staff=Rate(10_000, 10_000), mark=Rate(10_000, 10_000), pull=Rate(1_000, 1_000),
    sync=Rate(1_000, 1_000), op=Rate(1_000, 1_000), signal=Rate(1_000, 1_000), window=1_000,
)  # fmt: skip
OWN = "http://shop.test"


class Town:
    """Who lives and trades here: what the commerce wing would tell chat and sign-in."""

    def __init__(self) -> None:
        self.shops: dict[str, ShopFacts] = {}
        self.grants: dict[str, tuple[Grant, ...]] = {}
        self.gone: set[str] = set()
        self.same: list[tuple[str, ...]] = []  # ids of one human being, the member's first
        self.watchable: set[tuple[str, str, str]] = set()
        self.things: dict[tuple[str, str], Body] = {}  # {(kind, id): what its owner says of it now}

    def open_shop(self, shop_id: str, *staff: str, rights: frozenset[Right] = frozenset({Right.CHAT})) -> str:
        self.shops[shop_id] = ShopFacts(id=shop_id, merchant_id="M1", name=f"店 {shop_id}")
        for person in staff:
            self.hire(person, shop_id, rights)
        return shop_id

    def hire(self, person: str, shop_id: str, rights: frozenset[Right] = frozenset({Right.CHAT})) -> None:
        grant = Grant(merchant_id="M1", shop_id=shop_id, role="agent", rights=rights)
        self.grants[person] = (*self.grants.get(person, ()), grant)

    async def person(self, audience: Audience, person_id: str) -> Person | None:
        if person_id in self.gone:
            return None
        grants = self.grants.get(person_id, ()) if audience is Audience.STAFF else ()
        if any(person_id in ids[1:] for ids in self.same):
            return None
        was = next((ids[1:] for ids in self.same if ids[0] == person_id), ())
        return Person(id=person_id, name=person_id, grants=grants, admin=audience is Audience.PLATFORM, was=was)

    async def shop(self, shop_id: str) -> ShopFacts | None:
        return self.shops.get(shop_id)

    async def shop_names(self, shop_ids: Sequence[str]) -> Mapping[str, str]:
        return {one: self.shops[one].name for one in shop_ids if one in self.shops}

    async def buyer_names(self, buyer_ids: Sequence[str]) -> Mapping[str, str]:
        return {one: f"顾客 {one}" for one in buyer_ids}

    async def card(self, who: Party, conversation: Conversation, kind: CardKind, thing_id: str) -> Body | None:
        return self.things.get((kind, thing_id))

    async def about(self, buyer_id: str, shop_id: str, ctx: Context) -> Context | None:
        thing = self.things.get((ctx.k, ctx.id)) if ctx.k in {"product", "order", "aftersale"} else None
        return None if thing is None else Context(k=ctx.k, id=ctx.id, title=thing.title)

    async def known_as(self, buyer_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        return {one: ids for ids in self.same for one in ids if one in buyer_ids}

    async def may_watch(self, who: Party, topic: str, object_id: str) -> bool:
        return (who.person_id, topic, object_id) in self.watchable


class Node:
    """One chat node listening on a port of its own."""

    def __init__(self, db: Database, town: Town, bus: Bus, name: str, policy: Policy, mesh: Mesh, clock: Clock) -> None:
        self.ids = Ids(clock)
        self.media = Media(db, clock, self.ids, Outbox(clock, self.ids), GridFs(db, clock))
        self.town = town
        self.bus = bus
        self.tasks = TaskRegistry()
        self.sessions = Sessions(db=db, bus=bus, clock=clock, ids=self.ids, people=town, resume_key=b"k" * 32)
        self.im = ImServer(
            db=db, clock=clock, ids=self.ids, bus=bus, tasks=self.tasks, sessions=self.sessions, directory=town,
            may_watch=town.may_watch, origins=Origins(OWN), address=ClientAddress(()), node=name, policy=policy,
            mesh=mesh, media=self.media, cards=town,
        )  # fmt: skip
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        app = web.Application()
        app.router.add_get("/im", self.im.handle)
        Polls(self.im, origins=Origins(OWN), address=ClientAddress(())).install(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.im.start()

    async def stop(self) -> None:
        await self.im.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        await self.tasks.drain(seconds=2)
        await self.media.close()
        self.sessions.close()

    async def ticket(self, person: str, *, staff: bool = False, device: str = "dev-1") -> str:
        """Sign `person` in and get a ticket for a socket, as POST /ws-ticket would give it."""
        audience = Audience.STAFF if staff else Audience.BUYER
        opened = await self.sessions.open(audience, person, Device(id=device, name="test"))
        who = await self.sessions.by_session(opened.session.id)
        assert isinstance(who, Buyer | Staff)
        return (await self.sessions.ticket(who)).ticket


@contextlib.asynccontextmanager
async def running(
    db: Database,
    town: Town,
    *,
    bus: Bus | None = None,
    name: str = "a",
    policy: Policy = FAST,
    mesh: Mesh | None = None,
    clock: Clock | None = None,
) -> AsyncGenerator[Node]:
    node = Node(db, town, bus or LocalBus(), name, policy, mesh or Mesh(), clock or Clock())
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


def client_id() -> str:
    return secrets.token_hex(10)


class Closed(Exception):
    """The server closed: `code` says why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code


class Client:
    """One socket. Frames are plain dicts; what arrives is sorted into answers (by `i`), the log, and the rest."""

    def __init__(self, encoding: str = "msgpack") -> None:
        self.encoding = encoding
        self.ws: websockets.ClientConnection | None = None
        self.welcome: dict[str, Any] = {}
        self.log: dict[str, dict[int, dict[str, Any]]] = {}  # {conversation: {seq: entry}}: what a person would see
        self.others: list[dict[str, Any]] = []
        self.ents_received = 0
        self.last_ping: dict[str, Any] = {}
        self.closed: Closed | None = None
        self.auto_pong = True
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._news = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None

    async def connect(self, port: int, **options: Any) -> Client:
        self.ws = await websockets.connect(
            f"ws://127.0.0.1:{port}/im",
            subprotocols=[websockets.Subprotocol(f"mall.im.v1.{self.encoding}")],
            compression=None, ping_interval=None, max_size=2**22, close_timeout=1, open_timeout=10, **options,
        )  # fmt: skip
        return self

    async def hello(self, tok: str, dev: str | None = None, **more: Any) -> Client:
        await self.raw({"t": 1, "v": 1, "tok": tok, "dev": dev or client_id(), **more})
        first = await self._next()
        assert first["t"] == 2, first
        self.welcome = first
        self._reader = asyncio.create_task(self._read())
        return self

    # --- frames -------------------------------------------------------------------------------------------------------

    async def raw(self, frame: Any) -> None:
        assert self.ws is not None
        await self.ws.send(json.dumps(frame) if self.encoding == "json" else packed(frame))

    async def ask(self, frame: dict[str, Any], seconds: float = 10) -> dict[str, Any]:
        """Send with a fresh `i` and wait for the answer, whatever it is."""
        i = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[i] = answer
        try:
            await self.raw({**frame, "i": i})
            return await asyncio.wait_for(answer, seconds)
        except websockets.ConnectionClosed as end:
            raise _closed(end) from None
        finally:
            self._answers.pop(i, None)

    async def open(self, shop_id: str, **args: Any) -> str:
        answer = await self.ask({"t": 17, "op": "open", "a": {"shop_id": shop_id, **args}})
        assert answer["t"] == 27, answer
        return str(answer["d"]["c"])

    async def say(self, c: str, text: str, m: str | None = None, **more: Any) -> dict[str, Any]:
        return await self.ask({"t": 5, "c": c, "m": m or client_id(), "k": "text", "b": {"text": text}, **more})

    async def sync(self, heads: dict[str, int] | None = None, **more: Any) -> list[dict[str, Any]]:
        """All pages of SYNC; entries go into the log."""
        found: list[dict[str, Any]] = []
        cur: dict[str, Any] = {}
        while True:
            page = await self.ask({"t": 11, "heads": heads or {}, **cur, **more})
            assert page["t"] == 25, page
            found += page["convs"]
            for conversation in page["convs"]:
                for ent in conversation.get("ents", []):
                    self._enter(ent)
            if page["done"]:
                return found
            cur = {"cur": page["cur"]}

    async def pull(self, c: str, **more: Any) -> dict[str, Any]:
        page = await self.ask({"t": 13, "c": c, **more})
        for ent in page.get("ents", []):
            self._enter(ent)
        return page

    # --- what has come ------------------------------------------------------------------------------------------------

    def texts(self, c: str) -> list[str]:
        """The conversation as displayed: by number."""
        return [ent["b"].get("text", "") for _, ent in sorted(self.log.get(c, {}).items())]

    async def until(self, true: Any, seconds: float = 5) -> None:
        """Wait until `true()` holds."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: true() or self.closed is not None)
        if not true():
            assert self.closed is not None
            raise self.closed

    async def sees(self, c: str, count: int, seconds: float = 5) -> list[str]:
        await self.until(lambda: len(self.log.get(c, {})) >= count, seconds)
        return self.texts(c)

    async def other(self, t: int, seconds: float = 5) -> dict[str, Any]:
        """The first frame of type `t` that is no answer and no entry; it is taken out."""
        await self.until(lambda: any(frame["t"] == t for frame in self.others), seconds)
        found = next(frame for frame in self.others if frame["t"] == t)
        self.others.remove(found)
        return found

    async def ended(self, seconds: float = 5) -> int:
        """Wait for the close and return its code."""
        await self.until(lambda: self.closed is not None, seconds)
        assert self.closed is not None
        return self.closed.code

    async def close(self) -> None:
        if self.ws is not None:
            await self.ws.close()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})

    def cut(self) -> None:
        """Lose the network without a word."""
        assert self.ws is not None
        self.ws.transport.abort()

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _next(self) -> dict[str, Any]:
        assert self.ws is not None
        try:
            data = await self.ws.recv()
        except websockets.ConnectionClosed as end:
            raise _closed(end) from None
        return json.loads(data) if self.encoding == "json" else msgpack.unpackb(data)

    async def _read(self) -> None:
        try:
            while True:
                frame = await self._next()
                await self._take(frame)
        except Closed as end:
            self.closed = end
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(end)
        async with self._news:
            self._news.notify_all()

    async def _take(self, frame: dict[str, Any]) -> None:
        answer = self._answers.get(frame.get("i", -1))
        if frame["t"] == 20:
            self.ents_received += 1
            self._enter(frame)
        elif frame["t"] == 29:
            self.last_ping = frame
            if self.auto_pong:
                await self.raw({"t": 30, "n": frame["n"]})
        elif answer is not None and not answer.done():
            answer.set_result(frame)
        else:
            self.others.append(frame)
        async with self._news:
            self._news.notify_all()

    def _enter(self, ent: dict[str, Any]) -> None:
        known = self.log.setdefault(ent["c"], {}).setdefault(ent["s"], ent)
        assert known["id"] == ent["id"], "two entries under one number"


def _closed(end: websockets.ConnectionClosed) -> Closed:
    return Closed(end.rcvd.code if end.rcvd else 1006, end.rcvd.reason if end.rcvd else "cut")


async def enter(
    node: Node, person: str, *, staff: bool = False, encoding: str = "msgpack", dev: str | None = None
) -> Client:
    """A signed-in client, welcomed."""
    client = await Client(encoding).connect(node.port)
    return await client.hello(await node.ticket(person, staff=staff), dev)
