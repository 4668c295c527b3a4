"""Redis: two clients of one server, with the limits that redis-py leaves open. Nothing kept here is a truth."""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff

_CONNECT_SECONDS = 2
_ANSWER_SECONDS = 1
_MOST = 32


class RedisClients:
    """`idempotent` sends a lost command again; `once` never does (INCR, PUBLISH, scripts that are not idempotent).

    redis-py resends by default, and its pool makes connections without limit: both are said explicitly here.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.idempotent = client(url, Retry(ExponentialBackoff(cap=0.5, base=0.05), 2))
        self.once = client(url, Retry(NoBackoff(), 0))

    async def ping(self) -> None:
        """Raises redis.exceptions.RedisError if the server does not answer."""
        await self.idempotent.execute_command("PING")  # pyright: ignore[reportUnknownMemberType]  (redis-py is untyped here)

    async def close(self) -> None:
        """Let all connections go."""
        await self.idempotent.aclose()
        await self.once.aclose()


def client(url: str, retry: Retry, *, most: int = _MOST) -> Redis:
    """A client with a bounded pool; waiting for a connection or an answer ends after a second."""
    pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]  (redis-py is untyped here)
        url,
        max_connections=most,
        timeout=_ANSWER_SECONDS,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_timeout=_ANSWER_SECONDS,
        retry=retry,
        protocol=2,
        client_name="octshop-rt",
    )
    return Redis.from_pool(pool)
