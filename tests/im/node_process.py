"""A chat node as a process of its own, to be killed. Arguments: MongoDB URI, prefix, Redis URL, port, name."""

from __future__ import annotations

import asyncio
import signal
import sys

import uvloop

from octshop_rt.core.bus_redis import RedisBus
from octshop_rt.core.clock import Clock
from octshop_rt.core.mongo import Database
from octshop_rt.core.redis import RedisClients
from octshop_rt.core.settings import MongoSettings
from octshop_rt.im.conversation.net import Mesh
from tests.im.kit import FAST, Node, Town


def town() -> Town:
    """The same in every process: shop S1 with agents 0…9."""
    town = Town()
    town.open_shop("S1", *(f"agent-{n}" for n in range(10)))
    return town


async def main(uri: str, prefix: str, redis: str, port: int, name: str) -> None:
    db = Database.connect(MongoSettings(uri=uri, prefix=prefix))
    bus = RedisBus(RedisClients(redis))
    await bus.start()
    node = Node(db, town(), bus, name, FAST, Mesh(period_s=1, overlap_s=10), Clock())
    await node.start(port)
    print(f"listening on {node.port}", flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await node.stop()
    await bus.stop()
    await db.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]))
