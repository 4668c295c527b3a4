"""Fixtures of the edge's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from octshop_rt.core.mongo import Database
from tests.http.city import City, running


@pytest.fixture
async def city(db: Database) -> AsyncIterator[City]:
    async with running(db) as one:
        yield one
