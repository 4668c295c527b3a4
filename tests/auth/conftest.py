"""Fixtures of identity's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from octshop_rt.core.clock import TestClock
from octshop_rt.core.mongo import Database
from tests.auth.town import Town, living


@pytest.fixture
async def settled(db: Database, clock: TestClock) -> AsyncIterator[Town]:
    async with living(db, clock) as one:
        yield one
