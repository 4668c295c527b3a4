"""A node with conversations and their guard, without sockets: what tests of guard and answers stand on."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence

import pytest

from octshop_rt.core.auth.model import Admin, Buyer, Grant, Right, Staff
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import TestClock
from octshop_rt.core.errors import DomainError
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store as log_store
from octshop_rt.im.conversation.model import Appended, ShopFacts
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.guard.model import FloodRules, Whereabouts
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.guard.staff import GuardDesk
from octshop_rt.im.hub import Hub
from octshop_rt.im.routing import Router
from octshop_rt.im.wire.fields import Body
from octshop_rt.im.wire.incoming import Send

SHOP = "S1"
BUYER = Buyer(session_id="N1", person_id="U1", device_id="d")
RIGHTS = frozenset({Right.CHAT, Right.MANAGE})
AGENT = Staff(
    session_id="N2", person_id="U2", name="小林", device_id="d",
    grants=(Grant(merchant_id="M1", shop_id=SHOP, role="manager", rights=RIGHTS),),
)  # fmt: skip
MANAGER = AGENT.at(SHOP)
ADMIN = Admin(session_id="N3", person_id="U3", name="平台")
KEY = b"k" * 32
OPEN = FloodRules(burst=0, repeats=0)


class Town:
    """The shops chat asks for."""

    async def shop(self, shop_id: str) -> ShopFacts | None:
        return ShopFacts(id=shop_id, merchant_id="M1", name=shop_id)

    async def shop_names(self, shop_ids: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(shop_ids, "店")

    async def buyer_names(self, buyer_ids: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(buyer_ids, "顾客")

    async def known_as(self, buyer_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        return {}


class Node:
    """One node's conversations with its guard."""

    def __init__(self, db: Database, clock: TestClock, ids: Ids, bus: LocalBus, name: str) -> None:
        self.db, self.clock = db, clock
        self.guard = Guard(db, clock, ids, bus, KEY)
        self.hub = Hub()
        self.said = Conversations(db, clock, ids, bus, Router(bus, self.hub, name), Town(), guard=self.guard)

        async def spoken(shop_id: str, buyer_id: str) -> bool:
            return await log_store.between(db, buyer_id, shop_id) is not None

        self.desk = GuardDesk(db, clock, ids, bus, KEY, have_spoken=spoken, seen=self._seen)
        self.seen: dict[str, list[Whereabouts]] = {}
        self.c = ""

    async def _seen(self, buyer_id: str) -> list[Whereabouts]:
        return self.seen.get(buyer_id, [])

    async def say(
        self, text: str, m: str, who: Buyer | Staff = BUYER, body: Body | None = None, k: str = "text"
    ) -> Appended:
        frame = Send(i=1, c=self.c, m=m, k=k, b=body or Body(text=text))  # type: ignore[arg-type]
        outcome = await (await self.said.submit(who, frame, "link"))
        if isinstance(outcome, DomainError):
            raise outcome
        return outcome

    async def refused(self, refusal: type[DomainError], text: str, who: Buyer | Staff = BUYER) -> DomainError:
        before = await log_store.tail(self.db, self.c)
        with pytest.raises(refusal) as told:
            await self.say(text, f"refused-{text}"[:30].ljust(16, "x"), who)
        assert await log_store.tail(self.db, self.c) == before
        return told.value


@contextlib.asynccontextmanager
async def living(db: Database, clock: TestClock, ids: Ids, bus: LocalBus, name: str) -> AsyncGenerator[Node]:
    node = Node(db, clock, ids, bus, name)
    node.said.start(lambda _: None)
    node.c = (await node.said.open(BUYER, SHOP, None)).id
    try:
        yield node
    finally:
        await node.said.stop()
