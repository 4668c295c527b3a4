"""One house a test, on one node or on two that share Redis."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import MongoSettings
from tests.flow.house import House, house


@pytest.fixture
async def one_node(db: Database, mongo_uri: str, tmp_path: Path) -> AsyncIterator[House]:
    """One process, no Redis."""
    async with house(MongoSettings(uri=mongo_uri, prefix=f"t{os.getpid()}"), tmp_path) as built:
        yield built


@pytest.fixture
async def two_nodes(db: Database, mongo_uri: str, redis_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """Two nodes that know each other through Redis only."""
    mongo = MongoSettings(uri=mongo_uri, prefix=f"t{os.getpid()}")
    async with house(mongo, tmp_path, redis_url=redis_url, nodes=2) as built:
        yield built
