"""A desk engine without sockets, in this process or (`python -m loadtests.desk_node URI PREFIX`) in one of its own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence

import structlog
import uvloop

from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import Clock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from octshop_rt.core.tasks import TaskRegistry
from octshop_rt.embedded.process import end_with_parent
from octshop_rt.im.conversation.model import ShopFacts
from octshop_rt.im.conversation.service import Conversations
from octshop_rt.im.desk.model import Card
from octshop_rt.im.desk.service import Desk
from octshop_rt.im.hub import Hub
from octshop_rt.im.routing import Router
from octshop_rt.im.wire.fields import Context

SHOP = "S1"
CAP = 40


class Nobody:
    """A town in which there is nothing but the shop."""

    async def shop(self, shop_id: str) -> ShopFacts | None:
        return ShopFacts(id=shop_id, merchant_id="M1", name=shop_id)

    async def shop_names(self, shop_ids: Sequence[str]) -> Mapping[str, str]:
        return {one: one for one in shop_ids}

    async def buyer_names(self, buyer_ids: Sequence[str]) -> Mapping[str, str]:
        return {one: one for one in buyer_ids}

    async def names(self, person_ids: Sequence[str]) -> Mapping[str, str]:
        return {one: one for one in person_ids}

    async def card(self, buyer_id: str, shop_id: str, ctx: Context) -> Card | None:
        return None

    async def level(self, buyer_id: str, shop_id: str) -> int:
        return 0


@contextlib.asynccontextmanager
async def desk_node(db: Database, clock: Clock, around: Nobody) -> AsyncGenerator[tuple[Desk, Conversations]]:
    """The engine at work, with everything an assignment sets in motion: log entries, notices, places told."""
    bus, tasks, ids = LocalBus(), TaskRegistry(), Ids(clock)
    chat = Conversations(db, clock, ids, bus, Router(bus, Hub(), ids.new("Z")), around)
    desk = Desk(
        db=db, clock=clock, ids=ids, bus=bus, tasks=tasks, conversations=chat, around=around, connected=set[str]
    )  # fmt: skip
    chat.start(lambda _: None)
    desk.start()
    try:
        yield desk, chat
    finally:
        await desk.stop()
        await tasks.drain(seconds=20)
        await chat.stop()


async def main(uri: str, prefix: str) -> None:
    db = Database.connect(MongoSettings(uri=uri, prefix=prefix))
    async with desk_node(db, Clock(), Nobody()):
        print("ready", flush=True)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
    await db.close()


if __name__ == "__main__":
    end_with_parent()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(main(sys.argv[1], sys.argv[2]))
