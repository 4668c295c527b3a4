"""Further server processes of a trial: the same installation on ports of their own, joined by Redis."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec

from octshop_rt.cli.words import WorkerFailed
from octshop_rt.core.settings import Settings, variables
from octshop_rt.embedded.process import Child, start

READY_SECONDS = 30
STOP_SECONDS = 8.0  # from when it was asked; its own limit is a second more


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    origin: str
    child: Child


def port_of(port: int, sandbox_port: int, number: int) -> int:
    """Worker 0 is the main process on `port`; the others take the next ports, jumping over the simulator's."""
    wanted = port + number
    return wanted + 1 if port < sandbox_port <= wanted else wanted


@contextlib.asynccontextmanager
async def worker(settings: Settings, data: Path, number: int, sandbox_port: int) -> AsyncGenerator[Worker]:
    """`octshop-rt serve` as a child until the block ends. Its settings travel as variables."""
    port = port_of(settings.http.port, sandbox_port, number)
    http = msgspec.structs.replace(settings.http, port=port)
    own = variables(msgspec.structs.replace(settings, http=http))
    child = start(
        [sys.executable, "-m", "octshop_rt", "serve"],
        data / f"server-{number + 1}.log",
        data / f"server-{number + 1}.pid",
        marker="octshop_rt serve",
        environment={**os.environ, **own},
    )
    try:
        await _ready(port, child, data / f"server-{number + 1}.log")
        yield Worker(origin=http.origin, child=child)
    finally:
        await child.stop(STOP_SECONDS)


async def _ready(port: int, child: Child, log: Path) -> None:
    try:
        async with asyncio.timeout(READY_SECONDS):
            while child.exit_code is None:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    return
    except TimeoutError:
        pass
    raise WorkerFailed(log=str(log))
