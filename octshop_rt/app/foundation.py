"""What every wing stands on: database, bus, limiter, secrets, one outgoing HTTP session; with Redis or its twins."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from octshop_rt.core.bus import Bus, LocalBus
from octshop_rt.core.bus_redis import RedisBus
from octshop_rt.core.clock import Clock, StoreClock
from octshop_rt.core.crypto import Secrets
from octshop_rt.core.ids import Ids
from octshop_rt.core.metrics import Metrics
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import Outbox
from octshop_rt.core.ratelimit import Limiter, LocalLimiter, RedisLimiter
from octshop_rt.core.redis import RedisClients
from octshop_rt.core.settings import Settings
from octshop_rt.core.storetime import StoreTime
from octshop_rt.core.tasks import TaskRegistry

DRAIN_SECONDS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Foundation:
    """Made once per process. `node` names the process among its peers and is new at each start."""

    settings: Settings
    secrets: Secrets
    clock: Clock
    ids: Ids
    db: Database
    bus: Bus
    redis: RedisClients | None
    limiter: Limiter
    outbox: Outbox
    tasks: TaskRegistry
    metrics: Metrics
    http: aiohttp.ClientSession
    node: str
    time: StoreTime | None  # of a clock that follows the store; a rehearsal's moves when it is told to

    async def start(self) -> None:
        """Refuse to go on without MongoDB and its time; Redis may come later."""
        await self.db.ping()
        if self.time is not None:
            await self.time.start()
        if isinstance(self.bus, RedisBus):
            await self.bus.start()

    async def stop(self) -> None:
        """Let running mutations end, then let go of everything."""
        await self.tasks.drain(seconds=DRAIN_SECONDS)
        if self.time is not None:
            await self.time.stop()
        if isinstance(self.bus, RedisBus):
            await self.bus.stop()
        if self.redis is not None:
            await self.redis.close()
        await self.http.close()
        await self.db.close()


def lay(settings: Settings, *, clock: Clock | None = None, db: Database | None = None) -> Foundation:
    """Build it. Nothing is asked of a server yet."""
    clock = clock or StoreClock()
    db = db or Database.connect(settings.mongo)
    metrics = Metrics()
    ids = Ids(clock)
    redis = RedisClients(settings.redis.url) if settings.redis.url else None
    secret_file = settings.secret_file or str(Path(settings.data_dir) / "secret")
    return Foundation(
        settings=settings,
        secrets=Secrets.load(Path(secret_file), create=not settings.production),
        clock=clock,
        ids=ids,
        db=db,
        bus=LocalBus() if redis is None else RedisBus(redis),
        redis=redis,
        limiter=LocalLimiter(clock) if redis is None else RedisLimiter(redis.once, clock),
        outbox=Outbox(clock, ids),
        tasks=TaskRegistry(),
        metrics=metrics,
        http=aiohttp.ClientSession(auto_decompress=True, trust_env=False),
        node=f"{os.uname().nodename}-{os.getpid()}-{secrets.token_hex(4)}",
        time=StoreTime(db, clock, metrics) if isinstance(clock, StoreClock) else None,
    )
