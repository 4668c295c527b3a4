"""The server side of the chat bench, a process of its own: a full chat node, or a bare aiohttp echo as the ceiling.

Run by im_*.py: `python -m loadtests.im_server chat|echo URI PREFIX [NODE REDIS_URL]`; prints its
port, and when it is told to stop a line of JSON with what it counted.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence

import uvloop
from aiohttp import web

from octshop_rt.core import garbage
from octshop_rt.core.auth.model import Audience, Person
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.bus_redis import RedisBus
from octshop_rt.core.clock import Clock
from octshop_rt.core.http.origin import ClientAddress, Origins
from octshop_rt.core.ids import Ids
from octshop_rt.core.metrics import Metrics
from octshop_rt.core.mongo import Database
from octshop_rt.core.redis import RedisClients
from octshop_rt.core.settings import MongoSettings
from octshop_rt.core.tasks import TaskRegistry
from octshop_rt.embedded.process import end_with_parent
from octshop_rt.im.conversation.model import Party, ShopFacts
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.hub import Hub
from octshop_rt.im.session import Policy, Rate
from octshop_rt.im.wire.outgoing import Ent
from octshop_rt.im.ws.server import ImServer

KEY = b"bench" * 8
MANY = 100  # sockets that hear an entry: from so many on it is a broadcast
_MUCH = Rate(1_000_000, 1_000_000)
# Everything is on; only the rates are raised, as an operator would for load clients.
POLICY = Policy(
    send=_MUCH, send_staff=_MUCH, signal=_MUCH, sync=_MUCH, pull=_MUCH, op=_MUCH, mark=_MUCH,
    upgrades=Rate(100_000, 100_000), unknown=100_000, unknown_per_ip=100_000,
)  # fmt: skip


class Town:
    """Any shop exists, any person lives."""

    async def person(self, _audience: Audience, person_id: str) -> Person | None:
        return Person(id=person_id, name=person_id)

    async def shop(self, shop_id: str) -> ShopFacts | None:
        return ShopFacts(id=shop_id, merchant_id="M1", name=shop_id)

    async def shop_names(self, shop_ids: Sequence[str]) -> Mapping[str, str]:
        return {one: one for one in shop_ids}

    async def known_as(self, buyer_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        return {}

    async def buyer_names(self, buyer_ids: Sequence[str]) -> Mapping[str, str]:
        return {one: one for one in buyer_ids}

    async def may_watch(self, _who: Party, _topic: str, _id: str) -> bool:
        return True


async def echo(request: web.Request) -> web.StreamResponse:
    """What comes goes back: nothing stored, nothing asked."""
    ws = web.WebSocketResponse(protocols=("mall.im.v1.msgpack",), compress=False)
    await ws.prepare(request)
    async for message in ws:
        await ws.send_bytes(message.data)
    return ws


def watch(hub: Hub, spreads: list[float]) -> None:
    """Note of each entry that goes to many the milliseconds from before the first write to after the last: the loop
    writes what was queued in a turn before it begins the next.
    """
    deliver = hub.entry

    def entry(ent: Ent, rooms: Iterable[str], skip: str = "") -> int:
        began = time.perf_counter()
        told = deliver(ent, rooms, skip)
        if told >= MANY:
            asyncio.get_running_loop().call_soon(lambda: spreads.append((time.perf_counter() - began) * 1000))
        return told

    hub.entry = entry


async def main(mode: str, uri: str, prefix: str, node: str = "bench", redis: str = "") -> None:
    app = web.Application()
    clock = Clock()
    db = Database.connect(MongoSettings(uri=uri, prefix=prefix))
    bus = RedisBus(RedisClients(redis), prefix=f"{prefix}:") if redis else LocalBus()
    if isinstance(bus, RedisBus):
        await bus.start()
    ids, town = Ids(clock), Town()
    sessions = Sessions(db=db, bus=bus, clock=clock, ids=ids, people=town, resume_key=KEY)
    im = ImServer(
        db=db, clock=clock, ids=ids, bus=bus, tasks=TaskRegistry(), sessions=sessions, directory=town,
        may_watch=town.may_watch, origins=Origins("http://bench"), address=ClientAddress(()), node=node,
        policy=POLICY, metrics=Metrics(), guard=Guard(db, clock, ids, bus, KEY),
    )  # fmt: skip
    app.router.add_get("/im", im.handle if mode == "chat" else echo)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4_096)
    await site.start()
    spreads: list[float] = []
    watch(im.hub, spreads)
    im.start()
    garbage.settle()
    print(runner.addresses[0][1], flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    appender, net = im.conversations.appender, im.conversations.net
    counted = {"clashes": appender.clashes, "caught": net.caught, "spreads": spreads}
    print(json.dumps(counted), flush=True)
    await im.stop()
    await runner.cleanup()
    if isinstance(bus, RedisBus):
        await bus.stop()
    await db.close()


if __name__ == "__main__":
    end_with_parent()
    uvloop.run(main(*sys.argv[1:]))
