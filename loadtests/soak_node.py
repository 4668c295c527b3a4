"""A chat node for the soak, a process of its own: `python -m loadtests.soak_node URI PREFIX REDIS PORT NAME [rough]`.

SIGTERM: it drains and ends. SIGUSR1: a line of JSON with what it holds. `rough`: what it tells other nodes comes up to
half a second late, in any order, and one in twenty is lost.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import structlog
import uvloop

from octshop_rt.core.auth.model import Audience, Grant, Person, Right
from octshop_rt.core.bus import Bus, Receive, Unsubscribe
from octshop_rt.core.bus_redis import RedisBus
from octshop_rt.core.clock import Clock
from octshop_rt.core.mongo import Database
from octshop_rt.core.redis import RedisClients
from octshop_rt.core.settings import MongoSettings
from octshop_rt.im.conversation.model import ShopFacts
from octshop_rt.im.conversation.net import Mesh
from octshop_rt.im.routing import PARCELS
from tests.im.kit import FAST, Node, Town


class Anywhere(Town):
    """Any shop exists, any buyer lives, and `agent-1@S7` answers for shop S7."""

    async def person(self, audience: Audience, person_id: str) -> Person | None:
        shop = person_id.partition("@")[2]
        grant = Grant(merchant_id="M1", shop_id=shop, role="agent", rights=frozenset({Right.CHAT}))
        grants = (grant,) if audience is Audience.STAFF and shop else ()
        return Person(id=person_id, name=person_id, grants=grants)

    async def shop(self, shop_id: str) -> ShopFacts | None:
        return ShopFacts(id=shop_id, merchant_id="M1", name=shop_id)


class Rough:
    """A bus whose parcels between nodes are late, shuffled and sometimes lost."""

    def __init__(self, bus: Bus, chance: random.Random) -> None:
        self._bus = bus
        self._chance = chance
        self._late: set[asyncio.Task[None]] = set()

    async def publish(self, channel: str, payload: bytes) -> None:
        if not channel.startswith(PARCELS):
            await self._bus.publish(channel, payload)
        elif self._chance.random() >= 0.05:
            task = asyncio.get_running_loop().create_task(self._later(channel, payload))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    async def _later(self, channel: str, payload: bytes) -> None:
        await asyncio.sleep(self._chance.random() * 0.5)
        await self._bus.publish(channel, payload)

    def subscribe(self, channel: str, receive: Receive) -> Unsubscribe:
        return self._bus.subscribe(channel, receive)

    def on_gap(self, callback: Callable[[], None]) -> Unsubscribe:
        return self._bus.on_gap(callback)


async def main(uri: str, prefix: str, redis: str, port: int, name: str, *, rough: bool) -> None:
    db = Database.connect(MongoSettings(uri=uri, prefix=prefix))
    bus = RedisBus(RedisClients(redis))
    await bus.start()
    between: Bus = Rough(bus, random.Random(name)) if rough else bus
    # An hour of killing is many connections a second from one address: the limits that protect a node stay on, raised.
    node = Node(db, Anywhere(), between, name, FAST, Mesh(period_s=2, overlap_s=10), Clock())
    await node.start(port)

    def tell() -> None:
        gc.collect()
        conversations = node.im.conversations
        held = {
            "tasks": len(asyncio.all_tasks()), "connections": node.im.connections, "owing": len(node.im.owing),
            "waiting": conversations.appender.waiting, "caught": conversations.net.caught,
            "clashes": conversations.appender.clashes, "refused": conversations.appender.admission.refused,
        }  # fmt: skip
        print(json.dumps(held), flush=True)

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, tell)
    print(f"listening on {node.port}", flush=True)
    await stop.wait()
    await node.im.drain(by_ms=3_000, spread_ms=1_000)
    await node.stop()
    await bus.stop()
    await db.close()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    _, mongo_uri, mongo_prefix, redis_url, at_port, own_name, *more = sys.argv
    uvloop.run(main(mongo_uri, mongo_prefix, redis_url, int(at_port), own_name, rough="rough" in more))
