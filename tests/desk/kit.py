"""A town with shops and people, and desks on nodes of their own: the engine without sockets, on a real MongoDB."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

from octshop_rt.core.auth.model import Buyer, Grant, Right, ShopStaff, Staff
from octshop_rt.core.bus import Bus, LocalBus
from octshop_rt.core.clock import Clock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.tasks import TaskRegistry
from octshop_rt.im.conversation.model import Appended, Party, ShopFacts
from octshop_rt.im.conversation.net import Mesh
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.desk import store
from octshop_rt.im.desk.handover import Handover
from octshop_rt.im.desk.model import PLATFORM_SHOP, Agent, Card, Case
from octshop_rt.im.desk.service import Desk
from octshop_rt.im.hub import Hub
from octshop_rt.im.routing import Router
from octshop_rt.im.wire.fields import Body, Context
from octshop_rt.im.wire.incoming import Send

SHOP = "S1"
RIGHTS = frozenset({Right.CHAT})
MANAGER = frozenset({Right.CHAT, Right.MANAGE})


class Town:
    """What commerce would tell chat and desk."""

    def __init__(self) -> None:
        self.shops = {one: ShopFacts(id=one, merchant_id="M1", name=f"店 {one}") for one in (SHOP, "S2", PLATFORM_SHOP)}
        self.cards: dict[str, Card] = {}
        self.levels: dict[str, int] = {}

    async def shop(self, shop_id: str) -> ShopFacts | None:
        return self.shops.get(shop_id)

    async def shop_names(self, shop_ids: Sequence[str]) -> Mapping[str, str]:
        return {one: self.shops[one].name for one in shop_ids if one in self.shops}

    async def buyer_names(self, buyer_ids: Sequence[str]) -> Mapping[str, str]:
        return {one: f"名 {one}" for one in buyer_ids}

    async def known_as(self, buyer_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        return {}

    async def names(self, person_ids: Sequence[str]) -> Mapping[str, str]:
        return await self.buyer_names(person_ids)

    async def card(self, buyer_id: str, shop_id: str, ctx: Context) -> Card | None:
        return self.cards.get(ctx.id)

    async def level(self, buyer_id: str, shop_id: str) -> int:
        return self.levels.get(buyer_id, 0)


class Node:
    """One process's share of chat and desk."""

    def __init__(self, db: Database, clock: Clock, bus: Bus, town: Town, name: str) -> None:
        self.db = db
        self.clock = clock
        self.ids = Ids(clock)
        self.tasks = TaskRegistry()
        self.connected: set[str] = set()
        self.hub = Hub()
        self.conversations = Conversations(
            db, clock, self.ids, bus, Router(bus, self.hub, name), town, mesh=Mesh(period_s=600)
        )
        self.desk = Desk(
            db=db, clock=clock, ids=self.ids, bus=bus, tasks=self.tasks, conversations=self.conversations, around=town,
            connected=lambda: self.connected,
        )  # fmt: skip
        self.handover = Handover(db, clock, self.desk, self.conversations)
        self._numbers = itertools.count(1)

    def request_id(self) -> str:
        return f"request-{id(self)}-{next(self._numbers):08d}"

    async def says(self, who: Party, c: str, text: str = "您好") -> Appended:
        """A person speaks, as over a socket."""
        frame = Send(i=1, c=c, m=self.ids.new("Z"), k="text", b=Body(text=text))
        outcome = await (await self.conversations.submit(who, frame, ""))
        assert isinstance(outcome, Appended), outcome
        return outcome

    async def asks(self, buyer_id: str, shop_id: str = SHOP, text: str = "在吗") -> Case:
        """A buyer opens the chat of a shop and says a word; the case as soon as the desk has heard it."""
        conversation = await self.conversations.open(buyer(buyer_id), shop_id, None)
        said = await self.says(buyer(buyer_id), conversation.id, text)
        return await self.case_when(conversation.id, lambda case: case.buyer_s >= said.entry.s and case.state != "new")

    async def case_when(self, c: str, true: Callable[[Case], bool], seconds: float = 20) -> Case:
        """The newest case of a conversation, once `true` of it."""
        async with asyncio.timeout(seconds):
            while (case := await store.newest_case(self.db, c)) is None or not true(case):
                await asyncio.sleep(0.01)
        return case

    async def sits(self, person_id: str, shop_id: str = SHOP, *, cap: int | None = None) -> Agent:
        """An agent opens the desk: there and online."""
        agent = await self.desk.attendance.beat(at(person_id, shop_id))
        if cap is not None:
            agent = await self.desk.office.arrange(shop_id, agent.id, cap=cap, groups=None, skills=None)
        return agent

    async def quiet(self) -> None:
        """Wait until nothing is on its way."""
        while len(self.tasks):
            await asyncio.sleep(0.01)


def buyer(person_id: str) -> Buyer:
    return Buyer(session_id=f"N-{person_id}", person_id=person_id, device_id="dev")


def at(person_id: str, shop_id: str = SHOP, rights: frozenset[Right] = RIGHTS) -> ShopStaff:
    return ShopStaff(
        session_id=f"N-{person_id}", person_id=person_id, name=f"名 {person_id}", merchant_id="M1", shop_id=shop_id,
        branch_id=None, rights=rights,
    )  # fmt: skip


def staff(person_id: str, *shop_ids: str, rights: frozenset[Right] = RIGHTS) -> Staff:
    grants = tuple(Grant(merchant_id="M1", shop_id=one, role="agent", rights=rights) for one in shop_ids or (SHOP,))
    return Staff(
        session_id=f"N-{person_id}", person_id=person_id, name=f"名 {person_id}", device_id="dev", grants=grants
    )


@contextlib.asynccontextmanager
async def node(
    db: Database, clock: Clock, *, bus: Bus | None = None, town: Town | None = None, name: str = "a", works: bool = True
) -> AsyncGenerator[Node]:
    """A node that listens; with `works` its engine runs by itself, else the test turns it."""
    one = Node(db, clock, bus or LocalBus(), town or Town(), name)
    one.conversations.start(lambda _arrival: None)
    if works:
        one.desk.start()
    try:
        yield one
    finally:
        await one.desk.stop()
        await one.conversations.stop()
        await one.tasks.drain(seconds=5)
