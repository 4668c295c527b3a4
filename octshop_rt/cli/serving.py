"""One process of the product behind its port, and the order in which it stops."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import AsyncGenerator
from typing import Final

from aiohttp import web

from octshop_rt import app
from octshop_rt.cli.words import using
from octshop_rt.core import garbage
from octshop_rt.core.http import server
from octshop_rt.core.settings import Settings

BACKLOG: Final = 1024
DESCRIPTORS: Final = 65_536


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncGenerator[app.App]:
    """Listen until the block ends. Then: nobody new, sockets asked to move, what runs is finished, parts let go."""
    _more_descriptors()
    house = await app.build(settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(house.stop)
        with using(settings.mongo):
            await house.start()
        runner = server.runner(house.web)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        site = web.TCPSite(runner, settings.http.host, settings.http.port, backlog=BACKLOG)
        await site.start()
        stack.push_async_callback(house.drain)  # closes every socket at its end, so cleanup waits for no one
        stack.push_async_callback(site.stop)
        garbage.settle()
        yield house


def _more_descriptors() -> None:
    """Shells still start programs with 1,024, which a crowd's connections fill; the system lets us have more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
